import type { DatabaseSync } from 'node:sqlite'
import { prepare } from './database.ts'

/** What groups anybody is in. */
export interface GroupsReader {
  /** Every group that a configured source has a user in, lower case. Reads all users: not for the path of a request. */
  knownGroups(): ReadonlySet<string>
}

/** @param sourceOrder every source that counts */
export function createGroupsReader(database: DatabaseSync, sourceOrder: readonly string[]): GroupsReader {
  const select = prepare<{ name: string; source: string }>(
    database,
    'SELECT DISTINCT json_each.value AS name, source FROM users, json_each(users.groups)',
  )
  return {
    knownGroups: () =>
      new Set(
        select
          .all()
          .filter(({ source }) => sourceOrder.includes(source))
          .map(({ name }) => name),
      ),
  }
}
