import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Test } from 'tap'
import { source, type HttpSourceConfig } from '#config/sources.ts'
import type { FactsSource, SourceEvent } from '#directory/facts-source.ts'
import { createHttpSource } from '#sources/http/http-source.ts'
import type { Clock } from '#sources/clock.ts'
import { testStore, type TestStore } from './directory-store.ts'
import { listen } from './http-answer.ts'

/** What a test's MDM answers to one request: a JSON value with status 200, or anything by hand. */
export type MdmHandler = (url: URL, req: IncomingMessage, res: ServerResponse) => unknown

/** An MDM on a free port of this machine. */
export interface TestMdm {
  readonly origin: string
  /** Path and query of every request so far. */
  readonly asked: readonly string[]
  /** What it answers from now on; undefined from a handler: it has answered by hand. */
  handler: MdmHandler
}

/** Serves until the test ends. */
export async function testMdm(t: Test, handler: MdmHandler = () => []): Promise<TestMdm> {
  const asked: string[] = []
  const mdm = { origin: '', asked, handler }
  const port = await listen(t, (req, res) => {
    asked.push(req.url ?? '')
    const json = mdm.handler(new URL(req.url ?? '', mdm.origin), req, res)
    if (json === undefined) return
    res.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(json))
  })
  mdm.origin = `http://127.0.0.1:${port}`
  return mdm
}

/** One line that a source logged. */
export interface Logged {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly [field: string]: unknown
}

/** An HTTP source over a real store. */
export interface HttpSourceTest extends TestStore {
  readonly httpSource: FactsSource
  readonly events: readonly SourceEvent[]
  readonly logged: readonly Logged[]
  /** Starts it and waits for its first reading; it ends with the test. */
  readonly start: () => Promise<void>
  readonly refresh: (user: string, deviceId: string) => Promise<void>
  /** The compliance state on record. */
  readonly stateOf: (name: string) => string | undefined
}

/** How records of the test's MDMs are written. */
export interface MdmDevice {
  readonly id?: string
  readonly email?: string | null
  readonly easId?: string | null
  readonly serial?: string
  readonly status?: string
  readonly teams?: readonly { readonly name: string }[]
}

export const mdmMapping = {
  user: 'email',
  deviceId: 'easId',
  otherIds: ['serial'],
  recordId: 'id',
  groups: 'teams.*.name',
  enrolled: { constant: true },
  complianceState: { path: 'status', values: { Good: 'compliant', Bad: 'noncompliant' } },
}

/** A good phone of that user. */
export function mdmDevice(name: string, fields: MdmDevice = {}): MdmDevice {
  return { id: `id-${name}`, email: `${name}@example.com`, easId: `Appl${name}`, status: 'Good', ...fields }
}

/** The config of a source as a file gives it, its defaults filled in. */
export function httpConfig(fields: Readonly<Record<string, unknown>>): HttpSourceConfig {
  const config = source.parse({ kind: 'http', mapping: mdmMapping, ...fields })
  if (config.kind !== 'http') throw new TypeError('expected kind http')
  return config
}

export function httpSourceTest(
  t: Test,
  fields: Readonly<Record<string, unknown>>,
  clock?: Clock,
): HttpSourceTest {
  const test = testStore(t, ['http'])
  const events: SourceEvent[] = []
  const logged: Logged[] = []
  const log = (level: Logged['level']) => (lineFields: object, message: string) => {
    logged.push({ ...lineFields, level, message })
  }
  const httpSource = createHttpSource({
    name: 'http',
    config: httpConfig(fields),
    store: test.store,
    log: { info: log('info'), warn: log('warn'), error: log('error') } as never,
    onEvent: (event) => events.push(event),
    now: () => test.clock.now,
    random: () => 0,
    ...(clock === undefined ? undefined : { clock }),
  })
  const abort = new AbortController()
  t.teardown(() => abort.abort())
  return {
    ...test,
    httpSource,
    events,
    logged,
    start: () => httpSource.start(abort.signal),
    refresh: async (user, deviceId) => httpSource.refresh?.(user, deviceId, abort.signal),
    stateOf: (name) => test.store.deviceFacts(`${name}@example.com`, `appl${name}`)?.value.complianceState,
  }
}
