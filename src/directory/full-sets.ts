import type { Committer } from './commit.ts'
import type { FactsRecord } from './record.ts'
import { isAdmitted, type GuardedStore, type SetGuard } from './set-guard.ts'
import type { SyncAttempt } from './sync-state.ts'
import type { FactsWriter } from './write-facts.ts'

/** A full set of one source. */
export interface SourceSet {
  /** True: what is not listed is gone. False, or any fault: nothing is removed. */
  readonly complete: boolean
  /** Records that could not be read. */
  readonly faults?: number
  /** `currentRevision()` when the reading began: what was written to this source since then is newer than the set. */
  readonly since?: number
}

/** What a full set did. */
export interface ReplacedSet {
  readonly records: number
  readonly changed: number
  readonly removed: number
  /** True where the guard said no: then it did nothing. */
  readonly held: boolean
}

export interface FullSets {
  /**
   * Takes the full set of one source; sets of one source are taken one after the other. Where the guard says no, all
   * stays as it is.
   */
  replace(source: string, records: readonly FactsRecord[], set: SourceSet): Promise<ReplacedSet>
  /** Sets who is asked before a full set is written; nobody by default, and nobody while the store holds no facts. */
  guardSets(guard: SetGuard): void
}

export interface FullSetsDeps {
  readonly committer: Committer
  readonly facts: FactsWriter
  readonly recordSync: (source: string, attempt: SyncAttempt) => void
  readonly hasFacts: () => boolean
  readonly target: () => GuardedStore
}

export function createFullSets(deps: FullSetsDeps): FullSets {
  const { committer, facts, recordSync, hasFacts, target } = deps
  let guard: SetGuard | undefined
  /** The last set per source: the next one waits for it. */
  const replacing = new Map<string, Promise<unknown>>()

  async function replaceNow(
    source: string,
    records: readonly FactsRecord[],
    set: SourceSet,
  ): Promise<ReplacedSet> {
    const faults = set.faults ?? 0
    const complete = set.complete && faults === 0
    const full = { complete, since: set.since ?? committer.revision }
    const place = target()
    const { at } = place
    if (guard !== undefined && hasFacts() && !(await isAdmitted(guard, place, source, records, full))) {
      const error = 'the last set would refuse too many devices and waits for an operator'
      recordSync(source, { outcome: 'held', at, confirms: false, faults, error })
      return { records: 0, changed: 0, removed: 0, held: true }
    }
    const replaced = await facts.replace(source, records, full)
    const outcome = complete ? 'complete' : 'partial'
    recordSync(source, { outcome, at, confirms: complete, records: replaced.records, faults })
    const { changes, removed } = replaced
    return { records: replaced.records, changed: changes.length, removed, held: false }
  }

  return {
    async replace(source, records, set) {
      const before = replacing.get(source)
      const run = (async () => {
        await before?.catch(() => undefined)
        return replaceNow(source, records, set)
      })()
      replacing.set(source, run)
      return run
    },
    guardSets(asked) {
      guard = asked
    },
  }
}
