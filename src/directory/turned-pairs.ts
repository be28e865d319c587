import type { DatabaseSync } from 'node:sqlite'
import type { Reason } from '#policy/reasons.ts'
import type { Committer } from './commit.ts'
import { prepare } from './database.ts'

/** How it stands with quarantine, over restarts. Times are ms since the epoch. */
export interface QuarantineHold {
  /** Since when too many turned refused at once; absent: they did not, or it is meant. */
  readonly heldSince?: number
  /** Who turned refused before this does not count any more. */
  readonly countsFrom: number
}

/** Pairs that turned refused for one reason on one platform. */
export interface TurnedPairs {
  readonly reason: Reason
  readonly platform: string
  readonly pairs: number
}

/** Pairs that were served mail and then refused, for as long as they are. */
export interface TurnedPairReader {
  /** How many turned at `since` or later, ms since the epoch. */
  countTurned(since: number): number
  turnedPairs(since: number): readonly TurnedPairs[]
  quarantineHold(): QuarantineHold
}

export interface QuarantineHoldWriter {
  keepQuarantineHold(hold: QuarantineHold): void
}

/** The index holds these pairs alone: to count them all day costs nothing. */
const turned = 'refused_since >= ? AND allowed_at IS NOT NULL'

export function createTurnedPairReader(database: DatabaseSync): TurnedPairReader {
  const count = prepare<{ pairs: number }>(
    database,
    `SELECT count(*) AS pairs FROM sightings WHERE ${turned}`,
  )
  const list = prepare<TurnedPairs>(
    database,
    `SELECT reason, platform, count(*) AS pairs FROM sightings WHERE ${turned}
     GROUP BY reason, platform ORDER BY pairs DESC, reason, platform`,
  )
  const select = prepare<{ held_since: number | null; counts_from: number }>(
    database,
    'SELECT held_since, counts_from FROM quarantine_hold',
  )
  return {
    countTurned: (since) => count.get(since)?.pairs ?? 0,
    turnedPairs: (since) => list.all(since).map((row) => ({ ...row })),
    quarantineHold: () => {
      const { held_since: heldSince = null, counts_from: countsFrom = 0 } = select.get() ?? {}
      return heldSince === null ? { countsFrom } : { heldSince, countsFrom }
    },
  }
}

export function createQuarantineHoldWriter(
  database: DatabaseSync,
  committer: Committer,
): QuarantineHoldWriter {
  const replace = database.prepare(
    'INSERT OR REPLACE INTO quarantine_hold (id, held_since, counts_from) VALUES (1, ?, ?)',
  )
  return {
    keepQuarantineHold({ heldSince, countsFrom }) {
      committer.commit(() => {
        replace.run(heldSince ?? null, countsFrom)
      })
    },
  }
}
