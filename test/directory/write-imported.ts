import t from 'tap'
import { rebuildStore } from '#directory/rebuild.ts'
import { openStoreReader } from '#directory/store.ts'
import type { ImportedPair } from '#directory/write-imported.ts'
import { sighting, testStore } from '../support/directory-store.ts'

/** Alice's phone, as Exchange has it. */
function pair(fields: Partial<ImportedPair> = {}): ImportedPair {
  return {
    user: 'alice@example.com',
    deviceId: 'ApplA',
    deviceKey: 'appla',
    deviceType: 'iPhone',
    userAgent: 'Apple-iPhone15C2/2105.219',
    platform: 'iOS',
    osVersion: '17.5.1',
    model: 'iPhone15,2',
    client: 'Apple Mail',
    protocolVersion: '16.1',
    action: 'allow',
    reason: 'default-access',
    information: { model: 'iPhone15C2', os: 'iOS 17.5.1 21F90' },
    firstAt: 1000,
    lastAt: 500_000,
    allowedAt: 500_000,
    ...fields,
  }
}

void t.test(
  'a pair of Exchange counts as allowed before, and as first seen when Exchange first saw it',
  async (t) => {
    const { store, changes } = testStore(t)
    t.strictSame(await store.importPairs([pair()]), [true])
    const { pair: history } = store.history('alice@example.com', 'appla')
    t.match(history, {
      allowedBefore: true,
      firstSeenAt: 1000,
      information: { model: 'iPhone15C2', os: 'iOS 17.5.1 21F90' },
    })
    t.strictSame(store.device('alice@example.com', 'ApplA')?.seen, {
      deviceType: 'iPhone',
      userAgent: 'Apple-iPhone15C2/2105.219',
      osVersion: '17.5.1',
      model: 'iPhone15,2',
      client: 'Apple Mail',
      protocolVersion: '16.1',
      command: 'none',
      backend: 'none',
      action: 'allow',
      reason: 'default-access',
      platform: 'iOS',
      firstAt: 1000,
      lastAt: 500_000,
      allowedAt: 500_000,
      information: { model: 'iPhone15C2', os: 'iOS 17.5.1 21F90' },
      importedAt: 1_000_000,
    })
    t.match(changes, [{ kind: 'device', user: 'alice@example.com', deviceKey: 'appla' }])
  },
)

void t.test(
  'a pair that Exchange refuses can still be wiped, but is not among the devices that get mail',
  async (t) => {
    const { store } = testStore(t)
    const { allowedAt: _, ...blocked } = pair({ action: 'block', reason: 'personal-block' })
    await store.importPairs([blocked])
    t.equal(store.history('alice@example.com', 'appla').pair?.allowedBefore, true)
    t.strictSame(store.history('alice@example.com', 'other').otherDevices, [])
    t.strictSame(store.device('alice@example.com', 'ApplA')?.seen?.allowedAt, undefined)
  },
)

void t.test('of a pair that has come by itself only what lies before it is taken', async (t) => {
  const { store, changes } = testStore(t)
  const seen = sighting({
    at: 600_000,
    action: 'block',
    reason: 'noncompliant',
    information: { os: 'iOS 18' },
  })
  await store.recordSightings([seen])
  changes.length = 0
  await store.importPairs([pair({ lastAt: 550_000, deviceType: 'Android', platform: 'Android' })])
  t.match(store.device('alice@example.com', 'ApplA')?.seen, {
    action: 'block',
    reason: 'noncompliant',
    deviceType: 'iPhone',
    platform: 'iOS',
    command: 'Sync',
    information: { os: 'iOS 18' },
    firstAt: 1000,
    lastAt: 600_000,
    allowedAt: 500_000,
    importedAt: 1_000_000,
  })
  t.equal(changes.length, 1)
})

void t.test(
  'the same inventory again changes nothing; a newer one is followed until the pair comes',
  async (t) => {
    const { store, changes, clock } = testStore(t)
    await store.importPairs([pair()])
    changes.length = 0
    clock.now = 2_000_000
    await store.importPairs([pair()])
    t.strictSame(changes, [])
    t.equal(store.device('alice@example.com', 'ApplA')?.seen?.importedAt, 1_000_000)

    await store.importPairs([pair({ action: 'quarantine', lastAt: 700_000, deviceType: 'iPad' })])
    t.match(store.device('alice@example.com', 'ApplA')?.seen, {
      action: 'quarantine',
      deviceType: 'iPad',
      lastAt: 700_000,
    })

    await store.recordSightings([sighting({ at: 2_000_000, deviceType: 'iPad', allowed: true })])
    await store.importPairs([pair({ action: 'quarantine' })])
    t.match(store.device('alice@example.com', 'ApplA')?.seen, { action: 'block', lastAt: 2_000_000 })
  },
)

void t.test('a pair that comes as another client than Exchange knows is told', async (t) => {
  const { store } = testStore(t)
  await store.importPairs([pair()])
  const { clientChanges } = await store.recordSightings([sighting({ deviceType: 'SAMSUNGSMG991B' })])
  t.match(clientChanges, [{ before: { deviceType: 'iPhone' }, after: { deviceType: 'SAMSUNGSMG991B' } }])
})

void t.test('what does not fit among the pairs of a user is told, the rest is written', async (t) => {
  const { store } = testStore(t)
  const many = Array.from({ length: 101 }, (_, number) =>
    pair({ deviceId: `Appl${number}`, deviceKey: `appl${number}` }),
  )
  const written = await store.importPairs([...many, pair({ user: 'bob@example.com' })])
  t.strictSame(written.indexOf(false), 100)
  t.equal(written.filter((isWritten) => isWritten).length, 101)
})

void t.test('a rebuilt store still knows what came from Exchange', async (t) => {
  const { store, path } = testStore(t)
  await store.importPairs([pair()])
  store.close()
  t.equal(rebuildStore(path, { now: () => 3_000_000 }).complete, true)
  const reader = openStoreReader(path, { sourceOrder: [] })
  t.teardown(() => reader.close())
  t.equal(reader.device('alice@example.com', 'ApplA')?.seen?.importedAt, 1_000_000)
})
