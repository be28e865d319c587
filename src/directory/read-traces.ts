import type { DatabaseSync } from 'node:sqlite'
import type { Explained } from '#policy/explanation.ts'
import { prepare } from './database.ts'

/** How requests of one pair were decided, and the explanation of the first of them. */
export interface StoredTrace {
  readonly requestId: string
  readonly lastRequestId: string
  /** Of an allow only those that changed the answer. */
  readonly requests: number
  /** Of the last of them, ms since the epoch. */
  readonly lastAt: number
  readonly explained: Explained
}

export interface TraceReader {
  /** What is kept of a pair, the one that came last first; at most 20. */
  traces(user: string, deviceKey: string): readonly StoredTrace[]
}

interface TraceRow {
  readonly request_id: string
  readonly last_request_id: string
  readonly requests: number
  readonly last_at: number
  readonly explained: string
}

export function createTraceReader(database: DatabaseSync): TraceReader {
  const select = prepare<TraceRow>(
    database,
    `SELECT request_id, last_request_id, requests, last_at, explained FROM traces
     WHERE user = ? AND device_key = ? ORDER BY last_at DESC, id DESC`,
  )
  return {
    traces: (user, deviceKey) =>
      select.all(user, deviceKey).map((row) => ({
        requestId: row.request_id,
        lastRequestId: row.last_request_id,
        requests: row.requests,
        lastAt: row.last_at,
        explained: JSON.parse(row.explained) as Explained,
      })),
  }
}
