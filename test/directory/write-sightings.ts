import t from 'tap'
import { phone, sighting, testStore } from '../support/directory-store.ts'

const alice = 'alice@example.com'
const minute = 60_000

void t.test('a sighting is kept with its first and last time and the latest facts', async (t) => {
  const { store } = testStore(t)
  await store.recordSightings([sighting({ at: 1000, information: { imei: '35', friendlyName: 'Al' } })])
  await store.recordSightings([sighting({ at: 2000, deviceId: 'APPLA', command: 'Ping', allowed: true })])
  t.match(store.device(alice, 'appla'), {
    deviceId: 'APPLA',
    records: [],
    seen: {
      firstAt: 1000,
      lastAt: 2000,
      allowedAt: 2000,
      command: 'Ping',
      action: 'block',
      information: { imei: '35', friendlyName: 'Al' },
    },
  })
})

void t.test('a pair that shows nothing new is written at most once a minute', async (t) => {
  const { store } = testStore(t)
  const lastAt = () => store.device(alice, 'appla')?.seen?.lastAt
  await store.recordSightings([sighting({ at: 0 })])
  await store.recordSightings([sighting({ at: minute - 1 })])
  t.equal(lastAt(), 0)
  await store.recordSightings([sighting({ at: minute })])
  t.equal(lastAt(), minute)
  await store.recordSightings([sighting({ at: minute + 1, reason: 'noncompliant' })])
  t.equal(lastAt(), minute + 1)
})

void t.test('only what decide reads is a change', async (t) => {
  const { store, changes } = testStore(t)
  await store.recordSightings([sighting()])
  t.match(changes, [{ kind: 'device', user: alice, deviceKey: 'appla' }], 'seen for the first time')
  await store.recordSightings([sighting({ command: 'Ping' })])
  t.equal(changes.length, 1)
  await store.recordSightings([sighting({ allowed: true })])
  await store.recordSightings([sighting({ allowed: true, at: 5_000_000 })])
  t.equal(changes.length, 2)
  await store.recordSightings([sighting({ provisionAsked: true })])
  await store.recordSightings([sighting({ provisionAsked: true, at: 5_000_000 })])
  t.equal(changes.length, 4)
})

void t.test('what a device says of itself is remembered, and news of it is a change', async (t) => {
  const { store, changes } = testStore(t)
  await store.recordSightings([sighting({ information: { os: 'iOS 17.4 21E219' } })])
  t.equal(changes.length, 1)
  t.match(store.history(alice, 'appla').pair, {
    allowedBefore: false,
    information: { os: 'iOS 17.4 21E219' },
  })
  await store.recordSightings([sighting({ information: { os: 'iOS 17.4 21E219' }, at: minute })])
  t.equal(changes.length, 1, 'said again')
  await store.recordSightings([sighting({ information: { os: 'iOS 17.5 21F79' }, at: minute + 1 })])
  t.equal(changes.length, 2)
  await store.recordSightings([sighting({ at: 2 * minute })])
  t.match(store.history(alice, 'appla').pair?.information, { os: 'iOS 17.5 21F79' }, 'and stays')
})

void t.test('since when our own policies find a device wanting is kept until they do no more', async (t) => {
  const { store, changes } = testStore(t)
  const since = () => store.history(alice, 'appla').pair?.noncompliantSince
  await store.recordSightings([sighting({ at: 1, selfNoncompliant: false })])
  t.equal(since(), undefined)
  await store.recordSightings([sighting({ at: 2, selfNoncompliant: true })])
  t.same([since(), changes.length], [2, 2])
  await store.recordSightings([sighting({ at: 3, selfNoncompliant: true })])
  await store.recordSightings([sighting({ at: minute * 2 })])
  t.same([since(), changes.length], [2, 2], 'found again, and not asked for')
  t.equal(store.device(alice, 'appla')?.seen?.noncompliantSince, 2)
  await store.recordSightings([sighting({ at: minute * 3, selfNoncompliant: false })])
  t.same([since(), changes.length], [undefined, 3])
  await store.recordSightings([sighting({ at: minute * 4, selfNoncompliant: true })])
  t.same([since(), changes.length], [minute * 4, 4], 'a new grace')
})

void t.test('a user cannot fill the store with invented ids; pairs that got mail stay (T-51)', async (t) => {
  const { store } = testStore(t)
  await store.recordSightings([sighting({ deviceKey: 'real', deviceId: 'real', at: 0, allowed: true })])
  const invented = Array.from({ length: 300 }, (_, number) =>
    sighting({ deviceKey: `id${number}`, deviceId: `id${number}`, at: number + 1 }),
  )
  t.same(await store.recordSightings(invented), { written: 300, dropped: 0, clientChanges: [] })
  t.equal(store.check().rows['sightings'], 100)
  t.equal(store.device(alice, 'real')?.seen?.lastAt, 0)
  t.equal(store.device(alice, 'id0'), undefined)
  t.equal(store.device(alice, 'id299')?.seen?.lastAt, 300)
  const allowed = invented.slice(201).map((seen) => ({ ...seen, allowed: true }))
  await store.recordSightings(allowed)
  t.same(await store.recordSightings([sighting({ deviceKey: 'more' })]), {
    written: 0,
    dropped: 1,
    clientChanges: [],
  })
  t.same(await store.recordSightings([sighting({ user: 'bob@example.com' })]), {
    written: 1,
    dropped: 0,
    clientChanges: [],
  })
})

void t.test('long texts of clients are cut', async (t) => {
  const { store } = testStore(t)
  const long = 'x'.repeat(5000)
  await store.recordSightings([
    sighting({ userAgent: long, deviceType: long, model: long, information: { friendlyName: long } }),
  ])
  const seen = store.device(alice, 'appla')?.seen
  t.same(
    [seen?.userAgent, seen?.deviceType, seen?.model, seen?.information?.friendlyName].map(
      (text) => text?.length,
    ),
    [256, 256, 256, 256],
  )
})

void t.test('a sighting never makes a device that the decision could take for a record (T-56)', async (t) => {
  const { store } = testStore(t)
  await store.upsert('api', [phone('bob@example.com', 'ApplB')])
  await store.recordSightings([sighting({ allowed: true })])
  t.equal(store.deviceFacts(alice, 'appla'), undefined)
  t.equal(store.hasOtherOwner('appla', 'bob@example.com'), false)
})
