import type { DatabaseSync } from 'node:sqlite'
import type { DeviceInformation } from '#eas/device-information.ts'
import type { DeviceFacts, PairHistory, UserFacts } from '#policy/facts.ts'
import { prepare } from './database.ts'
import { type DeviceRecord, type MergedDevice, mergeDevice } from './merge.ts'

/** A value and the highest store revision that was read for it. */
export interface Revised<T> {
  readonly value: T
  readonly revision: number
}

/** What the store says of users and devices, merged over the configured sources. Each call is synchronous. */
export interface FactsReader {
  /** The one user that a name (lower case) leads to; undefined where it leads to none or to several. T-17 */
  resolve(name: string): string | undefined
  userFacts(user: string): Revised<UserFacts>
  /** Undefined where no configured source has the device under this user. */
  deviceFacts(user: string, deviceKey: string): Revised<MergedDevice> | undefined
  /** True where the id is on record under a user other than `user`. */
  hasOtherOwner(deviceKey: string, user: string | undefined): boolean
  hasEnrolledDevice(user: string): boolean
  history(user: string, deviceKey: string): Revised<PairHistory> | undefined
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
 * was read: such a set leaves no row that it did not list.
 */
export const deviceColumns = `user, device_key, device_id, source, facts, revision,
  max(as_of, coalesce((SELECT confirmed_at FROM sync_state WHERE sync_state.source = device_facts.source), 0)) AS as_of`

/** The record that a row holds. */
export function deviceRecord(row: DeviceFactsRow): DeviceRecord {
  return {
    deviceId: row.device_id,
    source: row.source,
    facts: JSON.parse(row.facts) as DeviceFacts,
    asOf: row.as_of,
  }
}

/** @param sourceOrder every source that counts, first the one that goes before all */
export function createFactsReader(database: DatabaseSync, sourceOrder: readonly string[]): FactsReader {
  const selectName = prepare<{ user: string; source: string }>(
    database,
    'SELECT user, source FROM user_names WHERE name = ?',
  )
  const selectUser = prepare<{ source: string; groups: string; revision: number }>(
    database,
    'SELECT source, groups, revision FROM users WHERE user = ? ORDER BY source',
  )
  const selectDevice = prepare<DeviceFactsRow>(
    database,
    `SELECT ${deviceColumns} FROM device_facts WHERE user = ? AND device_key = ? ORDER BY device_id, source`,
  )
  const selectDevices = prepare<DeviceFactsRow>(
    database,
    `SELECT ${deviceColumns} FROM device_facts WHERE user = ? ORDER BY device_key, device_id, source`,
  )
  const selectOwners = prepare<{ source: string }>(
    database,
    'SELECT source FROM device_facts WHERE device_key = ? AND user <> ?',
  )
  const selectHistory = prepare<{
    allowed_at: number | null
    provision_asked_at: number | null
    information: string | null
    revision: number
  }>(
    database,
    'SELECT allowed_at, provision_asked_at, information, revision FROM sightings WHERE user = ? AND device_key = ?',
  )
  const selectSync = prepare<{ complete_at: number | null }>(
    database,
    'SELECT complete_at FROM sync_state WHERE source = ?',
  )
  const isConfigured = (row: { readonly source: string }): boolean => sourceOrder.includes(row.source)

  return {
    resolve(name) {
      const users = new Set(
        selectName
          .all(name)
          .filter(isConfigured)
          .map((row) => row.user),
      )
      return users.size === 1 ? users.values().next().value : undefined
    },

    userFacts(user) {
      const rows = selectUser.all(user).filter(isConfigured)
      const groups = new Set(rows.flatMap((row) => JSON.parse(row.groups) as readonly string[]))
      return { value: { user, groups: [...groups] }, revision: highest(rows) }
    },

    deviceFacts(user, deviceKey) {
      const rows = selectDevice.all(user, deviceKey)
      const value = mergeDevice(rows.map(deviceRecord), sourceOrder)
      return value === undefined ? undefined : { value, revision: highest(rows) }
    },

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
      const row = selectHistory.get(user, deviceKey)
      if (row === undefined) return undefined
      const { allowed_at: allowedAt, provision_asked_at: askedAt, information, revision } = row
      const value: PairHistory = {
        allowedBefore: allowedAt !== null,
        ...(askedAt === null ? undefined : { provisionAskedAt: askedAt }),
        ...(information === null ? undefined : { information: JSON.parse(information) as DeviceInformation }),
      }
      return { value, revision }
    },

    sourcesComplete() {
      return sourceOrder.every((source) => {
        return source === apiSource || typeof selectSync.get(source)?.complete_at === 'number'
      })
    },
  }
}

/** The source of what is pushed over the admin API. It always goes first and has no full set to wait for. */
export const apiSource = 'api'

function isEnrolled(rows: readonly DeviceFactsRow[], sourceOrder: readonly string[]): boolean {
  return mergeDevice(rows.map(deviceRecord), sourceOrder)?.enrolled === true
}

function highest(rows: readonly { readonly revision: number }[]): number {
  return rows.reduce((revision, row) => Math.max(revision, row.revision), 0)
}
