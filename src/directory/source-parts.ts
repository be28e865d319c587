import type { DatabaseSync } from 'node:sqlite'
import type { Committer, Transaction } from './commit.ts'
import { prepare } from './database.ts'

/** A part of a source that is read by itself. A source whose parts were all read completely is complete. */
export type SourcePart = 'devices' | 'users'

/** What is known of the parts of sources that are not read in one piece. */
export interface SourcePartsReader {
  /** Groups that a configured source is asked for and never read completely, in lower case. */
  unreadGroups(): readonly string[]
}

export interface SourcePartsWriter {
  /** When the part was last read completely, ms since the epoch; undefined: never. */
  partCompleteAt(source: string, part: SourcePart): number | undefined
  setPartComplete(source: string, part: SourcePart): void
  /**
   * Says which groups a source is to read, in lower case. A group that it was not asked for before counts as unread
   * until it is read; of one that it is no longer asked for nothing is remembered.
   */
  setGroups(source: string, groups: readonly string[]): void
  /** When the group was last read completely, ms since the epoch; undefined: never. */
  groupReadAt(source: string, group: string): number | undefined
  /** The group was read completely. Groups that the source is not asked for are passed over. */
  setGroupRead(source: string, group: string): void
}

/** A sync state is of the source as a whole, so these stand in a table of their own: `group:NAME`, or the part. */
const groupPrefix = 'group:'

export function createSourcePartsReader(
  database: DatabaseSync,
  sourceOrder: readonly string[],
): SourcePartsReader {
  const selectUnread = prepare<{ source: string; part: string }>(
    database,
    `SELECT source, part FROM source_parts
     WHERE complete_at IS NULL AND part LIKE '${groupPrefix}%' ORDER BY part`,
  )
  return {
    unreadGroups() {
      const rows = selectUnread.all().filter(({ source }) => sourceOrder.includes(source))
      return [...new Set(rows.map(({ part }) => part.slice(groupPrefix.length)))]
    },
  }
}

/**
 * @param announce tells of what a change of these means for the directory as a whole; see `createDirectoryState`
 * @param now ms since the epoch
 */
export function createSourcePartsWriter(
  database: DatabaseSync,
  committer: Committer,
  announce: (transaction: Transaction, write: () => void) => void,
  now: () => number,
): SourcePartsWriter {
  const selectPart = prepare<{ complete_at: number | null }>(
    database,
    'SELECT complete_at FROM source_parts WHERE source = ? AND part = ?',
  )
  const selectGroups = prepare<{ part: string }>(
    database,
    `SELECT part FROM source_parts WHERE source = ? AND part LIKE '${groupPrefix}%'`,
  )
  const upsertPart = database.prepare(
    `INSERT INTO source_parts (source, part, complete_at) VALUES (?, ?, ?)
     ON CONFLICT (source, part) DO UPDATE SET complete_at = excluded.complete_at`,
  )
  const updatePart = database.prepare('UPDATE source_parts SET complete_at = ? WHERE source = ? AND part = ?')
  const insertPart = database.prepare('INSERT OR IGNORE INTO source_parts (source, part) VALUES (?, ?)')
  const deletePart = database.prepare('DELETE FROM source_parts WHERE source = ? AND part = ?')
  const commit = (write: () => void): void => {
    committer.commit((transaction) => announce(transaction, write))
  }
  const completeAt = (source: string, part: string): number | undefined =>
    selectPart.get(source, part)?.complete_at ?? undefined

  return {
    partCompleteAt: completeAt,
    setPartComplete: (source, part) => commit(() => upsertPart.run(source, part, now())),

    setGroups(source, groups) {
      commit(() => {
        const wanted = new Set(groups.map((group) => groupPrefix + group))
        for (const { part } of selectGroups.all(source)) if (!wanted.has(part)) deletePart.run(source, part)
        for (const part of wanted) insertPart.run(source, part)
      })
    },

    groupReadAt: (source, group) => completeAt(source, groupPrefix + group),
    setGroupRead: (source, group) => commit(() => updatePart.run(now(), source, groupPrefix + group)),
  }
}
