import t, { type Test } from 'tap'
import type { SourceDevice } from '#directory/sweep-devices.ts'
import { openStore } from '#directory/store.ts'
import { testStore } from '../support/directory-store.ts'

const alice = 'alice@example.com'
const bob = 'bob@example.com'

/** A managed iPhone as Intune lists it. */
function record(recordId: string, fields: Partial<SourceDevice> = {}): SourceDevice {
  return {
    user: alice,
    deviceId: `Appl${recordId}`,
    otherIds: [],
    recordId,
    facts: { enrolled: true, complianceState: 'compliant' },
    ...fields,
  }
}

const records = (count: number) =>
  Array.from({ length: count }, (_, number) => record(`R${number}`, { user: `user${number}@example.com` }))

function sweptStore(t: Test) {
  const test = testStore(t, ['intune'])
  const { store, changes } = test
  return {
    ...test,
    /** One sweep that reads the pages and takes all that they do not list as gone. */
    sweep: async (...pages: (readonly SourceDevice[])[]) => {
      const sweep = store.sweepDevices('intune')
      for (const page of pages) await sweep.add(page, store.currentRevision())
      for (const row of (await sweep.unlisted(1000)).rows) sweep.remove(row)
      await sweep.finish({ outcome: 'complete' })
    },
    stateOf: (user: string, key: string) => store.deviceFacts(user, key)?.value.complianceState,
    told: () => changes.splice(0),
  }
}

void t.test('pages are written as they come, with their users', async (t) => {
  const { store, stateOf, told } = sweptStore(t)
  const sweep = store.sweepDevices('intune')
  await sweep.add([record('A')], store.currentRevision())
  t.equal(stateOf(alice, 'appla'), 'compliant')
  t.equal(store.resolve(alice), alice)
  t.equal(store.sourcesComplete(), false)
  await sweep.add([record('B', { user: bob })], store.currentRevision())
  t.same(await sweep.unlisted(10), { known: 2, count: 0, rows: [] })
  told()
  await sweep.finish({ outcome: 'complete', faults: 3 })
  t.match(told(), [{ kind: 'sources', complete: true }])
  t.match(store.syncState('intune'), { outcome: 'complete', records: 2, faults: 3, completeAt: 1_000_000 })
})

void t.test(
  'a sweep that finds nothing new is no change, and confirms every row as of its beginning',
  async (t) => {
    const { store, sweep, clock, told } = sweptStore(t)
    await sweep(records(300))
    told()
    const revision = store.currentRevision()
    clock.now += 60_000
    const second = store.sweepDevices('intune')
    clock.now += 30_000
    await second.add(records(300), revision)
    await second.unlisted(0)
    await second.finish({ outcome: 'complete' })
    t.same([told(), store.currentRevision()], [[], revision])
    t.equal(store.deviceFacts('user7@example.com', 'applr7')?.value.origin.asOf, 1_060_000)
  },
)

void t.test('who is not listed stays until it is removed', async (t) => {
  const { store, sweep, stateOf } = sweptStore(t)
  await sweep([record('A'), record('B')])
  const second = store.sweepDevices('intune')
  await second.add([record('A')], store.currentRevision())
  const { known, count, rows } = await second.unlisted(10)
  t.match([known, count, rows], [2, 1, [{ user: alice, device_id: 'ApplB', record_id: 'B' }]])
  t.equal(stateOf(alice, 'applb'), 'compliant')
  for (const row of rows) second.remove(row)
  t.equal(stateOf(alice, 'applb'), undefined)
})

void t.test('only the first unlisted rows are named, all are counted', async (t) => {
  const { store, sweep } = sweptStore(t)
  await sweep(records(1200))
  const second = store.sweepDevices('intune')
  await second.add(records(100), store.currentRevision())
  const { known, count, rows } = await second.unlisted(5)
  t.same([known, count, rows.length], [1200, 1100, 5])
})

void t.test('what is kept although it is not listed keeps its age, the rest is confirmed', async (t) => {
  const { store, sweep, clock } = sweptStore(t)
  const ageOf = (key: string) => store.deviceFacts(alice, key)?.value.origin.asOf
  await sweep([record('A'), record('B')])
  clock.now += 1000
  await sweep([record('A'), record('B')])
  clock.now += 1000
  const held = store.sweepDevices('intune')
  await held.add([record('A')], store.currentRevision())
  await held.unlisted(10)
  await held.finish({ outcome: 'partial', error: 'too few' })
  t.same([ageOf('appla'), ageOf('applb')], [1_002_000, 1_001_000])
  t.match(store.syncState('intune'), { outcome: 'partial', error: 'too few', completeAt: 1_001_000 })
  clock.now += 1000
  await sweep([record('A'), record('B')])
  t.same([ageOf('appla'), ageOf('applb')], [1_003_000, 1_003_000], 'listed again')
})

void t.test('a row that was written after a page was asked for is newer than the page', async (t) => {
  const { store, sweep, stateOf } = sweptStore(t)
  const page = [record('A', { facts: { complianceState: 'noncompliant' } })]
  await sweep(page)
  const second = store.sweepDevices('intune')
  const since = store.currentRevision()
  await store.putDevices('intune', [record('A')])
  await second.add(page, since)
  t.equal(stateOf(alice, 'appla'), 'compliant')
  t.equal((await second.unlisted(10)).count, 0, 'it is listed')
})

void t.test('a row that came while the pages did is not taken for unlisted', async (t) => {
  const { store, sweep } = sweptStore(t)
  await sweep([record('A')])
  const second = store.sweepDevices('intune')
  await store.putDevices('intune', [record('B')])
  await second.add([record('A')], store.currentRevision())
  t.equal((await second.unlisted(10)).count, 0)
})

void t.test('another source is left alone', async (t) => {
  const { path, store: first } = testStore(t, ['intune'])
  first.close()
  const store = openStore(path, { sourceOrder: ['intune', 'file'], now: Date.now })
  t.teardown(() => store.close())
  await store.upsert('file', [{ user: alice, deviceId: 'ApplA', model: 'iPad' }])
  const sweep = store.sweepDevices('intune')
  await sweep.add([record('B')], store.currentRevision())
  t.same(await sweep.unlisted(10), { known: 1, count: 0, rows: [] })
})

void t.test('two records of one device', async (t) => {
  const exchange = record('E', { deviceId: 'ApplX', facts: { enrolled: false } })
  const managed = record('M', { deviceId: 'ApplX', facts: { enrolled: true, lastCheckIn: 5 } })
  const stale = record('S', { deviceId: 'ApplX', facts: { enrolled: true, lastCheckIn: 3 } })

  await t.test(
    'the enrolled one counts, in whatever order they are listed, and sweeps do not swap them',
    async (t) => {
      for (const pages of [
        [[exchange, managed]],
        [[managed, exchange]],
        [[exchange], [managed]],
        [[managed], [exchange]],
      ]) {
        const { sweep, store, told } = sweptStore(t)
        await sweep(...pages)
        t.equal(store.deviceFacts(alice, 'applx')?.value.enrolled, true)
        told()
        await sweep(...pages)
        t.same(told(), [], 'no change')
        store.close()
      }
    },
  )

  await t.test('of two enrolled ones that which checked in last', async (t) => {
    for (const page of [
      [managed, stale],
      [stale, managed],
    ]) {
      const { sweep, store, told } = sweptStore(t)
      await sweep(page)
      t.equal(store.deviceFacts(alice, 'applx')?.value.lastCheckIn, 5)
      told()
      await sweep(page)
      t.same(told(), [])
      store.close()
    }
  })

  await t.test('the other one takes the place of a record that is gone', async (t) => {
    const { sweep, store, told } = sweptStore(t)
    await sweep([managed, stale])
    told()
    await sweep([stale])
    t.equal(store.deviceFacts(alice, 'applx')?.value.lastCheckIn, 3)
    t.match(
      told(),
      [{ kind: 'device', deviceKey: 'applx' }],
      'in one step: the device was never without a record',
    )
    t.equal((await unlistedOf(store)).known, 1)
  })

  await t.test('a single record that is written does not push out a better one', async (t) => {
    const { sweep, store } = sweptStore(t)
    await sweep([managed])
    await store.putDevices('intune', [exchange])
    t.equal(store.deviceFacts(alice, 'applx')?.value.enrolled, true)
    await store.putDevices('intune', [
      record('N', { deviceId: 'ApplX', facts: { enrolled: true, lastCheckIn: 9 } }),
    ])
    t.equal(store.deviceFacts(alice, 'applx')?.value.lastCheckIn, 9)
  })
})

async function unlistedOf(store: ReturnType<typeof testStore>['store']) {
  return store.sweepDevices('intune').unlisted(10)
}

void t.test('a record that is listed under another user or id leaves no row behind', async (t) => {
  const { store, sweep, stateOf } = sweptStore(t)
  await sweep([record('A'), record('B'), record('C')])
  const second = store.sweepDevices('intune')
  await second.add(
    [record('A', { user: bob, deviceId: 'ApplA' }), record('B', { deviceId: 'Remade' })],
    store.currentRevision(),
  )
  t.equal(await second.removeMoved(), 2)
  t.same([stateOf(alice, 'appla'), stateOf(bob, 'appla')], [undefined, 'compliant'])
  t.same([stateOf(alice, 'applb'), stateOf(alice, 'remade')], [undefined, 'compliant'])
  t.match(await second.unlisted(10), { count: 1, rows: [{ record_id: 'C' }] })
})

void t.test('facts that only the row holds can be kept', async (t) => {
  const { store, sweep } = sweptStore(t)
  await sweep([record('A', { facts: { enrolled: true, domainJoined: true } })])
  const second = store.sweepDevices('intune', {
    keepHeld: (given, { domainJoined }) => ({ ...given, ...(domainJoined === true ? { domainJoined } : {}) }),
  })
  await second.add([record('A')], store.currentRevision())
  t.match(store.deviceFacts(alice, 'appla')?.value, { complianceState: 'compliant', domainJoined: true })
})

void t.test('a single record is removed by its own id only', async (t) => {
  const { store, sweep, stateOf } = sweptStore(t)
  await sweep([record('A')])
  t.same(store.removeRecord('intune', alice, 'ApplA', 'another'), [])
  t.equal(stateOf(alice, 'appla'), 'compliant')
  t.match(store.removeRecord('intune', alice, 'ApplA', 'A'), [{ kind: 'device' }])
  t.equal(stateOf(alice, 'appla'), undefined)
})

void t.test('gives way between its slices', async (t) => {
  const { store } = sweptStore(t)
  let turns = 0
  let isDone = false
  const count = (): void => {
    turns++
    if (!isDone) setImmediate(count)
  }
  count()
  const sweep = store.sweepDevices('intune')
  await sweep.add(records(2000), store.currentRevision())
  isDone = true
  t.ok(turns > 2000 / 64, `${turns} turns`)
})
