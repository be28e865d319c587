import { chmodSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { DirectoryError, storeError } from './errors.ts'

/**
 * Takes the right to be the one owner of the store at `path`, for as long as the result is open. It is an exclusive
 * SQLite lock on a file beside the store: the operating system lets go of it however the owner ends, and readers of
 * the store never meet it.
 *
 * @throws {DirectoryError} STORE_LOCKED
 */
export function takeOwnerLock(path: string): DatabaseSync {
  let lock: DatabaseSync | undefined
  try {
    lock = new DatabaseSync(`${path}-owner`, { timeout: 0 })
    chmodSync(`${path}-owner`, 0o600)
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock?.close()
    const cause = storeError(error, path)
    if (cause instanceof DirectoryError && cause.code === 'STORE_LOCKED') {
      throw new DirectoryError('STORE_LOCKED', `the store ${path} is owned by a running easgate`, { cause })
    }
    throw cause
  }
}
