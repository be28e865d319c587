import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { deviceKey } from '#eas/device-id.ts'
import type { Override } from '#policy/facts.ts'
import { createAuditInsert } from './audit.ts'
import type { Change } from './changes.ts'
import type { Committer, Transaction } from './commit.ts'
import { prepare } from './database.ts'
import { apiSource, type FactsReader } from './read-facts.ts'
import { overrideOf, type OverrideRow } from './read-overrides.ts'

/** The pair that an administrator speaks of; it need not be on record, nor have been seen. */
export interface OverridePair {
  /** The UPN; where no directory entry has the name, the first name of the login, lower case. */
  readonly user: string
  readonly deviceId: string
}

export interface OverrideWriter {
  /** Puts the word of `actor` in the place of what was said of the pair; the same word again changes nothing. */
  setOverride(pair: OverridePair, override: Override, actor: string): readonly Change[]
  /** Takes back what was said of the pair; gives nothing where nothing was. */
  removeOverride(pair: OverridePair, actor: string): readonly Change[]
}

/** Overrides removed in one transaction. */
const batchRows = 32

/** The writing side of overrides. Each word writes its outbox row and its audit event in the same transaction. */
export function createOverrideWriter(
  database: DatabaseSync,
  committer: Committer,
  reader: Pick<FactsReader, 'userFacts'>,
  now: () => number,
): OverrideWriter & {
  /** Removes overrides whose end is past; gives how many. */
  readonly removeEndedOverrides: () => Promise<number>
} {
  const select = prepare<OverrideRow>(database, 'SELECT * FROM overrides WHERE user = ? AND device_key = ?')
  const selectUsers = prepare<{ user: string }>(
    database,
    'SELECT DISTINCT user FROM user_names WHERE name = :name AND user <> :name',
  ) as unknown as { all(named: { name: string }): { user: string }[] }
  const selectEnded = prepare<OverrideRow>(
    database,
    `SELECT * FROM overrides WHERE until < ? ORDER BY until LIMIT ${batchRows}`,
  )
  const upsert = database.prepare(
    `INSERT INTO overrides (user, device_key, device_id, action, until, exclusive, note, actor, at, revision)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (user, device_key) DO UPDATE SET device_id = excluded.device_id, action = excluded.action,
       until = excluded.until, exclusive = excluded.exclusive, note = excluded.note, actor = excluded.actor,
       at = excluded.at, revision = excluded.revision`,
  )
  const deleteRow = database.prepare('DELETE FROM overrides WHERE id = ?')
  // the source of what an administrator says is the API; whoever follows the outbox folds the device id
  const insertOutbox = database.prepare(
    `INSERT INTO outbox (revision, at, kind, user, device_id, source, record)
     VALUES (?, ?, 'override', ?, ?, '${apiSource}', ?)`,
  )
  const insertEvent = createAuditInsert(database)

  /** What stands for the pair, also under names that are aliases of the user by now. */
  function rowsOfPair({ user, deviceId }: OverridePair): readonly OverrideRow[] {
    const key = deviceKey(deviceId)
    return [user, ...reader.userFacts(user).aliases].flatMap((name) => select.all(name, key))
  }

  function audit(what: 'set' | 'removed' | 'ended', actor: string, pair: OverridePair, said: Override): void {
    const { action, until, exclusive, note } = said
    insertEvent({
      at: now(),
      actor,
      event: `personal-${action}-${what}`,
      ...pair,
      detail: {
        note,
        ...(until === undefined ? undefined : { until: new Date(until).toISOString() }),
        ...(exclusive ? { exclusive } : undefined),
      },
    })
  }

  function remove(transaction: Transaction, row: OverrideRow): void {
    deleteRow.run(row.id)
    const revision = transaction.nextRevision()
    insertOutbox.run(revision, now(), row.user, row.device_id, null)
    tell(transaction, revision, row.user, row.device_key)
  }

  /** An override bears on whoever has the name, be it one user or two. */
  function tell(transaction: Transaction, revision: number, name: string, key: string): void {
    for (const user of [name, ...selectUsers.all({ name }).map((row) => row.user)]) {
      transaction.changed({ kind: 'override', revision, user, deviceKey: key })
    }
  }

  return {
    setOverride({ user, deviceId }, said, actor) {
      return committer.commit((transaction) => {
        const held = rowsOfPair({ user, deviceId })
        if (held.length === 1 && held.every((row) => row.user === user && isSame(overrideOf(row), said)))
          return
        for (const row of held) if (row.user !== user) remove(transaction, row)
        const { action, until, exclusive, note } = said
        const [key, at] = [deviceKey(deviceId), now()]
        const revision = transaction.nextRevision()
        upsert.run(user, key, deviceId, action, until ?? null, Number(exclusive), note, actor, at, revision)
        insertOutbox.run(revision, at, user, deviceId, JSON.stringify({ ...said, actor, at }))
        audit('set', actor, { user, deviceId }, said)
        tell(transaction, revision, user, key)
      })
    },

    removeOverride(pair, actor) {
      return committer.commit((transaction) => {
        for (const row of rowsOfPair(pair)) {
          remove(transaction, row)
          audit('removed', actor, { user: pair.user, deviceId: row.device_id }, overrideOf(row))
        }
      })
    },

    async removeEndedOverrides() {
      for (let removed = 0; ;) {
        const ended = selectEnded.all(now())
        if (ended.length === 0) return removed
        committer.commit((transaction) => {
          for (const row of ended) {
            remove(transaction, row)
            audit('ended', 'easgate', { user: row.user, deviceId: row.device_id }, overrideOf(row))
          }
        })
        removed += ended.length
        await nextTurn()
      }
    },
  }
}

function isSame(a: Override, b: Override): boolean {
  return a.action === b.action && a.until === b.until && a.exclusive === b.exclusive && a.note === b.note
}
