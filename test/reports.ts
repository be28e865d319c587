import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { createMetrics } from '#telemetry/metrics.ts'
import type { RecordedSightings } from '#directory/write-sightings.ts'
import { createReports } from '../src/reports.ts'
import type { Report } from '../src/messages.ts'
import { sighting, testStore } from './support/directory-store.ts'
import { traceReport } from './support/traces.ts'

const hour = 3_600_000
const silent = { error: () => undefined, warn: () => undefined }

function report(deviceId: string): Report {
  return {
    sightings: [sighting({ deviceId, deviceKey: deviceId.toLowerCase() })],
    counts: [{ hour, action: 'block', reason: 'not-enrolled', platform: 'iOS', requests: 2 }],
    traces: [traceReport({ deviceKey: deviceId.toLowerCase() })],
  }
}

async function dropped(metrics: ReturnType<typeof createMetrics>): Promise<number | undefined> {
  return (await metrics.droppedSightings.get()).values[0]?.value
}

async function droppedTraces(metrics: ReturnType<typeof createMetrics>): Promise<number | undefined> {
  return (await metrics.droppedTraces.get()).values[0]?.value
}

void t.test('what workers saw comes into the store, one report after the other', async (t) => {
  const { store } = testStore(t)
  const reports = createReports({
    store,
    metrics: createMetrics(),
    log: { ...silent, error: () => t.fail('no fault') },
  })
  reports.add(report('Appl1'))
  reports.add(report('Appl2'))
  await reports.settled()
  t.ok(store.device('alice@example.com', 'Appl1')?.seen)
  t.ok(store.device('alice@example.com', 'Appl2')?.seen)
  t.match(
    store.traces('alice@example.com', 'appl2'),
    [{ requests: 1 }],
    'of a pair that the same report names',
  )
  t.match(store.hourlyCounts(0), [{ hour, action: 'block', reason: 'not-enrolled', requests: 4 }])
})

void t.test('a report that comes when the store is closed is lost, counted and no fault', async (t) => {
  const { store } = testStore(t)
  const errors: unknown[] = []
  const metrics = createMetrics()
  const log = { ...silent, error: (fields: unknown) => errors.push(fields) }
  const reports = createReports({ store, metrics, log })
  store.close()
  reports.add(report('Appl1'))
  await reports.settled()
  t.match(errors, [{ err: { code: 'STORE_CLOSED' } }, { err: { code: 'STORE_CLOSED' } }])
  t.strictSame([await dropped(metrics), await droppedTraces(metrics)], [1, 1])
})

void t.test('reports that a slow store cannot take are dropped and counted (T-51)', async (t) => {
  const { promise, resolve } = Promise.withResolvers<RecordedSightings>()
  let stored = 0
  const store = {
    recordSightings: async () => {
      stored++
      return promise
    },
    recordTraces: async () => undefined,
    count: () => undefined,
  }
  const metrics = createMetrics()
  const reports = createReports({ store, metrics, log: silent })
  for (let number = 0; number < 1060; number++) reports.add(report(`Appl${number}`))
  await nextTurn()
  t.equal(stored, 1, 'one at a time')
  t.equal(await dropped(metrics), 36, '1024 wait')
  resolve({ written: 0, dropped: 1, clientChanges: [] })
  await reports.settled()
  t.equal(stored, 1024)
  t.equal(await dropped(metrics), 1060, 'what the store drops counts too')
})

void t.test(
  'a known device that comes as another client is told once, counted and without names',
  async (t) => {
    const { store } = testStore(t)
    const warnings: unknown[][] = []
    const metrics = createMetrics()
    const log = { ...silent, warn: (...line: unknown[]) => warnings.push(line) }
    const reports = createReports({ store, metrics, log })
    const phone = report('Appl1')
    const copied = {
      ...phone,
      sightings: phone.sightings.map((seen) => ({ ...seen, deviceType: 'Andr\u202eoid', client: 'Gmail' })),
    }
    for (const seen of [phone, copied, copied]) reports.add(seen)
    await reports.settled()
    t.same(warnings, [
      [
        {
          user: 'alice@example.com',
          deviceId: 'Appl1',
          before: { deviceType: 'iPhone', client: 'Apple Mail' },
          after: { deviceType: 'Andr\\u{202e}oid', client: 'Gmail' },
        },
        'a known device came as another client',
      ],
    ])
    t.same((await metrics.clientChanges.get()).values, [{ value: 1, labels: {} }])
  },
)
