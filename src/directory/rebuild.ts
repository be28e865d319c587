import { existsSync, renameSync, rmSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { isDeviceId, deviceKey } from '#eas/device-id.ts'
import { digestOf } from '#config/digest.ts'
import { createStore, missingStore, openForWriting, prepare, type Statement } from './database.ts'
import { takeOwnerLock } from './owner-lock.ts'
import { isDeviceFacts } from './record.ts'
import { schemaVersion } from './schema.ts'
import { isSecret } from './signing-keys.ts'

/** What `store rebuild` did. */
export interface RebuiltStore {
  /** Where the old file lies now, its write-ahead log beside it. */
  readonly movedTo: string
  /** Rows carried over, per table. */
  readonly salvaged: Readonly<Record<string, number>>
  /** False where rows could not be read: facts pushed over the API may be among them and must be pushed again. */
  readonly complete: boolean
}

type Row = Readonly<Record<string, SQLInputValue>> & { readonly id: number }

/** One table to carry over. Rows that are not `valid` were hit by the damage. */
interface Salvage {
  readonly table: string
  readonly columns: readonly string[]
  readonly valid: (row: Row) => boolean
  /** Schema version that brought the table; an older file cannot have lost any of it. */
  readonly since?: number
}

const salvages: readonly Salvage[] = [
  {
    table: 'device_facts',
    columns: [
      'user',
      'device_key',
      'device_id',
      'source',
      'facts',
      'as_of',
      'revision',
      'other_keys',
      'record_id',
      'missing_since',
    ],
    valid: (row) =>
      hasSoundDeviceId(row) &&
      isDeviceFacts(parsed(row['facts'])) &&
      (typeof row['other_keys'] !== 'string' || isTextList(parsed(row['other_keys']))),
  },
  {
    table: 'users',
    columns: ['user', 'source', 'aliases', 'groups', 'revision'],
    valid: (row) => isTextList(parsed(row['aliases'])) && isTextList(parsed(row['groups'])),
  },
  {
    table: 'overrides',
    columns: [
      'user',
      'device_key',
      'device_id',
      'action',
      'until',
      'exclusive',
      'note',
      'actor',
      'at',
      'revision',
    ],
    valid: (row) =>
      hasSoundDeviceId(row) &&
      (row['action'] === 'block' || row['action'] === 'allow') &&
      (row['exclusive'] === 0 || row['exclusive'] === 1),
    since: 2,
  },
  {
    table: 'sightings',
    columns: [
      'user',
      'device_key',
      'device_id',
      'action',
      'reason',
      'platform',
      'seen',
      'information',
      'first_at',
      'last_at',
      'allowed_at',
      'provision_asked_at',
      'noncompliant_since',
      'known_client',
      'imported_at',
      'refused_since',
      'pair_id',
      'revision',
    ],
    valid: (row) =>
      typeof parsed(row['seen']) === 'object' &&
      isAbsentOrJson(row['information']) &&
      isAbsentOrJson(row['known_client']),
  },
  {
    table: 'traces',
    columns: [
      'user',
      'device_key',
      'request_id',
      'last_request_id',
      'action',
      'reason',
      'rule',
      'policy_revision',
      'policy_digest',
      'facts_revision',
      'requests',
      'last_at',
      'explained',
    ],
    valid: (row) => isExplained(parsed(row['explained'])),
    since: 4,
  },
  {
    table: 'kept_policy',
    columns: ['revision', 'digest', 'text', 'at', 'actor'],
    valid: ({ text, digest }) => typeof text === 'string' && digestOf(text) === digest,
    since: 5,
  },
  {
    table: 'store_secret',
    columns: ['bytes'],
    valid: ({ bytes }) => isSecret(bytes),
    since: 8,
  },
  {
    // without them a push of the last minutes could be played again
    table: 'push_marks',
    columns: ['source', 'mark', 'at'],
    valid: () => true,
    since: 11,
  },
  {
    table: 'quarantine_hold',
    columns: ['held_since', 'counts_from'],
    valid: () => true,
    since: 12,
  },
  {
    table: 'audit_events',
    columns: ['at', 'actor', 'event', 'user', 'device_id', 'detail'],
    valid: (row) => isAbsentOrJson(row['detail']),
  },
]

/**
 * Makes a sound store out of a damaged one: moves the old file aside and carries over every row of facts, users,
 * overrides, sightings, traces and audit that can still be read, with the policy in force and the secret of the signing
 * keys. Sync states are left behind on purpose: until each source was read again, an absent device proves nothing.
 * Counters, outbox and enrolment codes start empty.
 *
 * @throws {DirectoryError} STORE_MISSING, STORE_LOCKED while a node runs
 */
export function rebuildStore(path: string, { now }: { readonly now: () => number }): RebuiltStore {
  const log = `${path}-wal`
  if (!existsSync(path) && !existsSync(log)) throw missingStore(path)
  const lock = takeOwnerLock(path)
  try {
    const fresh = `${path}.rebuilt`
    for (const leftover of [fresh, `${fresh}-wal`, `${fresh}-shm`]) rmSync(leftover, { force: true })
    createStore(fresh)
    const { salvaged, complete } = salvage(path, fresh, now())
    const movedTo = `${path}.broken-${new Date(now()).toISOString().replaceAll(':', '-')}`
    // the log first: it must never lie beside a file that it does not belong to
    if (existsSync(log)) renameSync(log, `${movedTo}-wal`)
    if (existsSync(path)) renameSync(path, movedTo)
    rmSync(`${path}-shm`, { force: true })
    renameSync(fresh, path)
    return { movedTo, salvaged, complete }
  } finally {
    lock.close()
  }
}

function salvage(path: string, fresh: string, at: number): Pick<RebuiltStore, 'salvaged' | 'complete'> {
  const target = openForWriting(fresh)
  const salvaged: Record<string, number> = {}
  let complete = true
  let source: DatabaseSync | undefined
  try {
    source = existsSync(path) ? openDamaged(path) : undefined
    target.exec('BEGIN IMMEDIATE')
    for (const table of salvages) {
      const result = salvageTable(source, target, table)
      salvaged[table.table] = result.rows
      complete &&= result.complete
    }
    target.exec(
      `INSERT OR IGNORE INTO device_ids SELECT user, other.value, device_facts.id, other.key
       FROM device_facts, json_each(device_facts.other_keys) AS other`,
    )
    target.exec(`INSERT INTO user_names SELECT user, user, source FROM users`)
    target.exec(
      `INSERT OR IGNORE INTO user_names SELECT alias.value, user, source FROM users, json_each(users.aliases) AS alias`,
    )
    // higher than any revision that a worker or another node may have seen
    target.exec(
      `UPDATE store_revision SET value = 1000000 + (SELECT max(revision) FROM (
         SELECT revision FROM device_facts UNION ALL SELECT revision FROM users UNION ALL
         SELECT revision FROM sightings UNION ALL SELECT revision FROM overrides UNION ALL SELECT 0))`,
    )
    target
      .prepare('INSERT INTO audit_events (at, actor, event, detail) VALUES (?, ?, ?, ?)')
      .run(at, 'easgate', 'store-rebuilt', JSON.stringify({ ...salvaged, complete }))
    target.exec('COMMIT')
  } finally {
    source?.close()
    target.close()
  }
  return { salvaged, complete }
}

/** Reads nothing yet: a file that is no database fails at its first table. */
function openDamaged(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true, defensive: false })
  // SQLite reads a file that was cut off only under this setting
  database.exec('PRAGMA writable_schema = ON')
  return database
}

function salvageTable(
  source: DatabaseSync | undefined,
  target: DatabaseSync,
  { table, columns, valid, since = 1 }: Salvage,
): { rows: number; complete: boolean } {
  const insert = target.prepare(
    `INSERT OR IGNORE INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
  )
  const reader = source === undefined ? undefined : openTable(source, table)
  if (reader === undefined) return { rows: 0, complete: isOlder(source, since) }
  let rows = 0
  let lost = 0
  for (const row of readableRows(reader, () => lost++)) {
    if (valid(row)) rows += Number(insert.run(...columns.map((column) => row[column] ?? null)).changes)
    else lost++
  }
  return { rows, complete: lost === 0 }
}

/** True where the file is a sound enough store of ours to say that it is older than a table. */
function isOlder(source: DatabaseSync | undefined, since: number): boolean {
  try {
    const version = source === undefined ? 0 : schemaVersion(source)
    return version > 0 && version < since
  } catch {
    return false
  }
}

interface TableReader {
  /** Rows after a rowid, in order. */
  readonly rows: Statement<Row>
  /** The first of them. */
  readonly first: Statement<Row>
}

/** Undefined where not even the schema can be read. */
function openTable(source: DatabaseSync, table: string): TableReader | undefined {
  const sql = `SELECT * FROM ${table} WHERE id > ? ORDER BY id`
  try {
    return { rows: prepare(source, sql), first: prepare(source, `${sql} LIMIT 1`) }
  } catch {
    return undefined
  }
}

/** Every row that can be read, by rowid; `onGap` is called for each stretch that cannot. */
function* readableRows(table: TableReader, onGap: () => void): Generator<Row> {
  let after: number | undefined = 0
  while (after !== undefined) {
    let reached: number = after
    try {
      for (const row of table.rows.iterate(after)) {
        yield row
        // damage can put rowids out of order; going back would never end
        reached = Math.max(reached, row.id)
      }
      return
    } catch {
      onGap()
      after = nextReadable(table, reached)
    }
  }
}

const maxGap = 2 ** 40

/** The lowest rowid after which a row can be read: doubles the step, then halves the interval. */
function nextReadable(table: TableReader, from: number): number | undefined {
  let step = 1
  while (!isReadable(table, from + step)) {
    step *= 2
    if (step > maxGap) return undefined
  }
  let [bad, good] = [from + Math.floor(step / 2), from + step]
  while (good - bad > 1) {
    const middle = Math.floor((bad + good) / 2)
    if (isReadable(table, middle)) good = middle
    else bad = middle
  }
  return good
}

function isReadable(table: TableReader, after: number): boolean {
  try {
    table.first.get(after)
    return true
  } catch {
    return false
  }
}

function parsed(text: SQLInputValue | undefined): unknown {
  if (typeof text !== 'string') return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isAbsentOrJson(text: SQLInputValue | undefined): boolean {
  return text === undefined || text === null || parsed(text) !== undefined
}

function hasSoundDeviceId({ device_id: deviceId, device_key: key }: Row): boolean {
  return typeof deviceId === 'string' && isDeviceId(deviceId) && deviceKey(deviceId) === key
}

/** What shows a trace reads these; the rest it only passes on. */
function isExplained(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return (
    'trace' in value && Array.isArray(value.trace) && 'fields' in value && typeof value.fields === 'object'
  )
}

function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}
