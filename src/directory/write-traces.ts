import type { DatabaseSync } from 'node:sqlite'
import type { Committer } from './commit.ts'
import { prepare } from './database.ts'
import type { TraceReport } from './traces.ts'

/** Traces kept of one pair: the ones that were told last. */
const maxTracesPerPair = 20

interface HeldTrace {
  readonly id: number
  readonly action: string
  readonly reason: string
  readonly rule: string
  readonly policy_revision: number
  readonly policy_digest: string
  readonly facts_revision: number
}

/**
 * The writing side of traces. Equal ones of a pair are one row with a count. A pair that is not in the inventory gets
 * none, so that the bounds of the inventory bound them too; a repeat whose explanation is gone is no trace. T-51
 */
export function createTracesWriter(
  database: DatabaseSync,
  committer: Committer,
): (reports: readonly TraceReport[]) => Promise<void> {
  const selectHeld = prepare<HeldTrace>(
    database,
    `SELECT id, action, reason, rule, policy_revision, policy_digest, facts_revision FROM traces
     WHERE user = ? AND device_key = ?`,
  )
  const addRequests = database.prepare(
    `UPDATE traces SET requests = requests + ?, last_request_id = ?, last_at = max(last_at, ?) WHERE id = ?`,
  )
  const insert = database.prepare(
    `INSERT INTO traces (user, device_key, request_id, last_request_id, action, reason, rule, policy_revision,
       policy_digest, facts_revision, requests, last_at, explained)
     SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
     WHERE EXISTS (SELECT 1 FROM sightings WHERE user = ? AND device_key = ?)`,
  )
  const deleteSurplus = database.prepare(
    `DELETE FROM traces WHERE id IN (SELECT id FROM traces WHERE user = ? AND device_key = ?
       ORDER BY last_at DESC, id DESC LIMIT -1 OFFSET ${maxTracesPerPair})`,
  )

  function write(report: TraceReport): void {
    const { user, deviceKey, requests, requestId, lastRequestId, lastAt, explained } = report
    const held = selectHeld.all(user, deviceKey).find((row) => isSame(row, report))
    if (held !== undefined) {
      addRequests.run(requests, lastRequestId, lastAt, held.id)
      return
    }
    if (explained === undefined) return
    const { action, reason, rule, policyRevision, policyDigest, factsRevision } = report
    insert.run(
      user,
      deviceKey,
      requestId,
      lastRequestId,
      action,
      reason,
      rule,
      policyRevision,
      policyDigest,
      factsRevision,
      requests,
      lastAt,
      JSON.stringify(explained),
      user,
      deviceKey,
    )
    deleteSurplus.run(user, deviceKey)
  }

  return async (reports) => {
    if (reports.length > 0) await committer.commitInSlices(reports, write)
  }
}

function isSame(row: HeldTrace, report: TraceReport): boolean {
  return (
    row.action === report.action &&
    row.reason === report.reason &&
    row.rule === report.rule &&
    row.policy_revision === report.policyRevision &&
    row.policy_digest === report.policyDigest &&
    row.facts_revision === report.factsRevision
  )
}
