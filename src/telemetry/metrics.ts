import { AggregatorRegistry, Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { Reason } from '#policy/reasons.ts'
import type { Outcome } from './outcome.ts'

/** Seconds: from a refusal out of memory to a long answer; a parked Ping falls into the last one. */
const durationBuckets = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600,
]
const decisionBuckets = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.05]

/** Reasons that are nothing about the device: something that easgate rests on was not there. */
const failureCauses: ReadonlySet<Reason> = new Set([
  'source-unavailable',
  'facts-stale',
  'upstream-unavailable',
])

/** Of a process that looks nothing up for requests: the owner. */
const noCounts: CountedElsewhere = { lookups: () => ({ hits: 0, misses: 0 }) }

/** Metrics of one process. Labels come from closed lists only; no user or device is ever a label. T-51 */
export interface Metrics {
  readonly registry: Registry
  /** Counts one finished request. */
  readonly observe: (outcome: Outcome) => void
  readonly upstreamHealthy: Gauge<'backend' | 'server'>
  readonly parkedRequests: Gauge
  readonly revocations: Counter
  readonly revocationSeconds: Histogram
  readonly releases: Counter
  readonly policyRevision: Gauge
  readonly policyReloads: Counter<'outcome'>
  readonly changesHeld: Gauge<'kind'>
  readonly devices: Gauge<'state' | 'platform'>
  readonly factsAgeSeconds: Gauge<'source'>
  readonly sourceSync: Counter<'source' | 'outcome'>
  readonly droppedSightings: Counter
  readonly droppedTraces: Counter
  readonly clientChanges: Counter
}

/** What is counted elsewhere, because counting here would cost every request: read when metrics are asked for. */
export interface CountedElsewhere {
  readonly lookups: () => { readonly hits: number; readonly misses: number }
}

/** Declares every metric of design.md, so that each process exports the same names. */
export function createMetrics({ lookups }: CountedElsewhere = noCounts): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const requests = new Counter({
    name: 'easgate_requests_total',
    help: 'Requests by what was done with them and why.',
    labelNames: ['command', 'action', 'reason', 'backend'] as const,
    registers,
  })
  const blocked = new Counter({
    name: 'easgate_blocked_total',
    help: 'Requests kept from Exchange, by reason and platform.',
    labelNames: ['reason', 'platform'] as const,
    registers,
  })
  const reportOnly = new Counter({
    name: 'easgate_report_only_total',
    help: 'Requests that went to Exchange although the policy would refuse them.',
    labelNames: ['action', 'reason'] as const,
    registers,
  })
  const malformed = new Counter({
    name: 'easgate_malformed_requests_total',
    help: 'Requests that could be read in two ways or not at all, by error code.',
    labelNames: ['code'] as const,
    registers,
  })
  const requestSeconds = new Histogram({
    name: 'easgate_request_duration_seconds',
    help: 'Time from the head of a request to the end of its answer.',
    buckets: durationBuckets,
    registers,
  })
  const decisionSeconds = new Histogram({
    name: 'easgate_decision_duration_seconds',
    help: 'Time from the head of a request to the decision.',
    buckets: decisionBuckets,
    registers,
  })
  const upstreamSeconds = new Histogram({
    name: 'easgate_upstream_duration_seconds',
    help: "Time from a request to a server of a backend to the head of that server's answer.",
    labelNames: ['backend', 'server'] as const,
    buckets: durationBuckets,
    registers,
  })
  const failureMode = new Counter({
    name: 'easgate_failure_mode_total',
    help: 'Requests decided by a failure mode, by cause and by what was done.',
    labelNames: ['cause', 'action'] as const,
    registers,
  })
  registry.registerMetric(
    new Counter({
      name: 'easgate_lookups_total',
      help: 'Look-ups of facts: hit (memory), miss (store).',
      labelNames: ['outcome'] as const,
      registers: [],
      collect() {
        const { hits, misses } = lookups()
        this.reset()
        this.inc({ outcome: 'hit' }, hits)
        this.inc({ outcome: 'miss' }, misses)
      },
    }),
  )
  return {
    registry,
    observe: (outcome) => {
      const { command, action, reason, backend } = outcome
      requests.inc({ command, action, reason, backend })
      if (outcome.reportOnly) reportOnly.inc({ action, reason })
      else if (action !== 'allow') blocked.inc({ reason, platform: outcome.platform })
      if (outcome.code !== undefined) malformed.inc({ code: outcome.code })
      if (failureCauses.has(reason)) {
        failureMode.inc({ cause: reason, action: outcome.reportOnly ? 'allow' : action })
      }
      requestSeconds.observe(outcome.durationMs / 1000)
      decisionSeconds.observe(outcome.decisionMs / 1000)
      if (outcome.upstreamMs !== undefined && outcome.server !== undefined) {
        upstreamSeconds.observe({ backend, server: outcome.server }, outcome.upstreamMs / 1000)
      }
    },
    upstreamHealthy: new Gauge({
      name: 'easgate_upstream_healthy',
      help: '1 where a server of a backend takes requests, 0 where it is ejected.',
      labelNames: ['backend', 'server'] as const,
      // one worker that cannot reach a server is worth knowing of
      aggregator: 'min',
      registers,
    }),
    parkedRequests: new Gauge({
      name: 'easgate_parked_requests',
      help: 'Requests that wait for their answer now, most of them Ping.',
      registers,
    }),
    revocations: new Counter({
      name: 'easgate_revocations_total',
      help: 'Open requests ended because their device would now be refused.',
      registers,
    }),
    revocationSeconds: new Histogram({
      name: 'easgate_revocation_duration_seconds',
      help: 'Time from the change known here to the end of the open request.',
      buckets: durationBuckets,
      registers,
    }),
    releases: new Counter({
      name: 'easgate_releases_total',
      help: 'Requests that waited in quarantine and were answered because their device was let in.',
      registers,
    }),
    policyRevision: new Gauge({
      name: 'easgate_policy_revision',
      help: 'Revision of the policy in force; rises with each load.',
      // a worker that lags behind shows
      aggregator: 'min',
      registers,
    }),
    policyReloads: new Counter({
      name: 'easgate_policy_reload_total',
      help: 'Looks at the policy file, by outcome: loaded, unchanged, faulty (the old one stays), held (it waits for an operator), confirmed.',
      labelNames: ['outcome'] as const,
      registers,
    }),
    changesHeld: new Gauge({
      name: 'easgate_changes_held',
      help: 'Changes that would refuse too many devices and wait for an operator, by kind: policy, source, quarantine.',
      labelNames: ['kind'] as const,
      registers,
    }),
    devices: new Gauge({
      name: 'easgate_devices',
      help: 'Devices seen, by the action of their last request and platform.',
      labelNames: ['state', 'platform'] as const,
      registers,
    }),
    factsAgeSeconds: new Gauge({
      name: 'easgate_facts_age_seconds',
      help: 'Age of the last complete reading of a source, or of its last push.',
      labelNames: ['source'] as const,
      aggregator: 'max',
      registers,
    }),
    sourceSync: new Counter({
      name: 'easgate_source_sync_total',
      help: 'Readings, look-ups and pushes of a source, by outcome.',
      labelNames: ['source', 'outcome'] as const,
      registers,
    }),
    droppedSightings: new Counter({
      name: 'easgate_sightings_dropped_total',
      help: 'Sightings dropped because a batch was full.',
      registers,
    }),
    droppedTraces: new Counter({
      name: 'easgate_traces_dropped_total',
      help: 'Requests of which no explanation is kept because a batch was full.',
      registers,
    }),
    clientChanges: new Counter({
      name: 'easgate_client_changes_total',
      help: 'Known devices that came with another device type or mail client than before.',
      registers,
    }),
  }
}

/** What a process sends to the owner for aggregation. */
export type MetricsSnapshot = Awaited<ReturnType<Registry['getMetricsAsJSON']>>

/**
 * The metrics of owner and workers as one text in Prometheus' format. A mean of nothing, such as that of the event
 * loop's delay just after another scrape, is no value.
 */
export async function aggregateMetrics(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  const known = snapshots.map((metrics) =>
    metrics.map((metric) => ({
      ...metric,
      values: metric.values.filter(({ value }) => !Number.isNaN(value)),
    })),
  )
  return AggregatorRegistry.aggregate(known).metrics()
}
