import type { DatabaseSync } from 'node:sqlite'
import { deviceKey } from '#eas/device-id.ts'
import type { DeviceFacts } from '#policy/facts.ts'
import type { Change } from './changes.ts'
import { type Committer, type Transaction, visitInSlices } from './commit.ts'
import { prepare } from './database.ts'
import { stricterFacts } from './merge.ts'
import { deviceFactsOf, type FactsRecord } from './record.ts'
import { type DeviceRow, listOf, type RowWriter, type UserRow } from './write-rows.ts'

/** How `upsert` takes a record: `given` adds its fields to what is held, `all` lets it stand for the whole device. */
export type UpsertMode = 'given' | 'all'

export interface FactsWriter {
  /** @param asOf when the source said so, ms since the epoch; absent: now */
  upsert(
    source: string,
    records: Iterable<FactsRecord>,
    mode: UpsertMode,
    asOf?: number,
  ): Promise<readonly Change[]>
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

/** All that one batch of records says of one device. */
interface DevicePart {
  readonly facts: DeviceFacts
  readonly otherIds: readonly string[] | undefined
}

/** All that one batch of records says of one user. */
interface UserPart {
  readonly user: string
  aliases: Set<string> | undefined
  groups: Set<string> | undefined
  readonly devices: Map<string, DevicePart>
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
  /** When the source said so, ms since the epoch; absent: now. */
  readonly asOf?: number | undefined
}

/** Rows looked at in one step where a whole table is walked. */
const windowRows = 500

/** The writing side of device facts and users, for sources that give whole sets or single records. */
export function createFactsWriter(
  database: DatabaseSync,
  committer: Committer,
  rows: RowWriter,
): FactsWriter {
  const selectSpellings = prepare<DeviceRow>(
    database,
    'SELECT * FROM device_facts WHERE user = ? AND device_key = ?',
  )
  const selectDeviceWindow = prepare<DeviceRow>(
    database,
    `SELECT * FROM device_facts WHERE id > ? ORDER BY id LIMIT ${windowRows}`,
  )
  const selectUserWindow = prepare<UserRow>(
    database,
    `SELECT * FROM users WHERE id > ? ORDER BY id LIMIT ${windowRows}`,
  )

  function writeUser(
    transaction: Transaction,
    source: string,
    { user, ...given }: UserPart,
    { lists, since }: WriteOptions,
  ): void {
    const row = rows.userRow(user, source)
    if (row !== undefined && row.revision > since) return
    rows.putUser(transaction, source, user, row, {
      aliases: lists(listOf(row?.aliases), given.aliases),
      groups: lists(listOf(row?.groups), given.groups),
    })
  }

  function writeDevice(
    transaction: Transaction,
    source: string,
    user: string,
    deviceId: string,
    given: DevicePart,
    { mode, confirm, since, asOf }: WriteOptions,
  ): void {
    const row = rows.deviceRow(user, deviceId, source)
    if (row !== undefined && row.revision > since) return
    const held = row !== undefined && mode === 'given' ? factsOf(row.facts) : {}
    const facts = { ...held, ...given.facts }
    const otherIds = mode === 'given' ? given.otherIds : (given.otherIds ?? [])
    rows.putDevice(transaction, source, { user, deviceId, facts, otherIds, asOf }, row, confirm)
  }

  function writeParts(
    source: string,
    parts: ReadonlyMap<string, UserPart>,
    options: WriteOptions,
  ): Promise<readonly Change[]> {
    return committer.commitInSlices(rowsOf(parts), ({ part, deviceId, device }, transaction) => {
      if (deviceId === undefined) writeUser(transaction, source, part, options)
      else writeDevice(transaction, source, part.user, deviceId, device, options)
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
      if (row.source === source && row.revision <= since && !isListed) rows.removeDevice(transaction, row)
    })
    const users = await committer.commitInSlices(walk(selectUserWindow), (row, transaction) => {
      if (row.source === source && row.revision <= since && !listed.has(row.user))
        rows.removeUser(transaction, row)
    })
    return [...devices, ...users]
  }

  return {
    async upsert(source, records, mode, asOf) {
      const parts = await gather(records)
      return writeParts(source, parts, { mode, lists: listsOfUpsert, confirm: true, since: Infinity, asOf })
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
          if (source === undefined || row.source === source) rows.removeDevice(transaction, row)
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
      devices: new Map<string, DevicePart>(),
    }
    parts.set(record.user, part)
    if (record.aliases !== undefined) part.aliases = new Set([...(part.aliases ?? []), ...record.aliases])
    if (record.groups !== undefined) part.groups = new Set([...(part.groups ?? []), ...record.groups])
    if (record.deviceId === undefined) return
    const given: DevicePart = { facts: deviceFactsOf(record), otherIds: record.otherIds }
    const held = part.devices.get(record.deviceId)
    part.devices.set(record.deviceId, held === undefined ? given : stricterPart(held, given))
  })
  return parts
}

/** Of the other ids those that both records have: an id that only one has may be another device's. T-06 */
function stricterPart(held: DevicePart, given: DevicePart): DevicePart {
  const otherIds = held.otherIds?.filter((id) => given.otherIds?.includes(id) === true)
  return { facts: stricterFacts(held.facts, given.facts), otherIds }
}

type PartRow =
  | { readonly part: UserPart; readonly deviceId?: undefined; readonly device?: undefined }
  | { readonly part: UserPart; readonly deviceId: string; readonly device: DevicePart }

/** The rows to write, one at a time, since one user may have thousands of devices. A user comes before its devices. */
function* rowsOf(parts: ReadonlyMap<string, UserPart>): Generator<PartRow> {
  for (const part of parts.values()) {
    yield { part }
    for (const [deviceId, device] of part.devices) yield { part, deviceId, device }
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

function factsOf(text: string): DeviceFacts {
  return JSON.parse(text) as DeviceFacts
}
