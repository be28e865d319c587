import type { DatabaseSync } from 'node:sqlite'
import { deviceKey } from '#eas/device-id.ts'
import type { DeviceFacts } from '#policy/facts.ts'
import type { Change } from './changes.ts'
import { type Committer, type Transaction, visitInSlices } from './commit.ts'
import { prepare } from './database.ts'
import { stricterFacts } from './merge.ts'
import { deviceFactsOf, type FactsRecord } from './record.ts'

/** How `upsert` takes a record: `given` adds its fields to what is held, `all` lets it stand for the whole device. */
export type UpsertMode = 'given' | 'all'

export interface FactsWriter {
  upsert(source: string, records: Iterable<FactsRecord>, mode: UpsertMode): Promise<readonly Change[]>
  /** Writes a full set. A set that is not `complete` removes nothing, neither devices nor names nor groups. */
  replace(source: string, records: Iterable<FactsRecord>, set: FullSet): Promise<Replaced>
  remove(user: string, deviceId: string, source: string | undefined): readonly Change[]
}

export interface FullSet {
  readonly complete: boolean
  /** Rows of this source written after this revision are newer than the set and are left alone. */
  readonly since: number
}

/** What a full set did to the rows of its source. */
export interface Replaced {
  readonly records: number
  readonly removed: number
  readonly changes: readonly Change[]
}

/** All that one batch of records says of one user. */
interface UserPart {
  readonly user: string
  aliases: Set<string> | undefined
  groups: Set<string> | undefined
  readonly devices: Map<string, DeviceFacts>
}

interface DeviceRow {
  readonly id: number
  readonly user: string
  readonly device_key: string
  readonly device_id: string
  readonly source: string
  readonly facts: string
  readonly revision: number
}

interface UserRow {
  readonly id: number
  readonly user: string
  readonly source: string
  readonly aliases: string
  readonly groups: string
  readonly revision: number
}

type Lists = (held: readonly string[], given: ReadonlySet<string> | undefined) => readonly string[]

/** Given lists replace the held ones. */
const listsOfUpsert: Lists = (held, given) => (given === undefined ? held : [...given])
/** A row that could not be read may have held more: nothing is taken away. */
const listsOfPartialSet: Lists = (held, given) => [...new Set([...held, ...(given ?? [])])]
const listsOfCompleteSet: Lists = (_held, given) => [...(given ?? [])]

interface WriteOptions {
  readonly mode: UpsertMode
  readonly lists: Lists
  /** True: a row whose fields stay the same gets a new `as_of`. */
  readonly confirm: boolean
  /** Rows with a higher revision are newer than what is written. */
  readonly since: number
}

/** Rows looked at in one step where a whole table is walked. */
const windowRows = 500

/** The writing side of device facts and users. Each row that changes writes its outbox row in the same transaction. */
export function createFactsWriter(
  database: DatabaseSync,
  committer: Committer,
  now: () => number,
): FactsWriter {
  const selectDevice = prepare<DeviceRow>(
    database,
    'SELECT * FROM device_facts WHERE user = ? AND device_key = ? AND device_id = ? AND source = ?',
  )
  const selectSpellings = prepare<DeviceRow>(
    database,
    'SELECT * FROM device_facts WHERE user = ? AND device_key = ?',
  )
  const selectDeviceWindow = prepare<DeviceRow>(
    database,
    `SELECT * FROM device_facts WHERE id > ? ORDER BY id LIMIT ${windowRows}`,
  )
  const insertDevice = database.prepare(
    'INSERT INTO device_facts (user, device_key, device_id, source, facts, as_of, revision) VALUES (?, ?, ?, ?, ?, ?, ?)',
  )
  const updateDevice = database.prepare(
    'UPDATE device_facts SET facts = ?, as_of = ?, revision = ? WHERE id = ?',
  )
  const confirmDevice = database.prepare('UPDATE device_facts SET as_of = ? WHERE id = ?')
  const deleteDevice = database.prepare('DELETE FROM device_facts WHERE id = ? AND revision = ?')
  const selectUser = prepare<UserRow>(database, 'SELECT * FROM users WHERE user = ? AND source = ?')
  const selectUserSources = prepare<UserRow>(database, 'SELECT * FROM users WHERE user = ?')
  const selectUserWindow = prepare<UserRow>(
    database,
    `SELECT * FROM users WHERE id > ? ORDER BY id LIMIT ${windowRows}`,
  )
  const upsertUser = database.prepare(
    `INSERT INTO users (user, source, aliases, groups, revision) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (user, source) DO UPDATE
     SET aliases = excluded.aliases, groups = excluded.groups, revision = excluded.revision`,
  )
  const deleteUser = database.prepare('DELETE FROM users WHERE id = ? AND revision = ?')
  const insertName = database.prepare('INSERT INTO user_names (name, user, source) VALUES (?, ?, ?)')
  const deleteName = database.prepare('DELETE FROM user_names WHERE name = ? AND user = ? AND source = ?')
  const insertOutbox = database.prepare(
    'INSERT INTO outbox (revision, at, kind, user, device_id, source, record) VALUES (?, ?, ?, ?, ?, ?, ?)',
  )

  /** Every name that leads to the user, by whatever source. */
  function namesOf(user: string): Set<string> {
    return new Set([user, ...selectUserSources.all(user).flatMap((row) => listOf(row.aliases))])
  }

  function writeUser(
    transaction: Transaction,
    source: string,
    { user, ...given }: UserPart,
    { lists, since }: WriteOptions,
  ): void {
    const row = selectUser.get(user, source)
    if (row !== undefined && row.revision > since) return
    const held = listOf(row?.aliases)
    const aliases = lists(held, given.aliases)
      .filter((alias) => alias !== user)
      .toSorted()
    const groups = lists(listOf(row?.groups), given.groups).toSorted()
    const [aliasText, groupText] = [JSON.stringify(aliases), JSON.stringify(groups)]
    if (row !== undefined && row.aliases === aliasText && row.groups === groupText) return
    const revision = transaction.nextRevision()
    const names = namesOf(user)
    upsertUser.run(user, source, aliasText, groupText, revision)
    const before = new Set(row === undefined ? [] : [user, ...held])
    const after = new Set([user, ...aliases])
    for (const name of before.difference(after)) deleteName.run(name, user, source)
    for (const name of after.difference(before)) insertName.run(name, user, source)
    insertOutbox.run(revision, now(), 'user', user, null, source, JSON.stringify({ aliases, groups }))
    transaction.changed({ kind: 'user', revision, user, names: [...names.union(after)] })
  }

  function writeDevice(
    transaction: Transaction,
    source: string,
    user: string,
    deviceId: string,
    given: DeviceFacts,
    { mode, confirm, since }: WriteOptions,
  ): void {
    const key = deviceKey(deviceId)
    const row = selectDevice.get(user, key, deviceId, source)
    if (row !== undefined && row.revision > since) return
    const held = row !== undefined && mode === 'given' ? factsOf(row.facts) : {}
    const facts = JSON.stringify(deviceFactsOf({ ...held, ...given }))
    if (row?.facts === facts) {
      if (confirm) confirmDevice.run(now(), row.id)
      return
    }
    const revision = transaction.nextRevision()
    if (row === undefined) insertDevice.run(user, key, deviceId, source, facts, now(), revision)
    else updateDevice.run(facts, now(), revision, row.id)
    insertOutbox.run(revision, now(), 'device', user, deviceId, source, facts)
    transaction.changed({ kind: 'device', revision, user, deviceKey: key })
  }

  /** Does nothing where the row was written again since it was read. */
  function removeDevice(transaction: Transaction, row: DeviceRow): void {
    if (deleteDevice.run(row.id, row.revision).changes === 0) return
    const revision = transaction.nextRevision()
    insertOutbox.run(revision, now(), 'device', row.user, row.device_id, row.source, null)
    transaction.changed({ kind: 'device', revision, user: row.user, deviceKey: row.device_key })
  }

  /** Does nothing where the row was written again since it was read. */
  function removeUser(transaction: Transaction, row: UserRow): void {
    const names = namesOf(row.user)
    if (deleteUser.run(row.id, row.revision).changes === 0) return
    const revision = transaction.nextRevision()
    for (const name of [row.user, ...listOf(row.aliases)]) deleteName.run(name, row.user, row.source)
    insertOutbox.run(revision, now(), 'user', row.user, null, row.source, null)
    transaction.changed({ kind: 'user', revision, user: row.user, names: [...names] })
  }

  function writeParts(
    source: string,
    parts: ReadonlyMap<string, UserPart>,
    options: WriteOptions,
  ): Promise<readonly Change[]> {
    return committer.commitInSlices(rowsOf(parts), ({ part, deviceId, facts }, transaction) => {
      if (deviceId === undefined) writeUser(transaction, source, part, options)
      else writeDevice(transaction, source, part.user, deviceId, facts, options)
    })
  }

  /** Removes what a complete set no longer lists. */
  async function removeUnlisted(
    source: string,
    listed: ReadonlyMap<string, UserPart>,
    since: number,
  ): Promise<readonly Change[]> {
    const devices = await committer.commitInSlices(walk(selectDeviceWindow), (row, transaction) => {
      const isListed = listed.get(row.user)?.devices.has(row.device_id) === true
      if (row.source === source && row.revision <= since && !isListed) removeDevice(transaction, row)
    })
    const users = await committer.commitInSlices(walk(selectUserWindow), (row, transaction) => {
      if (row.source === source && row.revision <= since && !listed.has(row.user))
        removeUser(transaction, row)
    })
    return [...devices, ...users]
  }

  return {
    async upsert(source, records, mode) {
      const parts = await gather(records)
      return writeParts(source, parts, { mode, lists: listsOfUpsert, confirm: true, since: Infinity })
    },

    async replace(source, records, { complete, since }) {
      const parts = await gather(records)
      // a complete set confirms all rows of its source at once, by its sync state
      const lists = complete ? listsOfCompleteSet : listsOfPartialSet
      const written = await writeParts(source, parts, { mode: 'all', lists, confirm: !complete, since })
      const removed = complete ? await removeUnlisted(source, parts, since) : []
      const devices = parts.values().reduce((sum, part) => sum + Math.max(part.devices.size, 1), 0)
      return { records: devices, removed: removed.length, changes: [...written, ...removed] }
    },

    remove(user, deviceId, source) {
      return committer.commit((transaction) => {
        for (const row of selectSpellings.all(user, deviceKey(deviceId))) {
          if (source === undefined || row.source === source) removeDevice(transaction, row)
        }
      })
    },
  }
}

/** Puts together what belongs to one user. Two records of one spelling leave the stricter value of each field. */
async function gather(records: Iterable<FactsRecord>): Promise<Map<string, UserPart>> {
  const parts = new Map<string, UserPart>()
  await visitInSlices(records, (record) => {
    const part = parts.get(record.user) ?? {
      user: record.user,
      aliases: undefined,
      groups: undefined,
      devices: new Map<string, DeviceFacts>(),
    }
    parts.set(record.user, part)
    if (record.aliases !== undefined) part.aliases = new Set([...(part.aliases ?? []), ...record.aliases])
    if (record.groups !== undefined) part.groups = new Set([...(part.groups ?? []), ...record.groups])
    if (record.deviceId === undefined) return
    const facts = deviceFactsOf(record)
    const held = part.devices.get(record.deviceId)
    part.devices.set(record.deviceId, held === undefined ? facts : stricterFacts(held, facts))
  })
  return parts
}

type PartRow =
  | { readonly part: UserPart; readonly deviceId?: undefined; readonly facts?: undefined }
  | { readonly part: UserPart; readonly deviceId: string; readonly facts: DeviceFacts }

/** The rows to write, one at a time, since one user may have thousands of devices. A user comes before its devices. */
function* rowsOf(parts: ReadonlyMap<string, UserPart>): Generator<PartRow> {
  for (const part of parts.values()) {
    yield { part }
    for (const [deviceId, facts] of part.devices) yield { part, deviceId, facts }
  }
}

/** Walks a table by rowid, a window at a time, so that no read stays open between two slices. */
function* walk<Row extends { readonly id: number }>(window: { all(after: number): Row[] }): Generator<Row> {
  let rows = window.all(0)
  while (rows.length > 0) {
    yield* rows
    rows = window.all(rows.at(-1)?.id ?? 0)
  }
}

function listOf(text: string | undefined): readonly string[] {
  return text === undefined ? [] : (JSON.parse(text) as readonly string[])
}

function factsOf(text: string): DeviceFacts {
  return JSON.parse(text) as DeviceFacts
}
