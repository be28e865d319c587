import type { SyncOutcome } from './sync-state.ts'

/** What a source was asked or given, and how that ended: a reading of everything, a look-up of one device, a push. */
export type SourceEvent = SyncOutcome | 'looked-up' | 'look-up-failed' | 'pushed' | 'push-refused'

/** How a source is doing, for readiness, metrics and the console. Times are ms since the epoch. */
export interface SourceStatus {
  /** When the last complete read ended; absent: none since the start. */
  readonly lastCompleteAt?: number
  /** Records of the last read that gave any. */
  readonly records: number
  /** Faults of the last read. */
  readonly faults: number
  /** Why the last read took nothing, or not all; absent: it went well. */
  readonly error?: string
  /** How far a long read is that is under way. */
  readonly progress?: { readonly records: number }
  /** Records that the last read did not list, and that are kept because nothing else says that they are gone. */
  readonly kept?: number
}

/**
 * What came of asking the sources for one device: every one answered, or one could not. `none`: no source can be asked
 * for a single device.
 */
export type LookUpOutcome = 'answered' | 'failed' | 'none'

/** Where facts come from. A source writes to the store it was made with, under its own name. */
export interface FactsSource {
  /** The name in `sourceOrder`, in metrics and in `facts.source`. */
  readonly name: string
  /**
   * Reads now and goes on until `signal` ends it. Settles once the first read has ended, well or badly: what went
   * wrong stands in `status`.
   */
  start(signal: AbortSignal): Promise<void>
  /** True where nothing comes by itself: each record is as old as the question that it answered. */
  readonly isAskedOnly?: boolean
  /** Asks for one device now; settles once the store holds the answer. Absent: the source can only be read whole. */
  refresh?(user: string, deviceId: string, signal: AbortSignal): Promise<void>
  /**
   * Says whose members are needed: groups of policy and routing, in lower case. They count as unread until they were
   * read completely. To be called before `start`, and again when they change: then it settles once the new ones were
   * read, well or badly. Absent: groups come with the users.
   */
  setGroups?(names: readonly string[]): Promise<void>
  /** Reads at once, whether or not anything seems changed; settles when that is done. Absent: at its next time. */
  readAgain?(): Promise<void>
  status(): SourceStatus
}
