import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { deviceKey } from '#eas/device-id.ts'
import { createLookup } from '#directory/lookup.ts'
import { rebuildStore } from '#directory/rebuild.ts'
import { openStore, openStoreReader } from '#directory/store.ts'
import { phone, testStore } from '../support/directory-store.ts'

const alice = 'alice@example.com'
const bob = 'bob@example.com'
const managed = '705c034c-034c-705c-4c03-5c704c035c70'

/** A worker's look-up beside the owner's store. */
function worker(t: Test) {
  const test = testStore(t)
  const reader = openStoreReader(test.path, { sourceOrder: ['file', 'intune'] })
  t.teardown(() => reader.close())
  const lookup = createLookup({ store: reader, max: 1000 })
  test.store.onChange((changes) => {
    for (const change of changes) lookup.apply(change)
  })
  const state = (user: string, deviceId: string) =>
    lookup.lookup([user], deviceKey(deviceId)).device?.complianceState
  return { ...test, lookup, state }
}

void t.test('a device is found by each of its ids, in any case, with hyphens and without', async (t) => {
  const { store, state } = worker(t)
  await store.upsert('intune', [
    phone(alice, '6T2PLMNB2D7M1CO60345SNMA88', { otherIds: [managed, 'ApplF2LX1234'] }),
  ])
  const spellings = [
    '6T2PLMNB2D7M1CO60345SNMA88',
    '6t2plmnb2d7m1co60345snma88',
    '6T2P-LMNB2D7M1CO60345SNMA88',
    managed,
    managed.toUpperCase(),
    managed.replaceAll('-', ''),
    'applf2lx1234',
  ]
  for (const spelling of spellings) t.equal(state(alice, spelling), 'compliant', spelling)
  t.equal(state(alice, 'F2LX1234'), undefined, 'a part of an id is another id')
  t.equal(state(alice, '-'), undefined)
})

void t.test('an id that is a GUID itself is found without its hyphens', async (t) => {
  const { store, state } = worker(t)
  await store.upsert('intune', [phone(alice, managed)])
  t.equal(state(alice, managed.replaceAll('-', '').toUpperCase()), 'compliant')
})

void t.test('the owner must match, by whatever id (T-14)', async (t) => {
  const { store, state } = worker(t)
  await store.upsert('intune', [phone(alice, 'ApplA', { otherIds: [managed] }), { user: bob }])
  t.equal(state(bob, managed), undefined)
  t.equal(state(bob, 'ApplA'), undefined)
})

void t.test('a change of the record is seen by look-ups of every id', async (t) => {
  const { store, state } = worker(t)
  const ids = ['ApplA', managed, 'ApplF2LX1234']
  const states = () => ids.map((id) => state(alice, id))
  t.same(states(), [undefined, undefined, undefined])
  await store.upsert('intune', [phone(alice, 'ApplA', { otherIds: ids.slice(1) })])
  t.same(states(), ['compliant', 'compliant', 'compliant'])
  await store.upsert('intune', [phone(alice, 'ApplA', { complianceState: 'noncompliant' })])
  t.same(states(), ['noncompliant', 'noncompliant', 'noncompliant'], 'ids that are not given stay')
  await store.upsert('intune', [phone(alice, 'ApplA', { otherIds: [managed] })])
  t.same(states(), ['compliant', 'compliant', undefined], 'given ones replace them')
  store.remove(alice, 'ApplA')
  t.same(states(), [undefined, undefined, undefined])
  t.equal(store.check().rows['device_ids'], 0)
})

void t.test('what an administrator pushes for an id is laid over the record that carries it', async (t) => {
  const { store, state, lookup } = worker(t)
  await store.upsert('intune', [phone(alice, managed, { otherIds: ['ApplF2LX1234'], model: 'iPhone 15' })])
  await store.upsert('api', [{ user: alice, deviceId: 'ApplF2LX1234', complianceState: 'noncompliant' }])
  t.equal(state(alice, 'applF2LX1234'), 'noncompliant')
  t.match(lookup.lookup([alice], 'applf2lx1234').device, {
    enrolled: true,
    model: 'iPhone 15',
    origin: { sources: ['api', 'intune'] },
  })
})

void t.test(
  'a set that is read whole replaces the ids, two rows of one spelling keep what both say',
  async (t) => {
    const { store, state } = worker(t)
    await store.replace('file', [phone(alice, 'ApplA', { otherIds: ['one', 'two'] })], { complete: true })
    t.same([state(alice, 'one'), state(alice, 'two')], ['compliant', 'compliant'])
    await store.replace(
      'file',
      [phone(alice, 'ApplA', { otherIds: ['one', 'two'] }), phone(alice, 'ApplA', { otherIds: ['two'] })],
      { complete: true },
    )
    t.same([state(alice, 'one'), state(alice, 'two')], [undefined, 'compliant'])
    await store.replace('file', [phone(alice, 'ApplA')], { complete: true })
    t.same([state(alice, 'one'), state(alice, 'two')], [undefined, undefined])
  },
)

void t.test('the inventory shows the record under the id that was asked for', async (t) => {
  const { store } = worker(t)
  await store.upsert('intune', [phone(alice, 'ApplA', { otherIds: [managed] })])
  t.match(store.device(alice, managed.replaceAll('-', '')), {
    facts: { complianceState: 'compliant' },
    records: [{ source: 'intune' }],
  })
})

void t.test('other nodes are told of the ids', async (t) => {
  const { store, path } = worker(t)
  await store.upsert('intune', [phone(alice, 'ApplA', { otherIds: [managed] })])
  const database = new DatabaseSync(path, { readOnly: true })
  t.teardown(() => database.close())
  const row = database.prepare(`SELECT record FROM outbox WHERE kind = 'device'`).get()
  t.same(JSON.parse(String(row?.['record'])), {
    otherIds: [managed],
    enrolled: true,
    complianceState: 'compliant',
  })
})

void t.test('a rebuilt store finds devices by their other ids', async (t) => {
  const { store, path } = worker(t)
  await store.upsert('intune', [phone(alice, 'ApplA', { otherIds: [managed, 'serial7'] })])
  store.close()
  t.equal(rebuildStore(path, { now: Date.now }).complete, true)
  const rebuilt = openStore(path, { sourceOrder: ['intune'], now: Date.now })
  t.teardown(() => rebuilt.close())
  t.equal(rebuilt.deviceFacts(alice, 'serial7')?.value.complianceState, 'compliant')
  t.equal(rebuilt.check().rows['device_ids'], 2)
})
