import t from 'tap'
import { openStoreReader } from '#directory/store.ts'
import { phone, testStore } from '../support/directory-store.ts'

const alice = 'alice@example.com'

void t.test('each fact of a device has its source and age, and who contradicts it', async (t) => {
  const { store, clock } = testStore(t)
  await store.replace('intune', [phone(alice, 'ApplA', { model: 'iPhone 15' })], { complete: true })
  clock.now += 1000
  await store.upsert('api', [{ user: alice, deviceId: 'ApplA', complianceState: 'noncompliant' }])
  t.strictSame(Object.fromEntries(store.provenance(alice, 'appla')), {
    complianceState: [
      { value: 'noncompliant', source: 'api', asOf: 1_001_000 },
      { value: 'compliant', source: 'intune', asOf: 1_000_000 },
    ],
    enrolled: [{ value: true, source: 'intune', asOf: 1_000_000 }],
    model: [{ value: 'iPhone 15', source: 'intune', asOf: 1_000_000 }],
    groups: [{ value: [], source: 'api, intune' }],
  })
})

void t.test('a source that confirmed its set since makes all of it as young', async (t) => {
  const { store, clock } = testStore(t)
  const records = [phone(alice, 'ApplA', { groups: ['staff'] })]
  await store.replace('file', records, { complete: true })
  clock.now += 5000
  await store.replace('file', records, { complete: true })
  const words = store.provenance(alice, 'appla')
  t.strictSame(words.get('enrolled'), [{ value: true, source: 'file', asOf: 1_005_000 }])
  t.strictSame(words.get('groups'), [{ value: ['staff'], source: 'file', asOf: 1_005_000 }])
})

void t.test('groups have the sources that gave any', async (t) => {
  const { store } = testStore(t)
  await store.replace('file', [{ user: alice, groups: ['staff'] }], { complete: true })
  await store.replace('intune', [{ user: alice }], { complete: true })
  t.strictSame(store.provenance(alice, 'appla').get('groups'), [
    { value: ['staff'], source: 'file', asOf: 1_000_000 },
  ])
})

void t.test('an override has who said it, and when', async (t) => {
  const { store, clock } = testStore(t)
  const until = clock.now + 5000
  const said = { action: 'allow', exclusive: true, note: 'trip', until } as const
  store.setOverride({ user: alice, deviceId: 'ApplA' }, said, 'api')
  const by = { source: 'override by api', asOf: clock.now }
  t.strictSame(Object.fromEntries(store.provenance(alice, 'appla')), {
    override: [{ value: 'allow', ...by }],
    overrideExclusive: [{ value: true, ...by }],
    overrideNote: [{ value: 'trip', ...by }],
    overrideUntil: [{ value: until, ...by }],
  })
  t.equal(store.provenance(alice, 'applb').get('override'), undefined, 'of another device it says nothing')
})

void t.test('of a pair that nobody knows nothing is said', async (t) => {
  const { store } = testStore(t)
  t.equal(store.provenance('nobody', 'x').size, 0)
})

void t.test('a source that is no longer configured says nothing', async (t) => {
  const { store, path } = testStore(t)
  await store.upsert('intune', [phone(alice, 'ApplA', { groups: ['staff'] })])
  const reader = openStoreReader(path, { sourceOrder: ['file'] })
  t.teardown(() => reader.close())
  t.equal(reader.provenance(alice, 'appla').size, 0)
})
