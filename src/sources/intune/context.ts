import type { IntuneSourceConfig } from '#config/intune-source.ts'
import type { Store } from '#directory/store.ts'
import type { Logger } from '#telemetry/log.ts'
import type { GraphClient } from './graph-client.ts'

/** What the parts of the Intune source use of the store. */
export type IntuneStore = Pick<
  Store,
  | 'currentRevision'
  | 'syncState'
  | 'resolve'
  | 'upsert'
  | 'sweepDevices'
  | 'putDevices'
  | 'sweepUsers'
  | 'sweepGroup'
  | 'hasGroupFromOthers'
  | 'partCompleteAt'
  | 'setPartComplete'
  | 'setGroups'
  | 'groupReadAt'
  | 'setGroupRead'
  | 'setSourceComplete'
  | 'setSourceFailed'
>

/** What the parts of the Intune source share. */
export interface IntuneContext {
  /** Of the source, as facts carry it. */
  readonly name: string
  readonly settings: Pick<IntuneSourceConfig, 'matchBy' | 'pageSize' | 'maxDrop'>
  /** NetBIOS or DNS name of a domain, lower case -> UPN suffix: the config section `identity`. */
  readonly domains: ReadonlyMap<string, string>
  readonly store: IntuneStore
  readonly client: GraphClient
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** The error of a list that lacks too many. */
export function dropText(subject: string, missing: number, known: number): string {
  return (
    `Graph lists ${missing} of ${known} ${subject} no longer; they are kept as they were. ` +
    'If they are gone indeed, raise maxDrop of this source'
  )
}
