import type { DatabaseSync } from 'node:sqlite'
import type { Action, Reason } from '#policy/reasons.ts'
import type { Committer } from './commit.ts'
import { prepare } from './database.ts'

/** One thing that somebody or something did. */
export interface AuditEvent {
  /** ms since the epoch. */
  readonly at: number
  /** Who: an administrator's name, a source, `easgate` itself. */
  readonly actor: string
  /** What, as a kebab-case word: `facts-imported`, `device-removed`. */
  readonly event: string
  readonly user?: string
  readonly deviceId?: string
  readonly detail?: Readonly<Record<string, string | number | boolean>>
}

/** Which audit events, newest first. */
export interface AuditQuery {
  readonly user?: string
  /** `next` of the page before. */
  readonly cursor?: number
  /** Default 100. */
  readonly limit?: number
}

export interface AuditPage {
  readonly events: readonly AuditEvent[]
  /** Absent on the last page. */
  readonly next?: number
}

/** Requests of one hour with one outcome. Action, reason and platform are words of closed lists. T-51 */
export interface HourlyCount {
  /** Start of the hour, ms since the epoch. */
  readonly hour: number
  readonly action: Action
  readonly reason: Reason
  readonly platform: string
  readonly requests: number
}

export interface AuditWriter {
  audit(event: AuditEvent): void
  /** Adds to the counts of the hour that each `hour` falls into. */
  count(counts: readonly HourlyCount[]): void
}

export interface AuditReader {
  auditEvents(query: AuditQuery): AuditPage
  /** Counts from the hour of `since` (ms since the epoch), oldest first. */
  hourlyCounts(since: number): readonly HourlyCount[]
}

const hourMs = 3_600_000

/** Writes an event as part of a transaction that is open already. */
export function createAuditInsert(database: DatabaseSync): (event: AuditEvent) => void {
  const insert = database.prepare(
    'INSERT INTO audit_events (at, actor, event, user, device_id, detail) VALUES (?, ?, ?, ?, ?, ?)',
  )
  return ({ at, actor, event, user, deviceId, detail }) => {
    const detailText = detail === undefined ? null : JSON.stringify(detail)
    insert.run(at, actor, event, user ?? null, deviceId ?? null, detailText)
  }
}

export function createAuditWriter(database: DatabaseSync, committer: Committer): AuditWriter {
  const insertEvent = createAuditInsert(database)
  const addCount = database.prepare(
    `INSERT INTO hourly_counts (hour, action, reason, platform, requests) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (hour, action, reason, platform) DO UPDATE SET requests = requests + excluded.requests`,
  )
  return {
    audit(event) {
      committer.commit(() => insertEvent(event))
    },
    count(counts) {
      committer.commit(() => {
        for (const { hour, action, reason, platform, requests } of counts) {
          addCount.run(startOfHour(hour), action, reason, platform, requests)
        }
      })
    },
  }
}

interface AuditRow {
  readonly id: number
  readonly at: number
  readonly actor: string
  readonly event: string
  readonly user: string | null
  readonly device_id: string | null
  readonly detail: string | null
}

export function createAuditReader(database: DatabaseSync): AuditReader {
  const selectAll = prepare<AuditRow>(
    database,
    'SELECT * FROM audit_events WHERE id < ? ORDER BY id DESC LIMIT ?',
  )
  const selectOfUser = prepare<AuditRow>(
    database,
    'SELECT * FROM audit_events WHERE user = ? AND id < ? ORDER BY id DESC LIMIT ?',
  )
  const selectCounts = prepare<HourlyCount>(
    database,
    `SELECT hour, action, reason, platform, requests FROM hourly_counts WHERE hour >= ?
     ORDER BY hour, action, reason, platform`,
  )
  return {
    auditEvents({ user, cursor = Number.MAX_SAFE_INTEGER, limit = 100 }) {
      const rows = user === undefined ? selectAll.all(cursor, limit) : selectOfUser.all(user, cursor, limit)
      const last = rows.at(-1)
      const events = rows.map(auditEvent)
      return last !== undefined && rows.length === limit ? { events, next: last.id } : { events }
    },
    hourlyCounts: (since) => selectCounts.all(startOfHour(since)).map((count) => ({ ...count })),
  }
}

function auditEvent(row: AuditRow): AuditEvent {
  return {
    at: row.at,
    actor: row.actor,
    event: row.event,
    ...(row.user === null ? undefined : { user: row.user }),
    ...(row.device_id === null ? undefined : { deviceId: row.device_id }),
    ...(row.detail === null
      ? undefined
      : { detail: JSON.parse(row.detail) as NonNullable<AuditEvent['detail']> }),
  }
}

function startOfHour(at: number): number {
  return Math.floor(at / hourMs) * hourMs
}
