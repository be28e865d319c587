import type { DatabaseSync } from 'node:sqlite'
import type { Committer } from './commit.ts'
import { prepare } from './database.ts'

/** Codes that stand for a pair for some minutes, known by their digests only. For the owner. */
export interface EnrollmentCodeStore {
  /**
   * Gives a pair its one code.
   *
   * @param pairId see `pairId`
   * @param expiresAt ms since the epoch
   */
  setEnrollmentCode(pairId: string, digest: string, expiresAt: number): void
  /** The pair of a code that has not expired. */
  pairOfEnrollmentCode(digest: string): string | undefined
}

/** @param now milliseconds since the epoch */
export function createEnrollmentCodeStore(
  database: DatabaseSync,
  committer: Committer,
  now: () => number,
): EnrollmentCodeStore {
  const deleteExpired = database.prepare('DELETE FROM enrollment_codes WHERE expires_at <= ?')
  const insert = database.prepare(
    'INSERT OR REPLACE INTO enrollment_codes (pair_id, digest, expires_at) VALUES (?, ?, ?)',
  )
  const select = prepare<{ pair_id: string }>(
    database,
    'SELECT pair_id FROM enrollment_codes WHERE digest = ? AND expires_at > ?',
  )
  return {
    setEnrollmentCode(pairId, digest, expiresAt) {
      committer.commit(() => {
        deleteExpired.run(now())
        insert.run(pairId, digest, expiresAt)
      })
    },
    pairOfEnrollmentCode: (digest) => select.get(digest, now())?.pair_id,
  }
}
