import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { createMetrics } from '#telemetry/metrics.ts'
import { createReports } from '../src/reports.ts'
import type { Report } from '../src/messages.ts'
import { sighting, testStore } from './support/directory-store.ts'

const hour = 3_600_000

function report(deviceId: string): Report {
  return {
    sightings: [sighting({ deviceId, deviceKey: deviceId.toLowerCase() })],
    counts: [{ hour, action: 'block', reason: 'not-enrolled', platform: 'iOS', requests: 2 }],
  }
}

async function dropped(metrics: ReturnType<typeof createMetrics>): Promise<number | undefined> {
  return (await metrics.droppedSightings.get()).values[0]?.value
}

void t.test('what workers saw comes into the store, one report after the other', async (t) => {
  const { store } = testStore(t)
  const reports = createReports({ store, metrics: createMetrics(), log: { error: () => t.fail('no fault') } })
  reports.add(report('Appl1'))
  reports.add(report('Appl2'))
  await reports.settled()
  t.ok(store.device('alice@example.com', 'Appl1')?.seen)
  t.ok(store.device('alice@example.com', 'Appl2')?.seen)
  t.match(store.hourlyCounts(0), [{ hour, action: 'block', reason: 'not-enrolled', requests: 4 }])
})

void t.test('a report that comes when the store is closed is lost, counted and no fault', async (t) => {
  const { store } = testStore(t)
  const errors: unknown[] = []
  const metrics = createMetrics()
  const log = { error: (fields: unknown) => errors.push(fields) }
  const reports = createReports({ store, metrics, log })
  store.close()
  reports.add(report('Appl1'))
  await reports.settled()
  t.match(errors, [{ err: { code: 'STORE_CLOSED' } }])
  t.equal(await dropped(metrics), 1)
})

void t.test('reports that a slow store cannot take are dropped and counted (T-51)', async (t) => {
  const { promise, resolve } = Promise.withResolvers<{ written: number; dropped: number }>()
  let stored = 0
  const store = {
    recordSightings: async () => {
      stored++
      return promise
    },
    count: () => undefined,
  }
  const metrics = createMetrics()
  const reports = createReports({ store, metrics, log: { error: () => undefined } })
  for (let number = 0; number < 100; number++) reports.add(report(`Appl${number}`))
  await nextTurn()
  t.equal(stored, 1, 'one at a time')
  t.equal(await dropped(metrics), 36, '64 wait')
  resolve({ written: 0, dropped: 1 })
  await reports.settled()
  t.equal(stored, 64)
  t.equal(await dropped(metrics), 100, 'what the store drops counts too')
})
