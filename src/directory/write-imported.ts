import type { DatabaseSync } from 'node:sqlite'
import type { Committer, Transaction } from './commit.ts'
import { prepare } from './database.ts'
import { createPairRoom } from './pair-room.ts'
import type { Sighting } from './sightings.ts'
import { informationOf, seenOf } from './write-sightings.ts'

/** A pair as an inventory of Exchange has it. Times are ms since the epoch. */
export interface ImportedPair extends Pick<
  Sighting,
  | 'user'
  | 'deviceId'
  | 'deviceKey'
  | 'deviceType'
  | 'userAgent'
  | 'platform'
  | 'osVersion'
  | 'model'
  | 'client'
  | 'protocolVersion'
  | 'action'
  | 'reason'
  | 'information'
> {
  readonly firstAt: number
  readonly lastAt: number
  /** When it was served mail last; absent: Exchange does not serve it. */
  readonly allowedAt?: number
}

/** Which of the pairs were written, in their order. */
export type ImportedPairs = readonly boolean[]

interface HeldRow {
  readonly first_at: number
  readonly allowed_at: number | null
  readonly imported_at: number | null
  readonly information: string | null
}

/** In the place of command and backend: no request of such a pair has come by. */
const notSeen = 'none'

/**
 * Takes an inventory of Exchange among the sightings. Of a pair that has come by itself only what lies before that is
 * new: when it was first seen, and that Exchange knows it. A pair for which the user has no room is not written.
 */
export function createImportWriter(
  database: DatabaseSync,
  committer: Committer,
  now: () => number,
): (pairs: readonly ImportedPair[]) => Promise<ImportedPairs> {
  const select = prepare<HeldRow>(
    database,
    'SELECT first_at, allowed_at, imported_at, information FROM sightings WHERE user = ? AND device_key = ?',
  )
  const makeRoom = createPairRoom(database)
  const upsert = database.prepare(
    `INSERT INTO sightings (user, device_key, device_id, action, reason, platform, seen, information,
       first_at, last_at, allowed_at, known_client, imported_at, revision)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (user, device_key) DO UPDATE SET
       information = coalesce(information, excluded.information),
       first_at = min(first_at, excluded.first_at),
       last_at = max(last_at, excluded.last_at),
       allowed_at = coalesce(max(allowed_at, excluded.allowed_at), allowed_at, excluded.allowed_at),
       imported_at = coalesce(imported_at, excluded.imported_at),
       revision = max(revision, excluded.revision)`,
  )
  const follow = database.prepare(
    `UPDATE sightings SET device_id = ?, action = ?, reason = ?, platform = ?, seen = ?, known_client = ?
     WHERE user = ? AND device_key = ? AND seen ->> 'command' = '${notSeen}'`,
  )

  function write(pair: ImportedPair, transaction: Transaction): boolean {
    const { user, deviceId, deviceKey, action, reason, platform, deviceType, client, firstAt, lastAt } = pair
    const held = select.get(user, deviceKey)
    if (held === undefined && !makeRoom(user)) return false
    const seen = JSON.stringify(seenOf({ ...pair, command: notSeen, backend: notSeen }))
    const known = JSON.stringify({ deviceType, client })
    const information = informationOf(pair)
    const allowedAt = pair.allowedAt ?? null
    const isHistory =
      held === undefined ||
      firstAt < held.first_at ||
      held.imported_at === null ||
      (allowedAt !== null && held.allowed_at === null) ||
      (information !== null && held.information === null)
    const revision = isHistory ? transaction.nextRevision() : 0
    const claims = [deviceId, action, reason, platform, seen] as const
    upsert.run(user, deviceKey, ...claims, information, firstAt, lastAt, allowedAt, known, now(), revision)
    follow.run(...claims, known, user, deviceKey)
    if (isHistory) transaction.changed({ kind: 'device', revision, user, deviceKey })
    return true
  }

  return async (pairs) => {
    const written: boolean[] = []
    await committer.commitInSlices(pairs, (pair, transaction) => written.push(write(pair, transaction)))
    return written
  }
}
