import t from 'tap'
import { sighting, testStore, type TestStore } from '../support/directory-store.ts'
import { explained, traceReport } from '../support/traces.ts'

const alice = 'alice@example.com'

async function seen(t: Parameters<typeof testStore>[0]): Promise<TestStore> {
  const test = testStore(t)
  await test.store.recordSightings([sighting()])
  return test
}

void t.test('a trace is kept as it was reported', async (t) => {
  const { store, changes } = await seen(t)
  const revision = store.currentRevision()
  changes.length = 0
  await store.recordTraces([traceReport({ requests: 3, lastRequestId: 'r-3', lastAt: 7 })])
  t.strictSame(store.traces(alice, 'appla'), [
    { requestId: 'r-1', lastRequestId: 'r-3', requests: 3, lastAt: 7, explained },
  ])
  t.strictSame([store.currentRevision(), changes], [revision, []], 'it changes no decision')
})

void t.test('equal ones are one row, by whatever worker and in whatever order', async (t) => {
  const { store } = await seen(t)
  const other = traceReport({ reason: 'jailbroken', requestId: 'b-1', lastRequestId: 'b-1', lastAt: 2 })
  const { explained: _, ...repeat } = traceReport({ requests: 5, lastRequestId: 'r-6', lastAt: 6 })
  await store.recordTraces([traceReport({ lastAt: 1 }), other, traceReport({ requestId: 'w2-1', lastAt: 3 })])
  await store.recordTraces([repeat, { ...repeat, requests: 1, lastRequestId: 'w2-2', lastAt: 5 }])
  t.match(store.traces(alice, 'appla'), [
    { requestId: 'r-1', lastRequestId: 'w2-2', requests: 8, lastAt: 6 },
    { requestId: 'b-1', requests: 1 },
  ])
  t.equal(store.check().rows['traces'], 2)
})

void t.test('what makes a decision another one makes a row of its own', async (t) => {
  const { store } = await seen(t)
  await store.recordTraces([
    traceReport(),
    traceReport({ action: 'quarantine' }),
    traceReport({ rule: 'compliance: another' }),
    traceReport({ policyRevision: 2 }),
    traceReport({ policyDigest: 'other' }),
    traceReport({ factsRevision: 13 }),
  ])
  t.equal(store.traces(alice, 'appla').length, 6)
})

void t.test('the 20 that came last are kept of each pair', async (t) => {
  const { store } = await seen(t)
  await store.recordSightings([sighting({ deviceKey: 'applb', deviceId: 'ApplB' })])
  await store.recordTraces([traceReport({ deviceKey: 'applb', lastAt: 0 })])
  const reports = Array.from({ length: 25 }, (_, number) =>
    traceReport({ factsRevision: number, lastAt: number, requestId: `r-${number}` }),
  )
  await store.recordTraces(reports)
  // the oldest that is left comes again, so that the one after it is the oldest
  await store.recordTraces([traceReport({ factsRevision: 5, lastAt: 100 })])
  await store.recordTraces([traceReport({ factsRevision: 99, lastAt: 101, requestId: 'r-99' })])
  const kept = store.traces(alice, 'appla').map(({ requestId }) => requestId)
  t.equal(kept.length, 20)
  t.strictSame(kept.slice(0, 3), ['r-99', 'r-5', 'r-24'])
  t.equal(kept.at(-1), 'r-7')
  t.equal(store.traces(alice, 'applb').length, 1)
})

void t.test(
  'a pair that is not in the inventory gets none, and one that leaves it takes its own along (T-51)',
  async (t) => {
    const { store, clock } = await seen(t)
    await store.recordTraces([traceReport({ deviceKey: 'never-seen' })])
    t.strictSame(store.traces(alice, 'never-seen'), [])
    await store.recordTraces([traceReport()])
    clock.now += 401 * 86_400_000
    const retention = { sightingsDays: 400, tracesDays: 3650, auditDays: 1, countersDays: 1, outboxDays: 1 }
    t.match(await store.prune(retention), { sightings: 1, traces: 0 })
    t.equal(store.check().rows['traces'], 0)
  },
)

void t.test('repeats of what is no longer kept are no trace', async (t) => {
  const { store } = await seen(t)
  const { explained: _, ...repeat } = traceReport()
  await store.recordTraces([repeat])
  t.strictSame(store.traces(alice, 'appla'), [])
})
