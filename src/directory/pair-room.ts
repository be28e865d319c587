import type { DatabaseSync } from 'node:sqlite'
import { prepare } from './database.ts'

/** Pairs kept per user. A client with a password can invent ids without end; Exchange itself stops at 100. T-51 */
const maxPairsPerUser = 100

/**
 * Makes room for one more pair of a user, where need be by the one that was seen longest ago and never served mail.
 *
 * @returns a function that gives false where the user has as many pairs as are kept, and each was served mail
 */
export function createPairRoom(database: DatabaseSync): (user: string) => boolean {
  const countPairs = prepare<{ pairs: number }>(
    database,
    'SELECT count(*) AS pairs FROM sightings WHERE user = ?',
  )
  const deleteOldest = database.prepare(
    `DELETE FROM sightings WHERE id =
       (SELECT id FROM sightings WHERE user = ? AND allowed_at IS NULL ORDER BY last_at LIMIT 1)`,
  )
  return (user) => countPairs.get(user)?.pairs !== maxPairsPerUser || deleteOldest.run(user).changes > 0
}
