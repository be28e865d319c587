import type { DatabaseSync } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Committer } from './commit.ts'
import { prepare } from './database.ts'

/** How long what is kept, in days. */
export interface Retention {
  readonly sightingsDays: number
  readonly tracesDays: number
  readonly auditDays: number
  readonly countersDays: number
  readonly outboxDays: number
}

export const defaultRetention: Retention = {
  sightingsDays: 400,
  tracesDays: 30,
  auditDays: 400,
  countersDays: 90,
  outboxDays: 7,
}

/** Rows removed. */
export interface Pruned {
  readonly sightings: number
  /** Without those that went with their pair. */
  readonly traces: number
  readonly audit: number
  readonly counters: number
  readonly outbox: number
  /** Overrides that had ended. */
  readonly overrides: number
}

const dayMs = 86_400_000
/** Rowids looked at in one transaction: 1 to 3 ms. */
const windowRows = 250

/**
 * Removes what is older than the retention allows, a window of rowids per transaction. Overrides go with their end: the
 * audit tells of them from then on.
 */
export function createPruner(
  database: DatabaseSync,
  committer: Committer,
  removeEndedOverrides: () => Promise<number>,
  now: () => number,
): (retention: Retention) => Promise<Pruned> {
  const sightings = tableOf(database, 'sightings', 'id', 'last_at')
  const traces = tableOf(database, 'traces', 'id', 'last_at')
  const audit = tableOf(database, 'audit_events', 'id', 'at')
  const counters = tableOf(database, 'hourly_counts', 'rowid', 'hour')
  const outbox = tableOf(database, 'outbox', 'revision', 'at')

  async function prune(table: Table, days: number): Promise<number> {
    const before = now() - days * dayMs
    let removed = 0
    for (let after = 0; ;) {
      const end = table.windowEnd.get(after)?.id ?? null
      if (end === null) return removed
      const from = after
      committer.commit(() => {
        removed += Number(table.remove.run(from, end, before).changes)
      })
      after = end
      await nextTurn()
    }
  }

  return async (retention) => ({
    traces: await prune(traces, retention.tracesDays),
    sightings: await prune(sightings, retention.sightingsDays),
    audit: await prune(audit, retention.auditDays),
    counters: await prune(counters, retention.countersDays),
    outbox: await prune(outbox, retention.outboxDays),
    overrides: await removeEndedOverrides(),
  })
}

type Table = ReturnType<typeof tableOf>

function tableOf(database: DatabaseSync, table: string, id: string, at: string) {
  return {
    windowEnd: prepare<{ id: number | null }>(
      database,
      `SELECT max(id) AS id FROM (SELECT ${id} AS id FROM ${table} WHERE ${id} > ? ORDER BY ${id} LIMIT ${windowRows})`,
    ),
    remove: database.prepare(`DELETE FROM ${table} WHERE ${id} > ? AND ${id} <= ? AND ${at} < ?`),
  }
}
