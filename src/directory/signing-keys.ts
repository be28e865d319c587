import { hkdfSync, randomBytes } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import type { Committer } from './commit.ts'
import { prepare } from './database.ts'
import { corruptStore } from './errors.ts'

/** What is signed with a key of the store. Who knows the key of one purpose knows nothing of another. */
export type KeyPurpose = 'quarantine mailbox' | 'enrollment link'

export interface SigningKeyReader {
  /**
   * 32 bytes, the same for every process and over restarts, backup and rebuild. Not to be logged or shown.
   *
   * @throws {DirectoryError} STORE_CORRUPT where the store has lost its secret; the next start of its owner makes another
   */
  signingKey(purpose: KeyPurpose): Uint8Array
}

/** Of the secret, and of each key that is derived from it. */
const keyBytes = 32

export function createSigningKeyReader(database: DatabaseSync, path: string): SigningKeyReader {
  const select = prepare<{ bytes: Uint8Array }>(database, 'SELECT bytes FROM store_secret')
  return {
    signingKey(purpose) {
      const secret = select.get()?.bytes
      if (secret === undefined || !isSecret(secret)) throw corruptStore(path, 'it has lost its secret')
      return new Uint8Array(hkdfSync('sha256', secret, '', `easgate ${purpose}`, keyBytes))
    },
  }
}

/** Makes the secret that all signing keys come from, where there is none yet. */
export function ensureSecret(database: DatabaseSync, committer: Committer): void {
  const insert = database.prepare('INSERT OR IGNORE INTO store_secret (id, bytes) VALUES (1, ?)')
  committer.commit(() => {
    insert.run(randomBytes(keyBytes))
  })
}

/** True for what may be carried over from a damaged store. */
export function isSecret(bytes: unknown): bytes is Uint8Array {
  return bytes instanceof Uint8Array && bytes.length === keyBytes
}
