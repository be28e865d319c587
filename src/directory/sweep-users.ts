import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Committer, Transaction } from './commit.ts'
import { prepare } from './database.ts'
import type { Sieve } from './reading-guard.ts'
import { createRowSet } from './row-set.ts'
import { listOf, type RowWriter, type UserLists, type UserRow } from './write-rows.ts'

/** What no page listed: users of the source, or members of the group on record. */
export interface UnlistedUsers {
  /** All that are on record, listed or not. */
  readonly known: number
  readonly count: number
  /** UPNs of the first of them. */
  readonly users: readonly string[]
}

/**
 * One reading of all users of a source, or of all members of one group, page by page. Who is listed is written at once;
 * who is not stays until the caller says that he is gone.
 */
export interface UserSweep<Entry> {
  /** Entries listed so far. */
  readonly listed: number
  add(page: readonly Entry[]): Promise<void>
  /** To be called after the last page; names the first `limit`. */
  unlisted(limit: number): Promise<UnlistedUsers>
  /** Removes one who was not listed: the user with names and groups, or the user from the group. */
  remove(user: string): void
}

/** A user as a source lists it. */
export interface ListedUser {
  /** UPN in lower case. */
  readonly user: string
  /** Every other name, lower case. */
  readonly aliases: readonly string[]
}

/** A user as the records of devices tell of it: in each of his the same, or a part of it. */
export interface DescribedUser extends ListedUser {
  /** Lower case. */
  readonly groups: readonly string[]
}

export interface UserSweeps {
  /** `groups`: those that the source is asked for; of others nothing is kept. */
  sweepUsers(source: string, groups: ReadonlySet<string>): UserSweep<ListedUser>
  /** For a source whose records of devices bring names and groups of their user along. */
  sweepDescribedUsers(source: string): UserSweep<DescribedUser>
  /** Members are UPNs in lower case. */
  sweepGroup(source: string, group: string): UserSweep<string>
  /** True where another source that counts has a user in the group. */
  hasGroupFromOthers(source: string, group: string): Promise<boolean>
}

/** Rows read in one go: about 1 ms. */
const windowRows = 500

const nothing: UserLists = { aliases: [], groups: [] }

export interface UserSweepsDeps {
  readonly rows: RowWriter
  readonly sieve: Sieve
  /** Every source that counts. */
  readonly sourceOrder: readonly string[]
}

export function createUserSweeps(
  database: DatabaseSync,
  committer: Committer,
  { rows, sieve, sourceOrder }: UserSweepsDeps,
): UserSweeps {
  const selectWindow = prepare<UserRow>(
    database,
    `SELECT * FROM users WHERE id > ? ORDER BY id LIMIT ${windowRows}`,
  )

  /** The whole table, a window at a time, so that no read stays open between two. */
  async function* windows(): AsyncGenerator<readonly UserRow[]> {
    let window = selectWindow.all(0)
    while (window.length > 0) {
      yield window
      await nextTurn()
      window = selectWindow.all(window.at(-1)?.id ?? 0)
    }
  }

  function sweep<Entry>(
    source: string,
    steps: {
      readonly userOf: (entry: Entry) => string
      /** What a listed user's row is to hold. */
      readonly listsOf: (entry: Entry, held: UserLists, isListed: boolean) => UserLists
      /** Whether a row is one that a page could list. */
      readonly counts: (row: UserRow) => boolean
      /** True: a row that was written while the pages came is newer than they are. */
      readonly sparesNewRows: boolean
      /** What is left of a row that is gone; undefined: nothing. */
      readonly leftOf: (held: UserLists) => UserLists | undefined
    },
  ): UserSweep<Entry> {
    const startedAtRevision = committer.revision
    const listed = createRowSet()

    function put(entry: Entry, transaction: Transaction, target: RowWriter): number {
      const user = steps.userOf(entry)
      const row = target.userRow(user, source)
      const isListed = row !== undefined && listed.has(row.id)
      const lists = steps.listsOf(entry, row === undefined ? nothing : heldLists(row), isListed)
      return target.putUser(transaction, source, user, row, lists)
    }

    /** What may not be written is listed all the same: its row stays as it is. */
    function listHeld(page: readonly Entry[], admitted: ReadonlySet<Entry>): void {
      for (const entry of page) {
        const row = admitted.has(entry) ? undefined : rows.userRow(steps.userOf(entry), source)
        if (row !== undefined) listed.add(row.id)
      }
    }

    return {
      get listed() {
        return listed.size
      },

      async add(page) {
        const { userOf } = steps
        const admitted = await sieve.sift(source, page, { userOf, write: put })
        listHeld(page, new Set(admitted))
        await committer.commitInSlices(admitted, (entry, transaction) =>
          listed.add(put(entry, transaction, rows)),
        )
      },

      async unlisted(limit) {
        const users: string[] = []
        let [known, count] = [0, 0]
        for await (const window of windows()) {
          for (const row of window) {
            if (row.source !== source || !steps.counts(row)) continue
            known++
            if (listed.has(row.id) || (steps.sparesNewRows && row.revision > startedAtRevision)) continue
            count++
            if (users.length < limit) users.push(row.user)
          }
        }
        return { known, count, users }
      },

      remove(user) {
        committer.commit((transaction) => {
          const row = rows.userRow(user, source)
          if (row === undefined) return
          const left = steps.leftOf(heldLists(row))
          if (left === undefined) rows.removeUser(transaction, row)
          else rows.putUser(transaction, source, user, row, left)
        })
      },
    }
  }

  return {
    sweepUsers: (source, groups) =>
      sweep<ListedUser>(source, {
        userOf: ({ user }) => user,
        listsOf: ({ aliases }, held) => ({ aliases, groups: held.groups.filter((name) => groups.has(name)) }),
        counts: () => true,
        sparesNewRows: true,
        leftOf: () => undefined,
      }),

    sweepDescribedUsers: (source) =>
      sweep<DescribedUser>(source, {
        userOf: ({ user }) => user,
        listsOf: ({ aliases, groups }, held, isListed) =>
          isListed
            ? { aliases: union(held.aliases, aliases), groups: union(held.groups, groups) }
            : { aliases, groups },
        counts: () => true,
        sparesNewRows: true,
        leftOf: () => undefined,
      }),

    sweepGroup: (source, group) => {
      const text = JSON.stringify(group)
      return sweep<string>(source, {
        userOf: (user) => user,
        listsOf: (_user, held) =>
          held.groups.includes(group) ? held : { ...held, groups: [...held.groups, group] },
        counts: (row) => row.groups.includes(text),
        // whatever was written of the user, it was not this membership
        sparesNewRows: false,
        leftOf: (held) => ({ ...held, groups: held.groups.filter((name) => name !== group) }),
      })
    },

    async hasGroupFromOthers(source, group) {
      const others = sourceOrder.filter((other) => other !== source)
      for await (const window of windows()) {
        const found = window.some((row) => others.includes(row.source) && listOf(row.groups).includes(group))
        if (found) return true
      }
      return false
    },
  }
}

function union(held: readonly string[], given: readonly string[]): readonly string[] {
  return [...new Set([...held, ...given])]
}

function heldLists(row: UserRow): UserLists {
  return { aliases: listOf(row.aliases), groups: listOf(row.groups) }
}
