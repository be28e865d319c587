import type { DatabaseSync } from 'node:sqlite'
import type { DeviceInformation } from '#eas/device-information.ts'
import type { DeviceFacts, OtherDevice, PairHistory, UserFacts } from '#policy/facts.ts'
import type { Action, Reason } from '#policy/reasons.ts'
import { prepare } from './database.ts'
import { linkKey, matchRecords } from './match.ts'
import { type DeviceRecord, type MergedDevice, mergeDevice } from './merge.ts'
import { createOverrideReader, type PairOverrides } from './read-overrides.ts'

/** A value and the highest store revision that was read for it. */
export interface Revised<T> {
  readonly value: T
  readonly revision: number
}

/** A user, with the other names that lead to it. */
export interface RevisedUser extends Revised<UserFacts> {
  readonly aliases: readonly string[]
}

/** What a pair was answered, and why. */
export interface LastAnswer {
  readonly action: Action
  readonly reason: Reason
}

/** What was seen of a pair, and of the user's other devices. */
export interface UserHistory {
  /** Absent where the pair was never seen. */
  readonly pair?: PairHistory
  /** What the pair was answered when it was last seen. */
  readonly lastAnswer?: LastAnswer
  /** Those that were served mail, oldest first, at most 100. */
  readonly otherDevices: readonly OtherDevice[]
  /** Highest store revision among them. */
  readonly revision: number
}

/** What the store says of users and devices, merged over the configured sources. Each call is synchronous. */
export interface FactsReader {
  /** The one user that a name (lower case) leads to; undefined where it leads to none or to several. T-17 */
  resolve(name: string): string | undefined
  userFacts(user: string): RevisedUser
  /** Undefined where no configured source has the device under this user, by this id or by another of its ids. */
  deviceFacts(user: string, deviceKey: string): Revised<MergedDevice> | undefined
  /** What each configured source says of the device under this user: that of which `deviceFacts` is made. */
  deviceRecords(user: string, deviceKey: string): readonly DeviceRecord[]
  /** True where the id is on record under a user other than `user`. */
  hasOtherOwner(deviceKey: string, user: string | undefined): boolean
  hasEnrolledDevice(user: string): boolean
  history(user: string, deviceKey: string | undefined): UserHistory
  /** What administrators said of the pair, and which other devices of the user they allowed alone. */
  overrides(user: string, aliases: readonly string[], deviceKey: string | undefined): PairOverrides
  /** Every name under which there are overrides now. */
  overriddenNames(): readonly string[]
  /** Every configured source was read completely at least once. */
  sourcesComplete(): boolean
}

/** A row of `device_facts` as it takes part in a merge. */
export interface DeviceFactsRow {
  readonly user: string
  readonly device_key: string
  readonly device_id: string
  readonly source: string
  readonly facts: string
  readonly as_of: number
  readonly revision: number
}

/**
 * Columns of a `DeviceFactsRow`. A row was last confirmed when it was written, or when a complete set of its source
 * was read: such a set leaves no row that it did not list, but for those that it marks as missing.
 */
export const deviceColumns = `device_facts.user, device_key, device_id, source, facts, revision,
  CASE WHEN missing_since IS NULL
    THEN max(as_of, coalesce((SELECT confirmed_at FROM sync_state WHERE sync_state.source = device_facts.source), 0))
    ELSE as_of END AS as_of`

interface LinkedRow extends DeviceFactsRow {
  readonly rank: number
}

/** The record that a row holds. */
export function deviceRecord(row: DeviceFactsRow): DeviceRecord {
  return {
    deviceId: row.device_id,
    source: row.source,
    facts: JSON.parse(row.facts) as DeviceFacts,
    asOf: row.as_of,
  }
}

function linkedRecord(row: LinkedRow) {
  return { ...deviceRecord(row), rank: row.rank }
}

/** @param sourceOrder every source that counts, first the one that goes before all */
export function createFactsReader(database: DatabaseSync, sourceOrder: readonly string[]): FactsReader {
  const selectName = prepare<{ user: string; source: string }>(
    database,
    'SELECT user, source FROM user_names WHERE name = ?',
  )
  const selectUser = prepare<{ source: string; aliases: string; groups: string; revision: number }>(
    database,
    'SELECT source, aliases, groups, revision FROM users WHERE user = ? ORDER BY source',
  )
  const selectDevice = prepare<DeviceFactsRow>(
    database,
    `SELECT ${deviceColumns} FROM device_facts WHERE user = ? AND device_key = ? ORDER BY device_id, source`,
  )
  // two steps, since most devices end with the first
  const selectLinks = prepare<{ device: number; rank: number }>(
    database,
    'SELECT device, rank FROM device_ids WHERE user = ? AND key = ? ORDER BY rank, device',
  )
  const selectById = prepare<DeviceFactsRow>(
    database,
    `SELECT ${deviceColumns} FROM device_facts WHERE id = ?`,
  )
  const selectDevices = prepare<DeviceFactsRow>(
    database,
    `SELECT ${deviceColumns} FROM device_facts WHERE user = ? ORDER BY device_key, device_id, source`,
  )
  const selectOwners = prepare<{ source: string }>(
    database,
    'SELECT source FROM device_facts WHERE device_key = ? AND user <> ?',
  )
  const selectSeen = prepare<SeenRow>(
    database,
    `SELECT device_key, action, reason, first_at, last_at, allowed_at, imported_at, provision_asked_at,
       noncompliant_since, refused_since, revision, iif(device_key = ?2, information, NULL) AS information
     FROM sightings WHERE user = ?1 AND (device_key = ?2 OR allowed_at IS NOT NULL)`,
  )
  const selectOverridden = prepare<{ user: string }>(database, 'SELECT DISTINCT user FROM overrides')
  const selectSync = prepare<{ complete_at: number | null }>(
    database,
    'SELECT complete_at FROM sync_state WHERE source = ?',
  )
  const isConfigured = (row: { readonly source: string }): boolean => sourceOrder.includes(row.source)

  function resolve(name: string): string | undefined {
    const users = new Set(
      selectName
        .all(name)
        .filter(isConfigured)
        .map((row) => row.user),
    )
    return users.size === 1 ? users.values().next().value : undefined
  }

  function linkedRows(user: string, key: string): LinkedRow[] {
    return selectLinks
      .all(user, key)
      .flatMap(({ device, rank }) => selectById.all(device).map((row) => ({ ...row, rank })))
  }

  /** What stands for the device: under its own key, under that without hyphens, or as another id of a record. */
  function recordsOf(user: string, deviceKey: string): Revised<readonly DeviceRecord[]> {
    const linkedKey = linkKey(deviceKey)
    const direct = selectDevice.all(user, deviceKey)
    if (linkedKey !== deviceKey) direct.push(...selectDevice.all(user, linkedKey))
    const linked = linkedRows(user, linkedKey)
    const value = matchRecords(direct.map(deviceRecord), linked.map(linkedRecord), deviceKey)
    return { value, revision: highest([...direct, ...linked]) }
  }

  return {
    resolve,

    userFacts(user) {
      const rows = selectUser.all(user).filter(isConfigured)
      const groups = listOfAll(rows.map((row) => row.groups))
      const aliases = listOfAll(rows.map((row) => row.aliases))
      return { value: { user, groups }, aliases, revision: highest(rows) }
    },

    deviceFacts(user, deviceKey) {
      const records = recordsOf(user, deviceKey)
      const value = mergeDevice(records.value, sourceOrder)
      return value === undefined ? undefined : { value, revision: records.revision }
    },

    deviceRecords: (user, deviceKey) => recordsOf(user, deviceKey).value.filter(isConfigured),

    hasOtherOwner(deviceKey, user) {
      for (const row of selectOwners.iterate(deviceKey, user ?? '')) if (isConfigured(row)) return true
      return false
    },

    hasEnrolledDevice(user) {
      // stops at the first enrolled device: an enrolment account may hold thousands
      let device: DeviceFactsRow[] = []
      for (const row of selectDevices.iterate(user)) {
        if (row.device_key === device[0]?.device_key) device.push(row)
        else if (isEnrolled(device, sourceOrder)) return true
        else device = [row]
      }
      return isEnrolled(device, sourceOrder)
    },

    history(user, deviceKey) {
      // one statement for the pair and the other devices: each costs more than the few rows that it gives
      const rows = selectSeen.all(user, deviceKey ?? null)
      const own = rows.find((row) => row.device_key === deviceKey)
      return {
        ...(own === undefined ? undefined : { pair: pairHistory(own), lastAnswer: lastAnswer(own) }),
        otherDevices: rows
          .filter((row) => row !== own)
          .map((row) => ({ firstSeenAt: row.first_at, lastSeenAt: row.last_at }))
          .toSorted((a, b) => a.firstSeenAt - b.firstSeenAt || a.lastSeenAt - b.lastSeenAt),
        revision: highest(rows),
      }
    },

    overrides: createOverrideReader(database).overrides,
    overriddenNames: () => selectOverridden.all().map(({ user }) => user),

    sourcesComplete() {
      return sourceOrder.every((source) => {
        return source === apiSource || typeof selectSync.get(source)?.complete_at === 'number'
      })
    },
  }
}

/** The user of the first name that leads to one. */
export function resolveFirst(
  reader: Pick<FactsReader, 'resolve'>,
  names: readonly string[],
): string | undefined {
  for (const name of names) {
    const user = reader.resolve(name)
    if (user !== undefined) return user
  }
  return undefined
}

/** The source of what is pushed over the admin API. It always goes first and has no full set to wait for. */
export const apiSource = 'api'

/** A row of `sightings`; of other devices without what they said of themselves. */
interface SeenRow {
  readonly device_key: string
  readonly action: string
  readonly reason: string
  readonly first_at: number
  readonly last_at: number
  readonly allowed_at: number | null
  readonly imported_at: number | null
  readonly provision_asked_at: number | null
  readonly noncompliant_since: number | null
  readonly refused_since: number | null
  readonly information: string | null
  readonly revision: number
}

function lastAnswer({ action, reason }: SeenRow): LastAnswer {
  return { action: action as Action, reason: reason as Reason }
}

function pairHistory(row: SeenRow): PairHistory {
  const {
    provision_asked_at: askedAt,
    noncompliant_since: since,
    refused_since: refusedSince,
    information,
  } = row
  return {
    allowedBefore: row.allowed_at !== null || row.imported_at !== null,
    firstSeenAt: row.first_at,
    ...(askedAt === null ? undefined : { provisionAskedAt: askedAt }),
    ...(since === null ? undefined : { noncompliantSince: since }),
    ...(refusedSince === null ? undefined : { refusedSince }),
    ...(information === null ? undefined : { information: JSON.parse(information) as DeviceInformation }),
  }
}

function isEnrolled(rows: readonly DeviceFactsRow[], sourceOrder: readonly string[]): boolean {
  return mergeDevice(rows.map(deviceRecord), sourceOrder)?.enrolled === true
}

/** What stands in any of the JSON lists, each text once. */
function listOfAll(lists: readonly string[]): readonly string[] {
  const [only, ...others] = lists
  if (only !== undefined && others.length === 0) return JSON.parse(only) as readonly string[]
  return [...new Set(lists.flatMap((list) => JSON.parse(list) as readonly string[]))]
}

function highest(rows: readonly { readonly revision: number }[]): number {
  return rows.reduce((revision, row) => Math.max(revision, row.revision), 0)
}
