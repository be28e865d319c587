import type { DatabaseSync } from 'node:sqlite'
import { deviceKey } from '#eas/device-id.ts'
import type { Change } from './changes.ts'
import { type Committer, type Transaction, visitInSlices } from './commit.ts'
import { openForReading, prepare } from './database.ts'
import { proposedSchema } from './proposed-schema.ts'
import { createFactsReader, type FactsReader } from './read-facts.ts'
import { deviceFactsOf } from './record.ts'
import { createSourcePartsReader, type SourcePartsReader } from './source-parts.ts'
import { type DeviceRow, keysText, listOf, type RowWriter, type UserRow } from './write-rows.ts'

/** The directory as it would be, for who judges before anything is written. */
export interface ProposedFacts {
  /** Gives what the store would give. */
  readonly reader: FactsReader & SourcePartsReader & { readonly path: string }
  /** True where no device would get other facts. */
  readonly isEmpty: boolean
  /** The users of whom something would change, by each of their names. */
  readonly names: ReadonlySet<string>
  /** False for a pair whose facts would stay as they are. */
  concerns(pair: { readonly user: string; readonly deviceKey: string }): boolean
}

/** Takes what would be written: the writers of this room write here as they do into the store. */
export interface Proposal extends ProposedFacts {
  readonly database: DatabaseSync
  readonly committer: Committer
  readonly rows: RowWriter
  /** The source would be read completely. */
  setComplete(source: string): void
  close(): void
}

/**
 * Opens the store once more, for reading, with a place in memory for what would change. What the store gets meanwhile
 * is seen, too.
 *
 * @param sourceOrder every source that counts
 * @param at when it would be written, ms since the epoch
 */
export function openProposal(path: string, sourceOrder: readonly string[], at: number): Proposal {
  const database = openForReading(path)
  try {
    database.exec(proposedSchema)
    return createProposal(database, path, sourceOrder, at)
  } catch (error) {
    database.close()
    throw error
  }
}

function createProposal(
  database: DatabaseSync,
  path: string,
  sourceOrder: readonly string[],
  at: number,
): Proposal {
  const reader = {
    path,
    ...createFactsReader(database, sourceOrder),
    ...createSourcePartsReader(database, sourceOrder),
  }
  const putSync = database.prepare(
    'INSERT OR REPLACE INTO put_syncs (source, complete_at, confirmed_at) VALUES (:source, :at, :at)',
  )
  const wasComplete = reader.sourcesComplete()
  const users = new Set<string>()
  /** Those of the users, and those that lead to another user than before. */
  const names = new Set<string>()
  const deviceKeys = new Set<string>()
  let isWhole = false

  function note(change: Change): void {
    if (change.kind !== 'device' && change.kind !== 'user') return
    if (!users.has(change.user)) {
      users.add(change.user)
      // a pair may have been seen under a name that nobody had then
      for (const name of [change.user, ...reader.userFacts(change.user).aliases]) names.add(name)
    }
    if (change.kind === 'device') deviceKeys.add(change.deviceKey)
    else for (const name of change.names) names.add(name)
  }

  return {
    database,
    reader,
    rows: createProposedRows(database, at),
    committer: createProposingCommitter(note),
    setComplete(source) {
      putSync.run({ source, at })
      isWhole ||= reader.sourcesComplete() !== wasComplete
    },
    names,
    get isEmpty() {
      return names.size === 0 && !isWhole
    },
    concerns: ({ user, deviceKey: key }) => isWhole || names.has(user) || deviceKeys.has(key),
    close: () => database.close(),
  }
}

/** Runs writes in slices as the store's own committer does, and commits nothing. */
function createProposingCommitter(note: (change: Change) => void): Committer {
  const transaction: Transaction = { nextRevision: () => 0, changed: note }
  return {
    revision: 0,
    commit(work) {
      work(transaction)
      return []
    },
    async commitInSlices(items, write) {
      await visitInSlices(items, (item) => write(item, transaction))
      return []
    },
    close: () => undefined,
  }
}

/** Ids of new rows: far above those of the store. */
const firstNewId = 2 ** 48

/** Writes rows into the tables of `proposedSchema`. */
function createProposedRows(database: DatabaseSync, at: number): RowWriter {
  const selectDevice = prepare<DeviceRow>(
    database,
    'SELECT * FROM device_facts WHERE user = ? AND device_key = ? AND device_id = ? AND source = ?',
  )
  const goneDevice = database.prepare('INSERT OR IGNORE INTO gone_devices (id) VALUES (?)')
  const deletePut = database.prepare('DELETE FROM put_devices WHERE id = ?')
  const putDevice = database.prepare(
    `INSERT OR REPLACE INTO put_devices (id, user, device_key, device_id, source, facts, as_of, revision, other_keys)
     VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)`,
  )
  const deleteIds = database.prepare('DELETE FROM put_ids WHERE device = ?')
  const putId = database.prepare('INSERT INTO put_ids (user, key, device, rank) VALUES (?, ?, ?, ?)')
  const selectUser = prepare<UserRow>(database, 'SELECT * FROM users WHERE user = ? AND source = ?')
  const goneUser = database.prepare('INSERT OR IGNORE INTO gone_users (user, source) VALUES (?, ?)')
  const deleteUser = database.prepare('DELETE FROM put_users WHERE user = ? AND source = ?')
  const putUser = database.prepare(
    'INSERT INTO put_users (id, user, source, aliases, groups, revision) VALUES (?, ?, ?, ?, ?, 0)',
  )
  const deleteNames = database.prepare('DELETE FROM put_names WHERE user = ? AND source = ?')
  const putName = database.prepare('INSERT INTO put_names (name, user, source) VALUES (?, ?, ?)')
  let newId = firstNewId

  function dropDevice(id: number): void {
    goneDevice.run(id)
    deletePut.run(id)
    deleteIds.run(id)
  }

  function dropUser(user: string, source: string): void {
    goneUser.run(user, source)
    deleteUser.run(user, source)
    deleteNames.run(user, source)
  }

  return {
    deviceRow: (user, deviceId, source) => selectDevice.get(user, deviceKey(deviceId), deviceId, source),
    userRow: (user, source) => selectUser.get(user, source),

    putDevice(transaction, source, device, row) {
      const { user, deviceId, otherIds } = device
      const key = deviceKey(deviceId)
      const facts = JSON.stringify(deviceFactsOf(device.facts))
      const isHeld = row !== undefined && otherIds === undefined
      const otherKeys = isHeld ? row.other_keys : keysText(deviceId, otherIds ?? [])
      if (row?.facts === facts && row.other_keys === otherKeys) return row.id
      const id = row?.id ?? newId++
      dropDevice(id)
      putDevice.run(id, user, key, deviceId, source, facts, at, otherKeys)
      for (const [rank, otherKey] of listOf(otherKeys).entries()) putId.run(user, otherKey, id, rank)
      transaction.changed({ kind: 'device', revision: 0, user, deviceKey: key })
      return id
    },

    removeDevice(transaction, row) {
      dropDevice(row.id)
      transaction.changed({ kind: 'device', revision: 0, user: row.user, deviceKey: row.device_key })
      return true
    },

    putUser(transaction, source, user, row, lists) {
      const aliases = lists.aliases.filter((alias) => alias !== user).toSorted()
      const [aliasText, groupText] = [JSON.stringify(aliases), JSON.stringify(lists.groups.toSorted())]
      if (row !== undefined && row.aliases === aliasText && row.groups === groupText) return row.id
      const id = row?.id ?? newId++
      dropUser(user, source)
      putUser.run(id, user, source, aliasText, groupText)
      for (const name of new Set([user, ...aliases])) putName.run(name, user, source)
      const changed = [user, ...listOf(row?.aliases), ...aliases]
      transaction.changed({ kind: 'user', revision: 0, user, names: changed })
      return id
    },

    removeUser(transaction, row) {
      dropUser(row.user, row.source)
      const changed = [row.user, ...listOf(row.aliases)]
      transaction.changed({ kind: 'user', revision: 0, user: row.user, names: changed })
      return true
    },
  }
}
