import type { DatabaseSync } from 'node:sqlite'
import type { Committer, Transaction } from './commit.ts'
import { prepare } from './database.ts'

/** How the last attempt to read a source ended. `held`: what was read would refuse too many, and was not taken. */
export type SyncOutcome = 'complete' | 'partial' | 'failed' | 'held'

/** What is known of one source. Times are ms since the epoch. */
export interface SyncState {
  readonly source: string
  readonly outcome: SyncOutcome
  readonly attemptedAt: number
  /** When it was last read completely; absent: never. */
  readonly completeAt?: number
  /** Records of the last read that was not a failure. */
  readonly records: number
  readonly faults: number
  readonly error?: string
}

/** One attempt. `confirms`: the set was complete, so it confirms every row of the source that is left. */
export interface SyncAttempt {
  readonly outcome: SyncOutcome
  readonly at: number
  readonly confirms: boolean
  readonly records?: number
  readonly faults?: number
  readonly error?: string
}

interface SyncRow {
  readonly source: string
  readonly outcome: string
  readonly attempted_at: number
  readonly complete_at: number | null
  readonly records: number
  readonly faults: number
  readonly error: string | null
}

/** What sources have told so far, seen as one directory. */
export interface DirectoryState {
  readonly complete: boolean
  readonly unreadGroups: readonly string[]
}

/** Runs a write within a transaction, and tells of a change where it changes what sources have told as a whole. */
export function createDirectoryState(
  current: () => DirectoryState,
): (transaction: Transaction, write: () => void) => void {
  return (transaction, write) => {
    const before = JSON.stringify(current())
    write()
    const after = current()
    if (JSON.stringify(after) === before) return
    transaction.changed({ kind: 'sources', revision: transaction.nextRevision(), ...after })
  }
}

/** Remembers attempts. @param announce see `createDirectoryState` */
export function createSyncWriter(
  database: DatabaseSync,
  committer: Committer,
  announce: (transaction: Transaction, write: () => void) => void,
): (source: string, attempt: SyncAttempt) => void {
  const upsert = database.prepare(
    `INSERT INTO sync_state (source, outcome, attempted_at, complete_at, confirmed_at, records, faults, error)
     VALUES (:source, :outcome, :at, :completeAt, :confirmedAt, coalesce(:records, 0), :faults, :error)
     ON CONFLICT (source) DO UPDATE SET outcome = excluded.outcome, attempted_at = excluded.attempted_at,
       complete_at = coalesce(excluded.complete_at, complete_at),
       confirmed_at = coalesce(excluded.confirmed_at, confirmed_at),
       records = coalesce(:records, records), faults = excluded.faults, error = excluded.error`,
  )
  return (source, { outcome, at, confirms, records, faults, error }) => {
    committer.commit((transaction) => {
      announce(transaction, () =>
        upsert.run({
          source,
          outcome,
          at,
          completeAt: outcome === 'complete' ? at : null,
          confirmedAt: confirms ? at : null,
          records: records ?? null,
          faults: faults ?? 0,
          error: error ?? null,
        }),
      )
    })
  }
}

/** Reads what is known of a source; undefined where it was never tried. */
export function createSyncReader(database: DatabaseSync): (source: string) => SyncState | undefined {
  const select = prepare<SyncRow>(database, 'SELECT * FROM sync_state WHERE source = ?')
  return (source) => {
    const row = select.get(source)
    if (row === undefined) return undefined
    return {
      source,
      outcome: row.outcome as SyncOutcome,
      attemptedAt: row.attempted_at,
      records: row.records,
      faults: row.faults,
      ...(row.complete_at === null ? undefined : { completeAt: row.complete_at }),
      ...(row.error === null ? undefined : { error: row.error }),
    }
  }
}
