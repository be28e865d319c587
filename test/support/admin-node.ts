import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { once } from 'node:events'
import type { Test } from 'tap'
import { createApi } from '#admin/api.ts'
import { createExplain } from '#admin/explain.ts'
import { createGuard } from '#admin/guard.ts'
import { createAdminServer } from '#admin/server.ts'
import type { Config } from '#config/schema.ts'
import { readFactsCsv } from '#directory/csv.ts'
import { createLookup } from '#directory/lookup.ts'
import { openStore, type Store } from '#directory/store.ts'
import { compilePolicy } from '#policy/compile.ts'
import { policySchema } from '#policy/schema.ts'
import { demoFacts } from './node-process.ts'

/** What the admin listener answered. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly json: () => unknown
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** Text and bytes go as they are, anything else as JSON. */
  readonly body?: unknown
}

/** The admin listener over a real store, in this process, without workers. */
export interface AdminNode {
  readonly url: string
  readonly port: number
  readonly store: Store
  /** What the listener logged as an error. */
  readonly errors: unknown[]
  /** How often somebody waited for the workers. */
  readonly waits: { enforced: number }
  /** The answers of /readyz and /metrics. */
  readonly shown: { readiness: 'ready' | 'degraded' | 'not ready'; metrics: () => Promise<string> }
  /** Sends a target exactly as given. */
  readonly call: (method: string, target: string, options?: CallOptions) => Promise<Answer>
}

export interface AdminNodeOptions {
  readonly token?: string
  readonly metricsToken?: string
  /** Default: in the test's folder. */
  readonly storePath?: string
  /** CSV; the demo's by default. */
  readonly facts?: string
  readonly policy?: unknown
  readonly backends?: Config['backends']
  readonly routing?: Config['routing']
}

const simulator = { kind: 'simulator', servers: [], tlsMinVersion: 'TLSv1.2', healthSeconds: 10 } as const
/** The clock of the API and of decisions. */
export const adminNow = Date.parse('2026-06-01T12:00:00Z')

/** Starts it; it ends with the test. */
export async function startAdmin(t: Test, options: AdminNodeOptions = {}): Promise<AdminNode> {
  const { token, metricsToken, facts = demoFacts, storePath = join(t.testdir(), 'easgate.db') } = options
  const store = openStore(storePath, { sourceOrder: ['file'], now: () => adminNow })
  await store.replace(
    'file',
    readFactsCsv(facts).records.map(({ record }) => record),
    { complete: true },
  )
  const lookup = createLookup({ store, max: 100 })
  store.onChange((changes) => {
    for (const change of changes) lookup.apply(change)
  })
  const policy = policySchema.parse(
    options.policy ?? {
      conditionalAccess: { onPremises: { exemptedGroups: ['executives'], noncompliant: 'block' } },
    },
  )
  const compiled = compilePolicy(policy)
  const loginRules = { defaultDomain: 'example.com', domains: new Map([['example', 'example.com']]) }
  const explain = createExplain({
    loginRules,
    lookup,
    config: {
      backends: options.backends ?? { simulator: { ...simulator, servers: [] } },
      routing: options.routing ?? { default: 'simulator', rules: [], passthrough: [] },
    },
    store,
    quarantineHeldSince: () => undefined,
    policy: () => ({ value: compiled, revision: 1, digest: 'policy-1' }),
    now: () => adminNow,
  })
  const waits = { enforced: 0 }
  const shown: AdminNode['shown'] = { readiness: 'ready', metrics: async () => '# no metrics\n' }
  const errors: unknown[] = []
  const enforced = async () => {
    waits.enforced++
  }
  const server = createAdminServer({
    host: '127.0.0.1',
    port: 0,
    guard: createGuard({ loopback: true, token, metricsToken }),
    routes: createApi({ store, loginRules, explain, enforced, now: () => adminNow }),
    readiness: () => shown.readiness,
    metrics: () => shown.metrics(),
    log: { error: (fields: unknown) => errors.push(fields) },
  })
  const port = await server.start()
  t.teardown(async () => {
    await server.close()
    store.close()
  })
  return { url: `http://127.0.0.1:${port}`, port, store, errors, waits, shown, call: caller(port) }
}

function caller(port: number): AdminNode['call'] {
  return async (method, target, { headers = {}, body } = {}) => {
    const request = httpRequest({
      port,
      host: '127.0.0.1',
      method,
      path: target,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    })
    const isRaw = body === undefined || typeof body === 'string' || body instanceof Uint8Array
    request.end(isRaw ? body : JSON.stringify(body))
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    const text = await textOf(response)
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      text,
      json: () => JSON.parse(text) as unknown,
    }
  }
}
