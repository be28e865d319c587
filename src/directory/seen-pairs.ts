import type { DatabaseSync } from 'node:sqlite'
import type { Action, Reason } from '#policy/reasons.ts'
import { prepare } from './database.ts'
import type { Seen } from './write-sightings.ts'

/** A pair as it was seen last. Times are ms since the epoch. */
export interface SeenPair extends Seen {
  readonly user: string
  readonly deviceId: string
  readonly deviceKey: string
  readonly action: Action
  readonly reason: Reason
  readonly lastAt: number
  /** When it was last served mail; absent: never. */
  readonly allowedAt?: number
}

export interface SeenPairReader {
  /**
   * Every pair that was seen at `since` (ms since the epoch) or later, by user and device id, a window at a time. A
   * window may be empty, and nothing stays open between two: the caller can pause there.
   */
  seenWindows(since: number): Generator<readonly SeenPair[]>
  /** The pairs that were seen of one user. */
  seenOf(user: string): readonly SeenPair[]
  /** The pair that `pairId` gives this name to, where it was seen. */
  seenPair(id: string): SeenPair | undefined
}

interface SeenRow {
  readonly user: string
  readonly device_key: string
  readonly device_id: string
  readonly action: string
  readonly reason: string
  readonly seen: string
  readonly last_at: number
  readonly allowed_at: number | null
}

/** Rows read in one go. To judge as many twice takes 2 to 3 ms. */
const windowRows = 16

export function createSeenPairReader(database: DatabaseSync): SeenPairReader {
  // not by `last_at`: a window of the few pairs that were seen lately would read through all the others
  const selectWindow = prepare<SeenRow>(
    database,
    `SELECT user, device_key, device_id, action, reason, seen, last_at, allowed_at FROM sightings
     WHERE (user, device_key) > (?, ?) ORDER BY user, device_key LIMIT ${windowRows}`,
  )
  const selectOfUser = prepare<SeenRow>(
    database,
    `SELECT user, device_key, device_id, action, reason, seen, last_at, allowed_at FROM sightings
     WHERE user = ? ORDER BY device_key`,
  )
  const selectPair = prepare<SeenRow>(
    database,
    `SELECT user, device_key, device_id, action, reason, seen, last_at, allowed_at FROM sightings WHERE pair_id = ?`,
  )
  return {
    *seenWindows(since) {
      let last: Pick<SeenRow, 'user' | 'device_key'> | undefined = { user: '', device_key: '' }
      while (last !== undefined) {
        const rows: SeenRow[] = selectWindow.all(last.user, last.device_key)
        yield rows.filter((row) => row.last_at >= since).map(seenPair)
        last = rows.at(-1)
      }
    },

    seenOf: (user) => selectOfUser.all(user).map(seenPair),

    seenPair(id) {
      const row = selectPair.get(id)
      return row === undefined ? undefined : seenPair(row)
    },
  }
}

function seenPair(row: SeenRow): SeenPair {
  return {
    ...(JSON.parse(row.seen) as Seen),
    user: row.user,
    deviceId: row.device_id,
    deviceKey: row.device_key,
    action: row.action as Action,
    reason: row.reason as Reason,
    lastAt: row.last_at,
    ...(row.allowed_at === null ? undefined : { allowedAt: row.allowed_at }),
  }
}
