import { closeSync, openSync, rmSync, statSync } from 'node:fs'
import { backup, type DatabaseSync } from 'node:sqlite'
import { prepare } from './database.ts'
import { DirectoryError, storeError } from './errors.ts'
import { schemaVersion } from './schema.ts'

/** What `store check` reports. */
export interface StoreCheck {
  /** True where every page, row and index is sound. */
  readonly ok: boolean
  /** What SQLite found, at most 100 lines; empty where `ok`. */
  readonly problems: readonly string[]
  /** Rows per table; tables that cannot be read are absent. */
  readonly rows: Readonly<Record<string, number>>
  readonly schemaVersion: number
  readonly revision: number
  readonly sizeBytes: number
}

const tables = [
  'device_facts',
  'device_ids',
  'users',
  'overrides',
  'sightings',
  'traces',
  'audit_events',
  'hourly_counts',
  'sync_state',
  'source_parts',
  'push_marks',
  'kept_policy',
  'store_secret',
  'quarantine_hold',
  'enrollment_codes',
  'outbox',
] as const

/**
 * Reads the whole file: `PRAGMA integrity_check`, about 4 ms per MB, in one go. For a process of its own (`store
 * check`), not for the owner while it serves.
 */
export function checkStore(database: DatabaseSync, path: string): StoreCheck {
  const problems = integrityProblems(database)
  const rows: Record<string, number> = {}
  for (const table of tables) {
    try {
      rows[table] =
        prepare<{ rows: number }>(database, `SELECT count(*) AS rows FROM ${table}`).get()?.rows ?? 0
    } catch (error) {
      problems.push(`${table}: ${messageOf(error)}`)
    }
  }
  let revision = 0
  try {
    revision = prepare<{ value: number }>(database, 'SELECT value FROM store_revision').get()?.value ?? 0
  } catch (error) {
    problems.push(`store_revision: ${messageOf(error)}`)
  }
  return {
    ok: problems.length === 0,
    problems,
    rows,
    schemaVersion: schemaVersion(database),
    revision,
    sizeBytes: statSync(path).size,
  }
}

/**
 * Copies the store, as it is at one moment, into a new file that only its owner may read. One read transaction in one
 * step: a backup in many steps starts over at each write of the running node.
 *
 * @throws {DirectoryError} STORE_UNREADABLE where `target` exists or cannot be made
 */
export async function backupStore(database: DatabaseSync, path: string, target: string): Promise<void> {
  try {
    closeSync(openSync(target, 'wx', 0o600))
  } catch (error) {
    throw new DirectoryError('STORE_UNREADABLE', `cannot write the backup ${target}: ${messageOf(error)}`, {
      cause: error,
    })
  }
  try {
    await backup(database, target, { rate: 0x7fffffff })
  } catch (error) {
    rmSync(target, { force: true })
    throw storeError(error, path)
  }
}

function integrityProblems(database: DatabaseSync): string[] {
  try {
    const found = prepare<{ integrity_check: string }>(database, 'PRAGMA integrity_check(100)').all()
    return found.map((row) => row.integrity_check).filter((problem) => problem !== 'ok')
  } catch (error) {
    return [messageOf(error)]
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
