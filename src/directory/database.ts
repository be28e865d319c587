import { existsSync, mkdirSync, openSync, closeSync, fsyncSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { corruptStore, DirectoryError, storeError } from './errors.ts'
import { applicationId, migrate, migrations, newerStore, schemaVersion } from './schema.ts'

/** How long a reader waits for a lock of SQLite's own (recovery after a crash), in ms. */
const busyTimeoutMs = 1000

/**
 * `PRAGMA quick_check` at every start of the owner, up to this size: it reads the whole file, about 1.1 ms per MB
 * (100,000 devices: 55 MB, 60 ms). Above it, damage shows when a page is read, and `store check` looks for it.
 */
const maxQuickCheckBytes = 512 * 1024 * 1024

/** A statement whose rows have the given shape. */
export interface Statement<Row> {
  get(...parameters: SQLInputValue[]): Row | undefined
  all(...parameters: SQLInputValue[]): Row[]
  iterate(...parameters: SQLInputValue[]): Iterable<Row>
}

/** Prepares a query; the caller vouches that `Row` is what it selects. */
export function prepare<Row>(database: DatabaseSync, sql: string): Statement<Row> {
  return database.prepare(sql) as unknown as Statement<Row>
}

/** Opens the store for reading. Never creates or migrates it. */
export function openForReading(path: string): DatabaseSync {
  if (!existsSync(path)) throw missingStore(path)
  refuseEmpty(path)
  return opened(path, true, (database) => {
    const version = identify(database, path)
    if (version > migrations.length) throw newerStore(path, version, migrations.length)
    if (version < migrations.length) {
      throw new DirectoryError(
        'STORE_OLDER',
        `the store ${path} is of an older easgate; start easgate serve once`,
      )
    }
  })
}

/** Opens the store for its owner: creates it where there is none, migrates it, checks its pages. */
export function openForWriting(path: string): DatabaseSync {
  if (!existsSync(path)) createStore(path)
  refuseEmpty(path)
  return opened(path, false, (database) => {
    identify(database, path)
    if (statSync(path).size <= maxQuickCheckBytes) quickCheck(database, path)
    database.exec('PRAGMA synchronous = FULL')
    // small and often: a checkpoint of the default 1000 pages holds the thread for 20 ms and more
    database.exec('PRAGMA wal_autocheckpoint = 100')
    database.exec('PRAGMA cache_size = -16000')
    migrate(database, path)
  })
}

/**
 * Makes an empty store that only its owner may read. It gets its name only when it is whole: a file of no bytes is
 * damage, never a store that was about to be made.
 */
export function createStore(path: string): void {
  if (existsSync(`${path}-wal`)) throw corruptStore(path, 'its write-ahead log is here, the file is not')
  const unfinished = `${path}.new`
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    rmSync(unfinished, { force: true })
    closeSync(openSync(unfinished, 'wx', 0o600))
  } catch (error) {
    throw unreadable(path, error)
  }
  opened(unfinished, false, (database) => {
    database.exec(`PRAGMA application_id = ${applicationId}`)
    database.exec('PRAGMA journal_mode = WAL')
    migrate(database, path)
  }).close()
  renameSync(unfinished, path)
  syncFolder(dirname(path))
}

/** The error of a path without a file. */
export function missingStore(path: string): DirectoryError {
  return new DirectoryError('STORE_MISSING', `there is no store at ${path}; easgate serve makes it`)
}

function opened(
  path: string,
  readOnly: boolean,
  prepareDatabase: (database: DatabaseSync) => void,
): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { readOnly, timeout: busyTimeoutMs })
    prepareDatabase(database)
    return database
  } catch (error) {
    database?.close()
    throw storeError(error, path)
  }
}

/** Refuses what is no store of ours; gives the schema version. */
function identify(database: DatabaseSync, path: string): number {
  const id = database.prepare('PRAGMA application_id').get()?.['application_id']
  if (id !== applicationId) {
    throw new DirectoryError(
      'STORE_FOREIGN',
      `${path} is not a store of easgate; set store.path to another file, or run: easgate store rebuild`,
    )
  }
  return schemaVersion(database)
}

function quickCheck(database: DatabaseSync, path: string): void {
  const first = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check']
  if (first !== 'ok') throw corruptStore(path, String(first).replaceAll('\n', ' '))
}

/** SQLite takes a file of no bytes for a new database; for us it is a store that was cut off. */
function refuseEmpty(path: string): void {
  let size: number
  try {
    const found = statSync(path)
    if (!found.isFile()) throw new DirectoryError('STORE_UNREADABLE', `${path} is not a file`)
    size = found.size
  } catch (error) {
    throw error instanceof DirectoryError ? error : unreadable(path, error)
  }
  if (size === 0) throw corruptStore(path, 'the file is empty')
}

function unreadable(path: string, cause: unknown): DirectoryError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new DirectoryError('STORE_UNREADABLE', `cannot use the store ${path}: ${reason}`, { cause })
}

/** Makes the new name survive a power cut; Windows has no such call. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
