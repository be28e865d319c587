import t from 'tap'
import { defaultRetention } from '#directory/prune.ts'
import { phones, sighting, testStore } from '../support/directory-store.ts'

const day = 86_400_000

void t.test('removes what is older than its retention, and nothing else', async (t) => {
  const { store, clock } = testStore(t)
  const start = 1000 * day
  clock.now = start
  await store.upsert('file', phones(700))
  for (const at of [start, start + 350 * day]) {
    store.audit({ at, actor: 'admin', event: 'facts-imported' })
    store.count([{ hour: at, action: 'allow', reason: 'compliant', platform: 'iOS', requests: 1 }])
    await store.recordSightings([sighting({ deviceKey: `key${at}`, at })])
  }
  clock.now = start + 7 * day
  t.same(await store.prune(defaultRetention), { sightings: 0, audit: 0, counters: 0, outbox: 0 })
  clock.now += 1
  t.same(await store.prune(defaultRetention), { sightings: 0, audit: 0, counters: 0, outbox: 1400 })
  clock.now = start + 401 * day
  t.same(await store.prune(defaultRetention), { sightings: 1, audit: 1, counters: 1, outbox: 0 })
  t.match(store.check().rows, {
    device_facts: 700,
    sightings: 1,
    audit_events: 1,
    hourly_counts: 1,
    outbox: 0,
  })
})
