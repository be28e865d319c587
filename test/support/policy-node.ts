import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { request } from 'undici'
import { createGuard } from '#admin/guard.ts'
import { createHeldChanges, type HeldChanges } from '#admin/held-changes.ts'
import { createPolicyKeeper, type CurrentPolicy, type PolicyKeeper } from '#admin/policy-keeper.ts'
import { createPolicyRoutes } from '#admin/policy-routes.ts'
import { createAdminServer } from '#admin/server.ts'
import { createEvaluator, type Evaluator } from '#admin/what-if/evaluate.ts'
import { createSeenJudges, type SeenJudges } from '#admin/what-if/judge-seen.ts'
import { loadPolicy } from '#config/load.ts'
import type { Config } from '#config/schema.ts'
import type { Sighting } from '#directory/sightings.ts'
import { openStore, type Store } from '#directory/store.ts'
import { createMetrics, type Metrics } from '#telemetry/metrics.ts'
import { phone, sighting } from './directory-store.ts'

/** The clock of everything here, ms since the epoch. */
export const policyNow = Date.parse('2026-06-01T12:00:00Z')
const now = () => policyNow
export const hourMs = 3_600_000

const backend = { kind: 'simulator', servers: [], tlsMinVersion: 'TLSv1.2', healthSeconds: 10 } as const

/** One backend for all. */
export const oneBackend: Pick<Config, 'backends' | 'routing'> = {
  backends: { simulator: { ...backend, servers: [] } },
  routing: { default: 'simulator', rules: [], passthrough: [] },
}

/** Everybody is let in who is enrolled and compliant. */
export const mildPolicy = 'conditionalAccess: { onPremises: { noncompliant: block } }\n'
/** Nobody is let in who has no passcode, which no phone of `seenPhones` is known to have. */
export const harshPolicy = [
  'compliancePolicies: [{ name: passcode, assignedGroups: [all-users], rules: { passcodeRequired: true } }]',
  'conditionalAccess: { onPremises: { noncompliant: block, postureUnknown: block } }',
  '',
].join('\n')

/** Sightings of as many phones, each of another user, all let in an hour ago. */
export function seenPhones(count: number, fields: Partial<Sighting> = {}): Sighting[] {
  return Array.from({ length: count }, (_, number) => {
    const deviceId = `Appl${number}`
    return sighting({
      user: `user${number}@example.com`,
      deviceId,
      deviceKey: deviceId.toLowerCase(),
      action: 'allow',
      reason: 'compliant',
      allowed: true,
      at: policyNow - hourMs,
      ...fields,
    })
  })
}

export interface PolicyNodeOptions {
  /** The policy file at the start. */
  readonly policy?: string
  /** Phones on record as compliant, and seen. */
  readonly phones?: number
  readonly seen?: readonly Sighting[]
  readonly config?: Pick<Config, 'backends' | 'routing'>
  /** Where the policy file and the store are. Default: the test's folder. */
  readonly folder?: string
}

/** The policy in force over a real store, its admin routes over a real listener, in this process. */
export interface PolicyNode {
  readonly store: Store
  readonly file: string
  readonly judges: SeenJudges
  readonly held: HeldChanges
  readonly keeper: PolicyKeeper
  readonly evaluator: Evaluator
  readonly metrics: Metrics
  /** The texts of what was logged. */
  readonly logged: string[]
  /** Each policy that the workers were given, in order. */
  readonly handed: CurrentPolicy[]
  readonly write: (policy: string) => void
  /** Another keeper over the same store, as after a restart. */
  readonly restart: () => PolicyKeeper
  readonly url: string
  readonly call: (
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
  ) => Promise<{ status: number; text: string; json: () => unknown }>
}

/** Starts it; it ends with the test. */
export async function startPolicyNode(t: Test, options: PolicyNodeOptions = {}): Promise<PolicyNode> {
  const { policy = mildPolicy, phones = 0, seen = [], config = oneBackend } = options
  const { folder = t.testdir() } = options
  const file = join(folder, 'policy.yaml')
  writeFileSync(file, policy)
  const store = openStore(join(folder, 'easgate.db'), { sourceOrder: ['file'], now })
  const sightings = [...seenPhones(phones), ...seen]
  await store.replace(
    'file',
    sightings.map(({ user, deviceId, platform }) =>
      phone(user, deviceId, { platform, groups: ['staff'], registered: true }),
    ),
    { complete: true },
  )
  await store.recordSightings(sightings)
  const metrics = createMetrics()
  const logged: string[] = []
  const handed: CurrentPolicy[] = []
  const note = (_fields: unknown, message = '') => logged.push(message)
  const log = { info: note, warn: note, error: note }
  const judges = createSeenJudges({ config, now })
  const held = createHeldChanges({ store, metrics, log, now })
  const createKeeper = () =>
    createPolicyKeeper({
      onDraft: async () => undefined,
      loaded: loadPolicy(file),
      store,
      judges,
      held,
      metrics,
      log,
      now,
      onPolicy: async (current) => void handed.push(current),
    })
  const keeper = createKeeper()
  await keeper.started
  const evaluator = createEvaluator({ store, judges, policy: keeper.current, now })
  const server = createAdminServer({
    host: '127.0.0.1',
    port: 0,
    guard: createGuard({ loopback: true, token: undefined, metricsToken: undefined }),
    routes: createPolicyRoutes({ policy: keeper.current, evaluator, held, now }),
    readiness: () => 'ready',
    metrics: async () => '',
    log,
  })
  const url = `http://127.0.0.1:${await server.start()}`
  t.teardown(async () => {
    await server.close()
    store.close()
  })
  return {
    store,
    file,
    judges,
    held,
    keeper,
    evaluator,
    metrics,
    logged,
    handed,
    write: (text) => writeFileSync(file, text),
    restart: createKeeper,
    url,
    call: async (method, path, body) => {
      const answer = await request(`${url}${path}`, {
        method,
        headers: body === undefined ? {} : { 'content-type': 'application/json' },
        body: body === undefined ? null : JSON.stringify(body),
      })
      const text = await answer.body.text()
      return { status: answer.statusCode, text, json: () => JSON.parse(text) as unknown }
    },
  }
}

/** The value of a metric of this process; undefined where it was never set. */
export async function metricValue(
  { registry }: Metrics,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number | undefined> {
  const values = (await registry.getSingleMetric(name)?.get())?.values ?? []
  return values.find((value) =>
    Object.entries(labels).every(
      ([label, word]) => (value.labels as Record<string, unknown>)[label] === word,
    ),
  )?.value
}
