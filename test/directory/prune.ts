import t from 'tap'
import { defaultRetention } from '#directory/prune.ts'
import { phones, sighting, testStore } from '../support/directory-store.ts'
import { traceReport } from '../support/traces.ts'

const day = 86_400_000

void t.test('an override goes once it has ended, and the audit keeps it', async (t) => {
  const { store, clock, changes } = testStore(t)
  const alice = 'alice@example.com'
  const trip = { action: 'allow', until: clock.now + day, exclusive: true, note: 'trip' } as const
  const lost = { action: 'block', exclusive: false, note: 'lost' } as const
  store.setOverride({ user: alice, deviceId: 'ApplA' }, trip, 'api')
  store.setOverride({ user: alice, deviceId: 'ApplB' }, lost, 'api')
  for (let number = 0; number < 100; number++) {
    store.setOverride({ user: 'guest', deviceId: `Appl${number}` }, { ...trip, until: clock.now + 1 }, 'api')
  }
  clock.now += day
  t.match(await store.prune(defaultRetention), { overrides: 100 })
  t.same(store.overrides(alice, [], 'appla').override, trip, 'it ends with its last millisecond')
  clock.now += 1
  changes.length = 0
  t.match(await store.prune(defaultRetention), { overrides: 1 })
  t.same(store.overrides(alice, [], 'appla'), { exclusiveAllows: [], revision: 0 })
  t.same(store.overrides(alice, [], 'applb').override, lost)
  t.match(changes, [{ kind: 'override', user: alice, deviceKey: 'appla' }])
  t.same(store.auditEvents({ limit: 1 }).events, [
    {
      at: clock.now,
      actor: 'easgate',
      event: 'personal-allow-ended',
      user: alice,
      deviceId: 'ApplA',
      detail: { note: 'trip', until: new Date(trip.until).toISOString(), exclusive: true },
    },
  ])
})

void t.test('removes what is older than its retention, and nothing else', async (t) => {
  const { store, clock } = testStore(t)
  const start = 1000 * day
  clock.now = start
  await store.upsert('file', phones(700))
  for (const at of [start, start + 350 * day]) {
    store.audit({ at, actor: 'admin', event: 'facts-imported' })
    store.count([{ hour: at, action: 'allow', reason: 'compliant', platform: 'iOS', requests: 1 }])
    await store.recordSightings([sighting({ deviceKey: `key${at}`, at })])
    await store.recordTraces([traceReport({ deviceKey: `key${at}`, lastAt: at + 41 * day })])
  }
  clock.now = start + 7 * day
  t.same(await store.prune(defaultRetention), {
    traces: 0,
    sightings: 0,
    audit: 0,
    counters: 0,
    outbox: 0,
    overrides: 0,
  })
  clock.now += 1
  t.same(await store.prune(defaultRetention), {
    traces: 0,
    sightings: 0,
    audit: 0,
    counters: 0,
    outbox: 1400,
    overrides: 0,
  })
  clock.now = start + 401 * day
  t.same(await store.prune(defaultRetention), {
    traces: 1,
    sightings: 1,
    audit: 1,
    counters: 1,
    outbox: 0,
    overrides: 0,
  })
  t.match(store.check().rows, {
    device_facts: 700,
    sightings: 1,
    traces: 1,
    audit_events: 1,
    hourly_counts: 1,
    outbox: 0,
  })
})
