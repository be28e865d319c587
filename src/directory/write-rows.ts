import type { DatabaseSync } from 'node:sqlite'
import { deviceKey } from '#eas/device-id.ts'
import type { DeviceFacts } from '#policy/facts.ts'
import type { Transaction } from './commit.ts'
import { prepare } from './database.ts'
import { linkKey } from './match.ts'
import { deviceFactsOf } from './record.ts'

/** A row of `device_facts`. */
export interface DeviceRow {
  readonly id: number
  readonly user: string
  readonly device_key: string
  readonly device_id: string
  readonly source: string
  readonly facts: string
  readonly revision: number
  /** JSON list of folded ids, best first; null for none. */
  readonly other_keys: string | null
  /** The source's own id of the record. */
  readonly record_id: string | null
  /** Since when full sets of the source no longer list it, although nothing else says that it is gone. */
  readonly missing_since: number | null
}

/** A row of `users`. */
export interface UserRow {
  readonly id: number
  readonly user: string
  readonly source: string
  readonly aliases: string
  readonly groups: string
  readonly revision: number
}

/** What a source says of one device. */
export interface GivenDevice {
  readonly user: string
  readonly deviceId: string
  readonly facts: DeviceFacts
  /** Absent: what is held stands. */
  readonly otherIds?: readonly string[] | undefined
  readonly recordId?: string
  /** When the source said so, ms since the epoch; absent: now. */
  readonly asOf?: number | undefined
}

/** Other names and groups of a user, as one source gives them. */
export interface UserLists {
  readonly aliases: readonly string[]
  readonly groups: readonly string[]
}

/** Writes single rows. Each row that changes writes its outbox row in the same transaction and tells of the change. */
export interface RowWriter {
  deviceRow(user: string, deviceId: string, source: string): DeviceRow | undefined
  userRow(user: string, source: string): UserRow | undefined
  /** Writes the facts as given in the place of the row's; the same facts again change nothing. Gives the row's id. */
  putDevice(
    transaction: Transaction,
    source: string,
    device: GivenDevice,
    row: DeviceRow | undefined,
    confirm: boolean,
  ): number
  /** Does nothing where the row was written again since it was read. True where it is gone now. */
  removeDevice(transaction: Transaction, row: Omit<DeviceRow, 'facts' | 'missing_since'>): boolean
  /** The same for names and groups. Gives the row's id. */
  putUser(
    transaction: Transaction,
    source: string,
    user: string,
    row: UserRow | undefined,
    lists: UserLists,
  ): number
  /** Does nothing where the row was written again since it was read. True where it is gone now. */
  removeUser(transaction: Transaction, row: UserRow): boolean
}

/** @param now ms since the epoch */
export function createRowWriter(database: DatabaseSync, now: () => number): RowWriter {
  const selectDevice = prepare<DeviceRow>(
    database,
    'SELECT * FROM device_facts WHERE user = ? AND device_key = ? AND device_id = ? AND source = ?',
  )
  const insertDevice = database.prepare(
    `INSERT INTO device_facts
       (user, device_key, device_id, source, facts, as_of, revision, other_keys, record_id)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const updateDevice = database.prepare(
    `UPDATE device_facts SET facts = ?, as_of = ?, revision = ?, other_keys = ?, record_id = ?, missing_since = NULL
     WHERE id = ?`,
  )
  const confirmDevice = database.prepare(
    'UPDATE device_facts SET as_of = ?, record_id = ?, missing_since = NULL WHERE id = ?',
  )
  const deleteDevice = database.prepare('DELETE FROM device_facts WHERE id = ? AND revision = ?')
  const insertId = database.prepare('INSERT INTO device_ids (user, key, device, rank) VALUES (?, ?, ?, ?)')
  const deleteId = database.prepare('DELETE FROM device_ids WHERE user = ? AND key = ? AND device = ?')
  const selectUser = prepare<UserRow>(database, 'SELECT * FROM users WHERE user = ? AND source = ?')
  const selectUserSources = prepare<UserRow>(database, 'SELECT * FROM users WHERE user = ?')
  const insertUser = database.prepare(
    'INSERT INTO users (user, source, aliases, groups, revision) VALUES (?, ?, ?, ?, ?)',
  )
  const updateUser = database.prepare('UPDATE users SET aliases = ?, groups = ?, revision = ? WHERE id = ?')
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

  function moveIds(user: string, device: number, before: readonly string[], after: readonly string[]): void {
    for (const key of before) deleteId.run(user, key, device)
    for (const [rank, key] of after.entries()) insertId.run(user, key, device, rank)
  }

  return {
    deviceRow: (user, deviceId, source) => selectDevice.get(user, deviceKey(deviceId), deviceId, source),
    userRow: (user, source) => selectUser.get(user, source),

    putDevice(transaction, source, device, row, confirm) {
      const { user, deviceId } = device
      const key = deviceKey(deviceId)
      const facts = JSON.stringify(deviceFactsOf(device.facts))
      const isHeld = row !== undefined && device.otherIds === undefined
      const otherKeys = isHeld ? row.other_keys : keysText(deviceId, device.otherIds ?? [])
      const recordId = device.recordId ?? null
      if (row?.facts === facts && row.other_keys === otherKeys) {
        if (confirm || row.record_id !== recordId || row.missing_since !== null) {
          confirmDevice.run(device.asOf ?? now(), recordId, row.id)
        }
        return row.id
      }
      const revision = transaction.nextRevision()
      const at = now()
      const asOf = device.asOf ?? at
      let id = row?.id
      if (id === undefined) {
        const inserted = insertDevice.run(
          user,
          key,
          deviceId,
          source,
          facts,
          asOf,
          revision,
          otherKeys,
          recordId,
        )
        id = Number(inserted.lastInsertRowid)
      } else updateDevice.run(facts, asOf, revision, otherKeys, recordId, id)
      const before = row?.other_keys ?? null
      if (before !== otherKeys) moveIds(user, id, listOf(before), listOf(otherKeys))
      insertOutbox.run(
        revision,
        at,
        'device',
        user,
        deviceId,
        source,
        outboxText(facts, device.otherIds ?? listOf(otherKeys)),
      )
      transaction.changed({ kind: 'device', revision, user, deviceKey: key })
      return id
    },

    removeDevice(transaction, row) {
      if (deleteDevice.run(row.id, row.revision).changes === 0) return false
      for (const key of listOf(row.other_keys)) deleteId.run(row.user, key, row.id)
      const revision = transaction.nextRevision()
      insertOutbox.run(revision, now(), 'device', row.user, row.device_id, row.source, null)
      transaction.changed({ kind: 'device', revision, user: row.user, deviceKey: row.device_key })
      return true
    },

    putUser(transaction, source, user, row, lists) {
      const aliases = lists.aliases.filter((alias) => alias !== user).toSorted()
      const groups = lists.groups.toSorted()
      const [aliasText, groupText] = [JSON.stringify(aliases), JSON.stringify(groups)]
      if (row !== undefined && row.aliases === aliasText && row.groups === groupText) return row.id
      const revision = transaction.nextRevision()
      const names = namesOf(user)
      let id = row?.id
      if (id === undefined) {
        id = Number(insertUser.run(user, source, aliasText, groupText, revision).lastInsertRowid)
      } else updateUser.run(aliasText, groupText, revision, id)
      const before = new Set(row === undefined ? [] : [user, ...listOf(row.aliases)])
      const after = new Set([user, ...aliases])
      for (const name of before.difference(after)) deleteName.run(name, user, source)
      for (const name of after.difference(before)) insertName.run(name, user, source)
      insertOutbox.run(revision, now(), 'user', user, null, source, JSON.stringify({ aliases, groups }))
      transaction.changed({ kind: 'user', revision, user, names: [...names.union(after)] })
      return id
    },

    removeUser(transaction, row) {
      const names = namesOf(row.user)
      if (deleteUser.run(row.id, row.revision).changes === 0) return false
      const revision = transaction.nextRevision()
      for (const name of [row.user, ...listOf(row.aliases)]) deleteName.run(name, row.user, row.source)
      insertOutbox.run(revision, now(), 'user', row.user, null, row.source, null)
      transaction.changed({ kind: 'user', revision, user: row.user, names: [...names] })
      return true
    },
  }
}

/** The texts of a JSON list; none for no list. */
export function listOf(text: string | null | undefined): readonly string[] {
  return text === null || text === undefined ? [] : (JSON.parse(text) as readonly string[])
}

/** What `other_keys` holds: the keys of the other ids; that of the id itself where it is found by no other way. */
export function keysText(deviceId: string, otherIds: readonly string[]): string | null {
  const own = linkKey(deviceId)
  const isOwnHidden = own !== deviceKey(deviceId)
  const others = otherIds.map(linkKey).filter((key) => key !== '' && key !== own)
  const keys = [...new Set(isOwnHidden && own !== '' ? [own, ...others] : others)]
  return keys.length === 0 ? null : JSON.stringify(keys)
}

/** The record as another node is told of it: the facts, and the other ids beside them. */
function outboxText(facts: string, otherIds: readonly string[]): string {
  if (otherIds.length === 0) return facts
  return `{"otherIds":${JSON.stringify(otherIds)}${facts === '{}' ? '' : ','}${facts.slice(1)}`
}
