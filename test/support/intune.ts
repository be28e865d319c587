import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Change } from '#directory/changes.ts'
import { openStore, type Store } from '#directory/store.ts'
import { systemClock, type Clock } from '#sources/clock.ts'
import type { IntuneContext } from '#sources/intune/context.ts'
import { createGraphClient } from '#sources/intune/graph-client.ts'
import { createTokens } from '#sources/intune/token.ts'
import { createTransport } from '#sources/intune/transport.ts'
import { defaults, type ScenarioInput } from './graph-double/scenario.ts'
import { startGraphDouble, type GraphDouble } from './graph-double/start-graph-double.ts'

/** One line that a source logged. */
export interface Logged {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly [field: string]: unknown
}

/** A store, the double of Graph, and what the parts of the source share. */
export interface IntuneTest {
  readonly double: GraphDouble
  readonly store: Store
  readonly changes: Change[]
  readonly context: IntuneContext
  readonly logged: Logged[]
  /** The store's clock, ms since the epoch. */
  readonly time: { now: number }
  readonly signal: AbortSignal
  readonly secretFile: string
}

export interface IntuneTestOptions {
  readonly clock?: Clock
  readonly settings?: Partial<IntuneContext['settings']>
  /** Sources beside `intune`. */
  readonly otherSources?: readonly string[]
}

/** The moment at which generated records are read. */
export const readAt = Date.parse('2026-01-01T12:00:00Z')

/** Starts the double; all ends with the test. */
export async function intuneTest(
  t: Test,
  scenario: ScenarioInput = {},
  { clock = systemClock, settings, otherSources = [] }: IntuneTestOptions = {},
): Promise<IntuneTest> {
  const folder = t.testdir()
  const secretFile = join(folder, 'secret')
  writeFileSync(secretFile, `${defaults.clientSecret}\n`)
  const double = await startGraphDouble(scenario)
  t.teardown(() => double.stop())
  const time = { now: readAt }
  const now = (): number => time.now
  const store = openStore(join(folder, 'easgate.db'), { sourceOrder: ['intune', ...otherSources], now })
  t.teardown(() => store.close())
  const changes: Change[] = []
  store.onChange((batch) => changes.push(...batch))
  const transport = createTransport()
  const abort = new AbortController()
  t.teardown(async () => {
    abort.abort()
    await transport.close()
  })
  const shared = { transport, clock, random: () => 0, now }
  const { clientId, tenantId } = defaults
  const tokens = createTokens({
    tenantId,
    clientId,
    graphUrl: double.url,
    authorityUrl: double.url,
    credential: { kind: 'secret', file: secretFile },
    ...shared,
  })
  const logged: Logged[] = []
  const log = (level: Logged['level']) => (fields: object, message: string) => {
    logged.push({ ...fields, level, message })
  }
  const context: IntuneContext = {
    name: 'intune',
    settings: {
      matchBy: ['easDeviceId', 'managedDeviceId', 'azureADDeviceId', 'serialNumber'],
      pageSize: 100,
      maxDrop: 0.2,
      ...settings,
    },
    domains: new Map([['corp', 'contoso.example']]),
    store,
    client: createGraphClient({ graphUrl: double.url, clientId, tokens, ...shared }),
    log: {
      info: log('info') as IntuneContext['log']['info'],
      warn: log('warn') as IntuneContext['log']['warn'],
      error: log('error') as IntuneContext['log']['error'],
    },
    now,
  }
  return { double, store, changes, context, logged, time, signal: abort.signal, secretFile }
}
