import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Test } from 'tap'
import { configSchema, type Config } from '#config/schema.ts'
import type { LookUpOutcome } from '#directory/facts-source.ts'
import { createLookup, type Lookup } from '#directory/lookup.ts'
import type { FactsRecord } from '#directory/record.ts'
import type { Sighting } from '#directory/sightings.ts'
import type { Store } from '#directory/store.ts'
import type { TracedRequest } from '#directory/traces.ts'
import { createEnrollmentCodes } from '#enrollment/codes.ts'
import { policySchema, type Policy } from '#policy/schema.ts'
import { createProxy, type Proxy } from '#proxy/create-proxy.ts'
import { createMetrics, type Metrics } from '#telemetry/metrics.ts'
import type { Outcome } from '#telemetry/outcome.ts'
import { loadEnrollment } from '../../src/enrollment-keeper.ts'
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
  /** The sighting of each outcome, where it made one. */
  readonly sightings: readonly (Sighting | undefined)[]
  /** What was worth explaining, in order. */
  readonly traces: readonly TracedRequest[]
  readonly store: Store
  /** Writes facts as a source would; the proxy has heard of them when this resolves. */
  readonly know: (...records: readonly FactsRecord[]) => Promise<void>
  readonly setPolicy: (policy: unknown) => void
  /** Resolves once so many requests are allowed and not answered yet. */
  readonly whenOpen: (count: number) => Promise<void>
  /** The whole log. */
  readonly lines: readonly Readonly<Record<string, unknown>>[]
  /** Lines of the log that are no access log. */
  readonly faults: () => readonly Readonly<Record<string, unknown>>[]
}

/** Config sections, as a config file would hold them. */
export interface TestProxySettings {
  readonly servers: readonly string[]
  readonly backend?: Readonly<Record<string, unknown>>
  /** Backends beside `main`. */
  readonly backends?: Readonly<Record<string, unknown>>
  readonly rules?: readonly { readonly group: string; readonly backend: string }[]
  readonly listen?: Readonly<Record<string, unknown>>
  readonly limits?: Readonly<Record<string, unknown>>
  readonly passthrough?: readonly string[]
  readonly quarantine?: Readonly<Record<string, unknown>>
  readonly enrollment?: Readonly<Record<string, unknown>>
  /** Default: nobody is judged, so that all goes through that may. */
  readonly policy?: unknown
  /** Known before the first request, from a source that was read completely. */
  readonly facts?: readonly FactsRecord[]
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  /** Takes what is worth explaining, in place of `traces`. */
  readonly onTrace?: (request: TracedRequest) => void
  /** Stands between the proxy and what it looks up. */
  readonly lookup?: (lookup: Lookup) => Lookup
  /** The sources that can be asked for one device; by default there is none. */
  readonly lookUpNow?: (store: Store, user: string, deviceId: string) => Promise<LookUpOutcome>
}

/** Signs the links of every test's proxy. */
export const enrollmentKey = Buffer.alloc(32, 8)

// read once: it takes longer than most tests
const { texts: pageTexts, notices } = loadEnrollment(
  configSchema.parse({ backends: {}, routing: { default: 'main' } }),
)

const judgeNobody = { conditionalAccess: { onPremises: { mode: 'off' }, online: { mode: 'off' } } }

/** Starts one on a free port; it is closed with the test. */
export async function testProxy(t: Test, settings: TestProxySettings): Promise<TestProxy> {
  const config: Config = configSchema.parse({
    listen: { address: '127.0.0.1:0', ...settings.listen },
    limits: settings.limits,
    backends: {
      main: { kind: 'exchange-on-premises', servers: settings.servers, ...settings.backend },
      ...settings.backends,
    },
    identity: { defaultDomain: 'example.com', domains: { EXAMPLE: 'example.com' } },
    routing: { default: 'main', rules: settings.rules ?? [], passthrough: settings.passthrough ?? [] },
    quarantine: settings.quarantine,
    enrollment: settings.enrollment,
  })
  const policy: Policy = policySchema.parse(settings.policy ?? judgeNobody)
  const { store } = testStore(t, ['file'])
  if (settings.facts !== undefined) {
    await store.upsert('file', settings.facts)
    store.setSourceComplete('file')
  }
  const lookup = createLookup({ store, max: 1000 })
  const metrics = createMetrics()
  const { log, lines } = recordingLog()
  const outcomes: Outcome[] = []
  const sightings: (Sighting | undefined)[] = []
  const traces: TracedRequest[] = []
  const awaited = new Map<number, (outcome: Outcome) => void>()
  const codes = createEnrollmentCodes({ store, key: enrollmentKey, now: settings.now ?? Date.now, log })
  const proxy = createProxy({
    config,
    policy: { value: policy, revision: 1, digest: 'policy-1' },
    lookup: settings.lookup?.(lookup) ?? lookup,
    metrics,
    log,
    lookUpNow: async (user, deviceId) => (await settings.lookUpNow?.(store, user, deviceId)) ?? 'none',
    quarantine: { texts: notices.en },
    enrollment: { texts: pageTexts, notices },
    enrollmentDeps: {
      key: enrollmentKey,
      seenPair: (id) => store.seenPair(id),
      makeCode: async (pairId) => codes.make(pairId),
      enterCode: async (code, address) => codes.enter(code, address),
    },
    signingKey: Buffer.alloc(32, 7),
    workers: 1,
    tracing: {
      batch: { add: settings.onTrace ?? ((request) => traces.push(request)) },
      provenance: (user, deviceKey) => store.provenance(user, deviceKey),
    },
    ...(settings.now && { now: settings.now }),
    onOutcome: (outcome, sighting) => {
      outcomes.push(outcome)
      sightings.push(sighting)
      awaited.get(outcomes.length - 1)?.(outcome)
    },
  })
  store.onChange(proxy.apply)
  const port = await proxy.start()
  t.teardown(() => proxy.close())
  let revision = 1
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
    sightings,
    traces,
    store,
    know: async (...records) => void (await store.upsert('file', records)),
    setPolicy: (next) => {
      revision++
      proxy.setPolicy({ value: policySchema.parse(next), revision, digest: `policy-${revision}` })
    },
    whenOpen: async (count) => {
      while ((await metrics.parkedRequests.get()).values[0]?.value !== count) await nextTurn()
    },
    lines,
    faults: () => lines.filter(({ msg }) => msg !== 'request'),
  }
}

/** A command that goes through `judgeNobody`, as bytes. */
export function goodRequest(deviceId = 'PHONE1', body = ''): string {
  const query = `Cmd=Sync&User=alice@example.com&DeviceId=${deviceId}&DeviceType=iPhone`
  return (
    `POST /Microsoft-Server-ActiveSync?${query} HTTP/1.1\r\nHost: mail.example.com\r\n${authorization}\r\n` +
    `MS-ASProtocolVersion: 16.1\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  )
}

const authorization = `Authorization: Basic ${Buffer.from('alice@example.com:demo').toString('base64')}`
