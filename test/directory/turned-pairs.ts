import t from 'tap'
import { openStoreReader, type Store } from '#directory/store.ts'
import type { Sighting } from '#directory/sightings.ts'
import { sighting, testStore } from '../support/directory-store.ts'

function seen(deviceId: string, fields: Partial<Sighting>): Sighting {
  return sighting({ deviceId, deviceKey: deviceId.toLowerCase(), ...fields })
}

const served = { action: 'allow', reason: 'compliant', allowed: true, refused: false } as const
const refused = { action: 'quarantine', reason: 'noncompliant', refused: true } as const

function refusedSince(store: Store, deviceKey: string): number | undefined {
  return store.history('alice@example.com', deviceKey).pair?.refusedSince
}

void t.test(
  'a pair is refused from its first refusal until it is served, which both are changes',
  async (t) => {
    const { store, changes } = testStore(t)
    await store.recordSightings([seen('A', { ...served, at: 10 })])
    t.equal(refusedSince(store, 'a'), undefined)
    await store.recordSightings([seen('A', { ...refused, at: 20 })])
    await store.recordSightings([seen('A', { ...refused, at: 30, reason: 'jailbroken' })])
    await store.recordSightings([seen('A', { at: 40, action: 'unavailable', reason: 'facts-stale' })])
    t.equal(refusedSince(store, 'a'), 20)
    t.equal(changes.length, 2)
    await store.recordSightings([seen('A', { ...served, at: 50 })])
    t.equal(refusedSince(store, 'a'), undefined)
    t.equal(changes.length, 3)
  },
)

void t.test('counts who had mail and turned refused, for as long as they are', async (t) => {
  const { store } = testStore(t)
  await store.recordSightings([
    seen('A', { ...served, at: 10 }),
    seen('B', { ...served, at: 10, platform: 'Android' }),
    seen('NEW', { ...refused, at: 20 }),
  ])
  t.equal(store.countTurned(0), 0, 'who never had mail has nothing to lose')
  await store.recordSightings([
    seen('A', { ...refused, at: 20 }),
    seen('B', { ...refused, at: 30, platform: 'Android', reason: 'not-enrolled' }),
  ])
  t.strictSame([store.countTurned(0), store.countTurned(20), store.countTurned(21)], [2, 2, 1])
  t.strictSame(store.turnedPairs(0), [
    { reason: 'noncompliant', platform: 'iOS', pairs: 1 },
    { reason: 'not-enrolled', platform: 'Android', pairs: 1 },
  ])
  await store.recordSightings([seen('A', { ...served, at: 40 })])
  t.equal(store.countTurned(0), 1)
})

void t.test('a hold of quarantine is kept for every process', async (t) => {
  const { store, path } = testStore(t)
  t.strictSame(store.quarantineHold(), { countsFrom: 0 })
  store.keepQuarantineHold({ heldSince: 7, countsFrom: 3 })
  const reader = openStoreReader(path, { sourceOrder: [] })
  t.teardown(() => reader.close())
  t.strictSame(reader.quarantineHold(), { heldSince: 7, countsFrom: 3 })
  store.keepQuarantineHold({ countsFrom: 9 })
  t.strictSame(reader.quarantineHold(), { countsFrom: 9 })
})
