import type { Test } from 'tap'
import { configSchema, type Config } from '#config/schema.ts'
import { createLookup } from '#directory/lookup.ts'
import { policySchema, type Policy } from '#policy/schema.ts'
import { createProxy, type Proxy } from '#proxy/create-proxy.ts'
import { createMetrics, type Metrics } from '#telemetry/metrics.ts'
import type { Outcome } from '#telemetry/outcome.ts'
import { testStore } from './directory-store.ts'
import { recordingLog } from './test-upstreams.ts'

/** A whole worker's proxy before a test's servers. */
export interface TestProxy {
  readonly proxy: Proxy
  readonly port: number
  /** In order; what is refused before it is a request is among them. */
  readonly outcomes: readonly Outcome[]
  /** Resolves with the outcome of that number, from 0, once it is there. */
  readonly outcome: (index: number) => Promise<Outcome>
  readonly metrics: Metrics
  /** Lines of the log that are no access log. */
  readonly faults: () => readonly Readonly<Record<string, unknown>>[]
}

/** Config sections, as a config file would hold them. */
export interface TestProxySettings {
  readonly servers: readonly string[]
  readonly backend?: Readonly<Record<string, unknown>>
  readonly listen?: Readonly<Record<string, unknown>>
  readonly limits?: Readonly<Record<string, unknown>>
  readonly passthrough?: readonly string[]
  readonly enrollment?: Readonly<Record<string, unknown>>
  /** Default: nobody is judged, so that all goes through that may. */
  readonly policy?: unknown
}

const judgeNobody = { conditionalAccess: { onPremises: { mode: 'off' }, online: { mode: 'off' } } }

/** Starts one on a free port; it is closed with the test. */
export async function testProxy(t: Test, settings: TestProxySettings): Promise<TestProxy> {
  const config: Config = configSchema.parse({
    listen: { address: '127.0.0.1:0', ...settings.listen },
    limits: settings.limits,
    backends: {
      main: { kind: 'exchange-on-premises', servers: settings.servers, ...settings.backend },
    },
    routing: { default: 'main', passthrough: settings.passthrough ?? [] },
    enrollment: settings.enrollment,
  })
  const policy: Policy = policySchema.parse(settings.policy ?? judgeNobody)
  const { store } = testStore(t)
  const metrics = createMetrics()
  const { log, lines } = recordingLog()
  const outcomes: Outcome[] = []
  const awaited = new Map<number, (outcome: Outcome) => void>()
  const proxy = createProxy({
    config,
    policy: { value: policy, revision: 1 },
    lookup: createLookup({ store, max: 100 }),
    metrics,
    log,
    onOutcome: (outcome) => {
      outcomes.push(outcome)
      awaited.get(outcomes.length - 1)?.(outcome)
    },
  })
  const port = await proxy.start()
  t.teardown(() => proxy.close())
  return {
    proxy,
    port,
    outcomes,
    outcome: (index) => {
      const known = outcomes[index]
      if (known !== undefined) return Promise.resolve(known)
      return new Promise((resolve) => {
        awaited.set(index, resolve)
      })
    },
    metrics,
    faults: () => lines.filter(({ msg }) => msg !== 'request'),
  }
}
