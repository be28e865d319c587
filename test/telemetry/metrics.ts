import t from 'tap'
import { aggregateMetrics, createMetrics, type Metrics } from '#telemetry/metrics.ts'
import type { Outcome } from '#telemetry/outcome.ts'
import { outcome } from '../support/outcome.ts'
import { parsePrometheus, valueOf } from '../support/prometheus.ts'

/** design.md, Fixed names: type and labels of every metric. */
const fixedNames = {
  easgate_requests_total: ['counter', 'command', 'action', 'reason', 'backend'],
  easgate_blocked_total: ['counter', 'reason', 'platform'],
  easgate_report_only_total: ['counter', 'action', 'reason'],
  easgate_devices: ['gauge', 'state', 'platform'],
  easgate_request_duration_seconds: ['histogram'],
  easgate_decision_duration_seconds: ['histogram'],
  easgate_upstream_duration_seconds: ['histogram', 'backend', 'server'],
  easgate_upstream_healthy: ['gauge', 'backend', 'server'],
  easgate_parked_requests: ['gauge'],
  easgate_lookups_total: ['counter', 'outcome'],
  easgate_facts_age_seconds: ['gauge', 'source'],
  easgate_source_sync_total: ['counter', 'source', 'outcome'],
  easgate_failure_mode_total: ['counter', 'cause', 'action'],
  easgate_revocations_total: ['counter'],
  easgate_revocation_duration_seconds: ['histogram'],
  easgate_malformed_requests_total: ['counter', 'code'],
  easgate_policy_revision: ['gauge'],
  easgate_policy_reload_total: ['counter', 'outcome'],
  easgate_changes_held: ['gauge', 'kind'],
} as const

async function scrape(...processes: readonly Metrics[]) {
  const snapshots = await Promise.all(processes.map(({ registry }) => registry.getMetricsAsJSON()))
  return parsePrometheus(await aggregateMetrics(snapshots))
}

function observed(...fields: readonly Partial<Outcome>[]): Metrics {
  const metrics = createMetrics()
  for (const each of fields) metrics.observe(outcome(each))
  return metrics
}

void t.test('every metric of design.md is there from the start, with its type', async (t) => {
  const families = await scrape(createMetrics())
  for (const [name, [type]] of Object.entries(fixedNames)) {
    t.equal(families.get(name)?.type, type, name)
    t.match(families.get(name)?.help, /\.$/, `${name} says what it is`)
  }
  for (const name of [
    'process_cpu_seconds_total',
    'process_resident_memory_bytes',
    'nodejs_eventloop_lag_seconds',
  ]) {
    t.ok(families.has(name), `${name}, of the process itself`)
  }
})

void t.test('every metric has the labels of design.md and no other', async (t) => {
  const metrics = observed(
    { upstreamMs: 3, server: 'mail:443', code: 'EAS_COMMAND_UNKNOWN', reason: 'source-unavailable' },
    { reportOnly: true },
  )
  metrics.devices.set({ state: 'block', platform: 'iOS' }, 1)
  metrics.upstreamHealthy.set({ backend: 'simulator', server: 'mail:443' }, 1)
  metrics.factsAgeSeconds.set({ source: 'file' }, 1)
  metrics.sourceSync.inc({ source: 'file', outcome: 'complete' })
  metrics.policyReloads.inc({ outcome: 'loaded' })
  metrics.changesHeld.set({ kind: 'policy' }, 1)
  const families = await scrape(metrics)
  for (const [name, [, ...labels]] of Object.entries(fixedNames)) {
    const samples = families.get(name)?.samples ?? []
    t.ok(samples.length > 0, name)
    for (const sample of samples) {
      t.strictSame(
        Object.keys(sample.labels).filter((label) => label !== 'le'),
        labels,
        name,
      )
    }
  }
})

void t.test('a request counts once, as what was done with it', async (t) => {
  const families = await scrape(
    observed(
      {},
      { action: 'allow', reason: 'compliant', upstreamMs: 250, server: 'mail:443', durationMs: 300 },
      { reportOnly: true },
      { action: 'reject', reason: 'malformed-request', code: 'EAS_COMMAND_UNKNOWN', platform: 'unknown' },
      { action: 'unavailable', reason: 'source-unavailable' },
      { action: 'unavailable', reason: 'upstream-unavailable', reportOnly: true },
      { action: 'unavailable', reason: 'facts-stale' },
    ),
  )
  const value = (name: string, labels?: Readonly<Record<string, string>>) => valueOf(families, name, labels)
  const labels = { command: 'Sync', action: 'block', reason: 'noncompliant', backend: 'simulator' }
  t.equal(value('easgate_requests_total'), 7)
  t.equal(value('easgate_requests_total', labels), 2)
  t.equal(value('easgate_blocked_total', { reason: 'noncompliant', platform: 'Android' }), 1)
  t.equal(value('easgate_blocked_total'), 4, 'what was let through by report-only was not blocked')
  t.equal(value('easgate_report_only_total', { action: 'block', reason: 'noncompliant' }), 1)
  t.equal(value('easgate_malformed_requests_total', { code: 'EAS_COMMAND_UNKNOWN' }), 1)
  t.equal(value('easgate_malformed_requests_total'), 1)
  t.equal(value('easgate_failure_mode_total'), 3)
  t.equal(value('easgate_failure_mode_total', { cause: 'source-unavailable', action: 'unavailable' }), 1)
  t.equal(value('easgate_failure_mode_total', { cause: 'facts-stale', action: 'unavailable' }), 1)
  t.equal(
    value('easgate_failure_mode_total', { cause: 'upstream-unavailable', action: 'allow' }),
    1,
    'failed open',
  )
  const upstream = families.get('easgate_upstream_duration_seconds')?.samples ?? []
  t.match(upstream.at(-2), { name: 'easgate_upstream_duration_seconds_sum', value: 0.25 })
})

void t.test('look-ups are counted where they happen, and read when they are asked for', async (t) => {
  const counts = { hits: 3, misses: 1 }
  const worker = createMetrics({ lookups: () => counts })
  const lookups = async (outcome: string) =>
    valueOf(await scrape(createMetrics(), worker), 'easgate_lookups_total', { outcome })
  t.equal(await lookups('hit'), 3)
  t.equal(await lookups('miss'), 1)
  counts.hits++
  t.equal(await lookups('hit'), 4)
})

void t.test('owner and workers make one picture', async (t) => {
  const [owner, first, second] = [createMetrics(), observed({}, {}), observed({})]
  const server = { backend: 'simulator', server: 'mail:443' }
  first.upstreamHealthy.set(server, 1)
  second.upstreamHealthy.set(server, 0)
  first.parkedRequests.set(3)
  second.parkedRequests.set(4)
  for (const [metrics, revision] of [
    [owner, 2],
    [first, 2],
    [second, 1],
  ] as const) {
    metrics.policyRevision.set(revision)
  }
  owner.devices.set({ state: 'block', platform: 'iOS' }, 5)
  owner.factsAgeSeconds.set({ source: 'file' }, 60)
  const families = await scrape(owner, first, second)
  t.equal(valueOf(families, 'easgate_requests_total'), 3, 'counters add up')
  t.equal(valueOf(families, 'easgate_parked_requests'), 7)
  t.equal(
    valueOf(families, 'easgate_upstream_healthy', server),
    0,
    'one worker that cannot reach a server shows',
  )
  t.equal(valueOf(families, 'easgate_policy_revision'), 1, 'one worker that lags behind shows')
  t.equal(valueOf(families, 'easgate_devices'), 5)
  t.equal(valueOf(families, 'easgate_facts_age_seconds', { source: 'file' }), 60)
})
