import type { DatabaseSync } from 'node:sqlite'
import type { FactWord, Provenance } from '#policy/explanation.ts'
import { prepare } from './database.ts'
import { fieldWords } from './merge.ts'
import type { FactsReader } from './read-facts.ts'
import { createOverrideReader, rowInForce, type OverrideRow } from './read-overrides.ts'

/** For explanations; too slow for the path of a request. */
export interface ProvenanceReader {
  /**
   * Who says what of a pair now, and since when.
   *
   * @param user the directory user; of a login that no entry resolves, its first name
   */
  provenance(user: string, deviceKey: string): Provenance
}

interface GroupsRow {
  readonly source: string
  readonly groups: string
  /** When a complete set of the source last confirmed the row. */
  readonly confirmed_at: number | null
}

export function createProvenanceReader(
  database: DatabaseSync,
  reader: FactsReader,
  sourceOrder: readonly string[],
): ProvenanceReader {
  const selectGroups = prepare<GroupsRow>(
    database,
    `SELECT source, groups,
       (SELECT confirmed_at FROM sync_state WHERE sync_state.source = users.source) AS confirmed_at
     FROM users WHERE user = ?`,
  )
  const overrides = createOverrideReader(database)

  function groupsWord(user: string, groups: readonly string[]): FactWord | undefined {
    const rows = selectGroups.all(user).filter(({ source }) => sourceOrder.includes(source))
    const givers = rows.filter((row) => row.groups !== '[]')
    const counted = givers.length === 0 ? rows : givers
    if (counted.length === 0) return undefined
    const confirmed = counted.map((row) => row.confirmed_at).filter((at) => at !== null)
    return {
      value: groups,
      source: sourceOrder.filter((source) => counted.some((row) => row.source === source)).join(', '),
      ...(confirmed.length < counted.length ? undefined : { asOf: Math.min(...confirmed) }),
    }
  }

  return {
    provenance(user, deviceKey) {
      const words = new Map<string, readonly [FactWord, ...FactWord[]]>(
        fieldWords(reader.deviceRecords(user, deviceKey), sourceOrder),
      )
      const { value, aliases } = reader.userFacts(user)
      const groups = groupsWord(user, value.groups)
      if (groups !== undefined) words.set('groups', [groups])
      const override = rowInForce(overrides.rows(user, aliases, deviceKey), deviceKey)
      if (override !== undefined) {
        for (const [name, word] of overrideWords(override)) words.set(name, [word])
      }
      return words
    },
  }
}

function overrideWords(row: OverrideRow): readonly (readonly [string, FactWord])[] {
  const said = { source: `override by ${row.actor}`, asOf: row.at }
  return [
    ['override', { value: row.action, ...said }],
    ['overrideExclusive', { value: row.exclusive === 1, ...said }],
    ['overrideNote', { value: row.note, ...said }],
    ...(row.until === null ? [] : [['overrideUntil', { value: row.until, ...said }] as const]),
  ]
}
