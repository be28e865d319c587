import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { deviceKey } from '#eas/device-id.ts'
import type { DeviceInformation } from '#eas/device-information.ts'
import type { Action, Reason } from '#policy/reasons.ts'
import type { Override } from '#policy/facts.ts'
import { prepare } from './database.ts'
import { DirectoryError } from './errors.ts'
import { type DeviceRecord, type MergedDevice, mergeDevice } from './merge.ts'
import type { FactsReader } from './read-facts.ts'
import { createOverrideReader, overrideOf, rowInForce } from './read-overrides.ts'
import type { Seen } from './write-sightings.ts'

/** What was seen of a pair. Times are ms since the epoch. */
export interface SeenDevice extends Seen {
  readonly action: Action
  readonly reason: Reason
  readonly platform: string
  readonly firstAt: number
  readonly lastAt: number
  readonly allowedAt?: number
  readonly provisionAskedAt?: number
  /** Since when our own compliance policies find the device wanting. */
  readonly noncompliantSince?: number
  readonly information?: DeviceInformation
  /** When it was taken from an inventory of Exchange, whose word the rest is until the pair comes by itself. */
  readonly importedAt?: number
}

/** An administrator's word on a pair, with who said it and when (ms since the epoch). */
export interface OverrideRecord extends Override {
  readonly actor: string
  readonly at: number
}

/** One pair of the inventory: on record, seen, or spoken of by an administrator. */
export interface DeviceEntry {
  readonly user: string
  /** As the client spells it; where it was never seen, as the first source does, else as the administrator did. */
  readonly deviceId: string
  readonly deviceKey: string
  readonly groups: readonly string[]
  /** What the decision sees; absent where no configured source has the device. */
  readonly facts?: MergedDevice
  /** What each configured source says. */
  readonly records: readonly DeviceRecord[]
  readonly seen?: SeenDevice
  readonly override?: OverrideRecord
}

/** Filters of the inventory; all that are given must match. */
export interface DeviceQuery {
  /** The action that the pair met last. */
  readonly state?: string
  readonly reason?: string
  /** On record, or else as seen; without case. */
  readonly platform?: string
  readonly group?: string
  /** `any`: allowed or blocked by an administrator. */
  readonly override?: 'allow' | 'block' | 'any'
  /** Any name of the user. */
  readonly user?: string
  /** `next` of the page before. */
  readonly cursor?: string
  /** Default 100. */
  readonly limit?: number
}

export interface DevicePage {
  readonly devices: readonly DeviceEntry[]
  /** Absent on the last page. */
  readonly next?: string
}

/** How many pairs met which action last. */
export interface DeviceCount {
  readonly state: Action
  readonly platform: string
  readonly devices: number
}

export interface DeviceLister {
  /** One page of the inventory, by user and device. Reads in slices. @throws {DirectoryError} CURSOR_INVALID */
  devices(query: DeviceQuery): Promise<DevicePage>
  /** @param user any name of the user */
  device(user: string, deviceId: string): DeviceEntry | undefined
  deviceCounts(): Promise<readonly DeviceCount[]>
}

interface Pair {
  readonly user: string
  readonly device_key: string
}

interface SightingRow extends Pair {
  readonly id: number
  readonly device_id: string
  readonly action: string
  readonly reason: string
  readonly platform: string
  readonly seen: string
  readonly information: string | null
  readonly first_at: number
  readonly last_at: number
  readonly allowed_at: number | null
  readonly provision_asked_at: number | null
  readonly noncompliant_since: number | null
  readonly imported_at: number | null
}

/** Pairs read in one go: about 2 ms. */
const windowPairs = 50

/** Sorts after every name. */
const lastUser = '\u{10ffff}'

export function createDeviceLister(
  database: DatabaseSync,
  reader: FactsReader,
  sourceOrder: readonly string[],
): DeviceLister {
  const selectPairs = preparePairs(database, ['device_facts', 'sightings', 'overrides'])
  // few pairs have one, and a walk through all to find them would take its time
  const selectOverriddenPairs = preparePairs(database, ['overrides'])
  const selectSighting = prepare<SightingRow>(
    database,
    'SELECT * FROM sightings WHERE user = ? AND device_key = ?',
  )
  const selectSeenWindow = prepare<Pick<SightingRow, 'id' | 'action' | 'platform'>>(
    database,
    'SELECT id, action, platform FROM sightings WHERE id > ? ORDER BY id LIMIT 1000',
  )

  const overrides = createOverrideReader(database)

  function entry({ user, device_key: key }: Pair): DeviceEntry | undefined {
    const records = reader
      .deviceRecords(user, key)
      .toSorted((a, b) => sourceOrder.indexOf(a.source) - sourceOrder.indexOf(b.source))
    const sighting = selectSighting.get(user, key)
    const { value, aliases } = reader.userFacts(user)
    const override = rowInForce(overrides.rows(user, aliases, key), key)
    const deviceId = sighting?.device_id ?? records[0]?.deviceId ?? override?.device_id
    if (deviceId === undefined) return undefined
    const facts = mergeDevice(records, sourceOrder)
    return {
      user,
      deviceId,
      deviceKey: key,
      groups: value.groups,
      records,
      ...(facts === undefined ? undefined : { facts }),
      ...(sighting === undefined ? undefined : { seen: seenDevice(sighting) }),
      ...(override && { override: { ...overrideOf(override), actor: override.actor, at: override.at } }),
    }
  }

  const userOf = (name: string): string => reader.resolve(name.toLowerCase()) ?? name.toLowerCase()

  return {
    async devices(query) {
      const limit = query.limit ?? 100
      const wanted = query.user === undefined ? undefined : userOf(query.user)
      const end = wanted ?? lastUser
      let at = query.cursor === undefined ? { user: wanted ?? '', device_key: '' } : pairOf(query.cursor)
      const devices: DeviceEntry[] = []
      const select = query.override === undefined ? selectPairs : selectOverriddenPairs
      for (;;) {
        const pairs = select.all({ user: at.user, key: at.device_key, end })
        for (const pair of pairs) {
          at = pair
          const found = entry(pair)
          if (found !== undefined && matches(found, query)) devices.push(found)
          if (devices.length === limit) return { devices, next: cursorOf(at) }
        }
        if (pairs.length < windowPairs) return { devices }
        await nextTurn()
      }
    },

    device: (user, deviceId) => entry({ user: userOf(user), device_key: deviceKey(deviceId) }),

    async deviceCounts() {
      const counts = new Map<string, DeviceCount>()
      for (
        let rows = selectSeenWindow.all(0);
        rows.length > 0;
        rows = selectSeenWindow.all(rows.at(-1)?.id ?? 0)
      ) {
        for (const row of rows) {
          const key = JSON.stringify([row.action, row.platform])
          const devices = (counts.get(key)?.devices ?? 0) + 1
          counts.set(key, { state: row.action as Action, platform: row.platform, devices })
        }
        await nextTurn()
      }
      return [...counts.values()]
    },
  }
}

/** The pairs of some tables, by user and device, a window at a time. */
function preparePairs(database: DatabaseSync, tables: readonly string[]) {
  const ofTables = tables.map(
    (table) =>
      `SELECT user, device_key FROM ${table} WHERE (user, device_key) > (:user, :key) AND user <= :end`,
  )
  return prepare<Pair>(
    database,
    `${ofTables.join(' UNION ')} ORDER BY user, device_key LIMIT ${windowPairs}`,
  ) as unknown as { all(range: { user: string; key: string; end: string }): Pair[] }
}

function matches(device: DeviceEntry, query: DeviceQuery): boolean {
  const platform = device.facts?.platform ?? device.seen?.platform
  return (
    (query.state === undefined || device.seen?.action === query.state) &&
    (query.reason === undefined || device.seen?.reason === query.reason) &&
    (query.platform === undefined || platform?.toLowerCase() === query.platform.toLowerCase()) &&
    (query.group === undefined || device.groups.includes(query.group.toLowerCase())) &&
    (query.override === undefined || query.override === 'any' || device.override?.action === query.override)
  )
}

function seenDevice(row: SightingRow): SeenDevice {
  return {
    ...(JSON.parse(row.seen) as Seen),
    action: row.action as Action,
    reason: row.reason as Reason,
    platform: row.platform,
    firstAt: row.first_at,
    lastAt: row.last_at,
    ...(row.allowed_at === null ? undefined : { allowedAt: row.allowed_at }),
    ...(row.provision_asked_at === null ? undefined : { provisionAskedAt: row.provision_asked_at }),
    ...(row.noncompliant_since === null ? undefined : { noncompliantSince: row.noncompliant_since }),
    ...(row.information === null
      ? undefined
      : { information: JSON.parse(row.information) as DeviceInformation }),
    ...(row.imported_at === null ? undefined : { importedAt: row.imported_at }),
  }
}

function cursorOf(pair: Pair): string {
  return Buffer.from(JSON.stringify([pair.user, pair.device_key])).toString('base64url')
}

function pairOf(cursor: string): Pair {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (Array.isArray(parts)) {
      const [user, key, ...rest] = parts as unknown[]
      if (typeof user === 'string' && typeof key === 'string' && rest.length === 0)
        return { user, device_key: key }
    }
  } catch {
    // not JSON: the same fault
  }
  throw new DirectoryError('CURSOR_INVALID', 'the cursor is not one that this store gave')
}
