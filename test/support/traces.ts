import type { TracedRequest, TraceReport } from '#directory/traces.ts'
import { changedBy } from '#policy/changed-by.ts'
import type { Explained } from '#policy/explanation.ts'

/** Why alice's phone was blocked. */
export const explained: Explained = {
  action: 'block',
  reason: 'noncompliant',
  rule: 'compliance',
  mode: 'enforce',
  detail: 'complianceState is noncompliant',
  changedBy: changedBy.noncompliant,
  at: '1970-01-01T00:16:40.000Z',
  validUntil: null,
  policyRevision: 1,
  policyDigest: 'abc',
  factsRevision: 12,
  user: 'alice@example.com',
  known: true,
  backend: 'simulator',
  device: { platform: 'iOS', osVersion: '17.5.1', model: 'iPhone 15', client: 'Apple Mail' },
  claims: { deviceType: 'iPhone', userAgent: null, protocolVersion: '16.1' },
  origin: { source: 'file', asOf: '1970-01-01T00:00:00.000Z' },
  fields: { complianceState: { value: 'noncompliant', source: 'file', asOf: '1970-01-01T00:00:00.000Z' } },
  trace: [
    {
      criterion: 'compliance',
      outcome: 'block',
      detail: 'complianceState is noncompliant',
      notes: [],
      facts: ['complianceState'],
    },
  ],
}

const { action, reason, rule, policyRevision, policyDigest, factsRevision } = explained
const identity = { action, reason, rule, policyRevision, policyDigest, factsRevision }

/** That it was. */
export const tracedRequest: TracedRequest = {
  user: 'alice@example.com',
  deviceKey: 'appla',
  requestId: 'r-1',
  at: 1_000_000,
  identity,
  explain: () => explained,
}

/** The same as a worker reports it. */
export function traceReport(fields: Partial<TraceReport> = {}): TraceReport {
  return {
    user: 'alice@example.com',
    deviceKey: 'appla',
    ...identity,
    requests: 1,
    requestId: 'r-1',
    lastRequestId: 'r-1',
    lastAt: 1_000_000,
    explained,
    ...fields,
  }
}
