import t, { type Test } from 'tap'
import { manualClock } from '../../support/manual-clock.ts'
import {
  httpSourceTest,
  mdmDevice,
  testMdm,
  type HttpSourceTest,
  type MdmDevice,
  type TestMdm,
} from '../../support/mdm.ts'

interface ReadAllTest {
  readonly mdm: TestMdm
  readonly test: HttpSourceTest
  /** The pages of the list. */
  list: readonly (readonly MdmDevice[])[]
  /** Lets the next reading happen. */
  readonly readAgain: () => Promise<void>
}

/** An MDM whose list is served page by page, and a source that reads it when the test says so. */
async function readAllTest(
  t: Test,
  list: ReadAllTest['list'],
  fields: Readonly<Record<string, unknown>> = {},
): Promise<ReadAllTest> {
  const clock = manualClock()
  const mdm = await testMdm(t)
  const lookupUrl = fields['lookup'] === true ? { lookupUrl: `${mdm.origin}/one/{user}/{deviceId}` } : {}
  const { lookup: _, ...others } = fields
  const test = httpSourceTest(
    t,
    {
      bulkUrl: `${mdm.origin}/all`,
      records: 'devices',
      lookupRecords: '.',
      nextPath: 'next',
      interval: '10m',
      ...lookupUrl,
      ...others,
    },
    clock,
  )
  const all: ReadAllTest = {
    mdm,
    test,
    list,
    readAgain: async () => {
      await clock.asleep()
      const events = test.events.length
      await clock.advance(12 * 60_000)
      while (test.events.length === events) await new Promise((resolve) => setTimeout(resolve, 1))
    },
  }
  mdm.handler = (url) => {
    const page = Number(url.searchParams.get('page') ?? 1)
    const next = page < all.list.length ? { next: `/all?page=${page + 1}` } : { next: null }
    return { devices: all.list[page - 1] ?? [], ...next }
  }
  return all
}

const phones = (count: number) => Array.from({ length: count }, (_, number) => mdmDevice(`user${number}`))

void t.test('every page is taken, users and groups included, and the directory is complete', async (t) => {
  const { test, mdm } = await readAllTest(t, [
    [mdmDevice('alice', { teams: [{ name: 'Staff' }] })],
    [],
    [mdmDevice('bob', { status: 'Bad' })],
  ])
  await test.start()
  t.strictSame(mdm.asked, ['/all', '/all?page=2', '/all?page=3'])
  t.strictSame([test.stateOf('alice'), test.stateOf('bob')], ['compliant', 'noncompliant'])
  t.strictSame(test.store.userFacts('alice@example.com').value.groups, ['staff'])
  t.equal(test.store.sourcesComplete(), true)
  t.strictSame(test.httpSource.status(), { records: 2, faults: 0, kept: 0, lastCompleteAt: 1_000_000 })
  t.strictSame(test.events, ['complete'])
})

void t.test('a reading confirms what it lists, and the same again is no change', async (t) => {
  const { test, readAgain } = await readAllTest(t, [phones(3)])
  await test.start()
  test.changes.length = 0
  test.clock.now += 600_000
  await readAgain()
  t.strictSame(test.changes, [])
  t.equal(test.store.deviceFacts('user1@example.com', 'appluser1')?.value.origin.asOf, test.clock.now)
})

void t.test('a list in one page is whole: what it lacks is gone, the user too', async (t) => {
  const all = await readAllTest(t, [phones(3)])
  await all.test.start()
  all.list = [phones(2)]
  await all.readAgain()
  t.strictSame([all.test.stateOf('user1'), all.test.stateOf('user2')], ['compliant', undefined])
  t.equal(all.test.store.resolve('user2@example.com'), undefined)
})

void t.test('a list in pages can lose a device between two of them: it is read once more', async (t) => {
  const all = await readAllTest(t, [phones(4).slice(0, 2), phones(4).slice(2)])
  await all.test.start()
  let isLost = true
  const { handler } = all.mdm
  all.mdm.handler = (url, req, res) => {
    const isSecond = url.searchParams.get('page') === '2'
    if (!isSecond || !isLost) return handler(url, req, res)
    isLost = false
    return { devices: phones(4).slice(3) }
  }
  await all.readAgain()
  t.equal(all.test.stateOf('user2'), 'compliant', 'the second time it was there')
  all.list = [phones(4).slice(0, 2), phones(4).slice(3)]
  await all.readAgain()
  t.equal(all.test.stateOf('user2'), undefined, 'twice it was not')
})

void t.test('with a look-up an absence is asked for, and 404 alone ends it', async (t) => {
  const all = await readAllTest(t, [phones(6)], { lookup: true })
  await all.test.start()
  all.list = [phones(3)]
  const { handler } = all.mdm
  all.mdm.handler = (url, req, res) => {
    switch (url.pathname) {
      case '/one/user3%40example.com/Appluser3':
        return mdmDevice('user3', { status: 'Bad' })
      case '/one/user4%40example.com/Appluser4':
        return void res.writeHead(404).end()
      case '/one/user5%40example.com/Appluser5':
        return void res.writeHead(400).end()
      default:
        return handler(url, req, res)
    }
  }
  await all.readAgain()
  t.strictSame(
    ['user3', 'user4', 'user5'].map(all.test.stateOf),
    ['noncompliant', undefined, 'compliant'],
    'found, gone, not told',
  )
  t.match(all.test.httpSource.status(), { kept: 2, records: 3 })
  t.strictSame(
    ['user3', 'user4', 'user5'].map((name) => all.test.store.resolve(`${name}@example.com`)),
    ['user3@example.com', undefined, 'user5@example.com'],
    'a user stays as long as a device does',
  )
})

void t.test('a device that is kept without a word of the MDM grows old (T-54)', async (t) => {
  const all = await readAllTest(t, [phones(2)], { lookup: true })
  await all.test.start()
  const before = all.test.clock.now
  all.list = [phones(1)]
  const { handler } = all.mdm
  all.mdm.handler = (url, req, res) =>
    url.pathname === '/all' ? handler(url, req, res) : void res.writeHead(400).end()
  all.test.clock.now += 600_000
  await all.readAgain()
  t.equal(all.test.store.deviceFacts('user1@example.com', 'appluser1')?.value.origin.asOf, before)
  t.equal(all.test.store.deviceFacts('user0@example.com', 'appluser0')?.value.origin.asOf, all.test.clock.now)
})

void t.test('a sudden large drop is not believed, and alarmed; it heals by itself (T-56)', async (t) => {
  const all = await readAllTest(t, [phones(100)])
  await all.test.start()
  for (const list of [[phones(70)], [[]]]) {
    all.list = list
    await all.readAgain()
    t.equal(all.test.stateOf('user99'), 'compliant')
    t.match(all.test.httpSource.status(), { error: /devices no longer; they are kept as they were/ })
    t.match(all.test.logged.at(-2), { level: 'error', known: 100 })
    t.equal(all.test.events.at(-1), 'partial')
  }
  all.list = [phones(81)]
  await all.readAgain()
  t.equal(all.test.httpSource.status().error, undefined)
  t.equal(all.test.stateOf('user99'), undefined)
})

void t.test('a list of none is never believed, however few were known (T-56)', async (t) => {
  const all = await readAllTest(t, [phones(1)])
  await all.test.start()
  all.list = [[]]
  await all.readAgain()
  t.equal(all.test.stateOf('user0'), 'compliant')
  t.match(all.test.httpSource.status(), { error: /1 of 1 devices/ })
})

void t.test('an MDM without devices is complete', async (t) => {
  const { test } = await readAllTest(t, [[]])
  await test.start()
  t.equal(test.store.sourcesComplete(), true)
})

void t.test('a malformed record is counted and told with its id; its device is kept', async (t) => {
  const all = await readAllTest(t, [phones(4)])
  await all.test.start()
  all.list = [[...phones(2), { ...mdmDevice('user2'), easId: 'not an id' }]]
  await all.readAgain()
  t.match(all.test.httpSource.status(), { faults: 1, kept: 1 })
  t.match(
    all.test.logged.find(({ level }) => level === 'warn'),
    { recordId: 'id-user2', faults: [{ field: 'deviceId' }] },
  )
  t.strictSame(['user1', 'user2', 'user3'].map(all.test.stateOf), ['compliant', 'compliant', undefined])
})

void t.test('where the id of a malformed record cannot be read, nothing is removed', async (t) => {
  const all = await readAllTest(t, [phones(3)])
  await all.test.start()
  all.list = [[...phones(1), { email: 'x@example.com', easId: 'not an id' }]]
  await all.readAgain()
  t.strictSame(['user0', 'user1', 'user2'].map(all.test.stateOf), Array(3).fill('compliant'))
})

void t.test('a record of nobody, or of a device that is no phone, is passed over', async (t) => {
  const nobodys = [
    { id: '1', email: null, easId: 'ApplX' },
    { id: '2', email: 'x@example.com', easId: null },
    { id: '3', email: '', easId: 'ApplY' },
    7 as MdmDevice,
  ]
  const { test } = await readAllTest(t, [[...phones(1), ...nobodys]])
  await test.start()
  t.match(test.httpSource.status(), { records: 5, faults: 0 })
  t.equal(test.store.resolve('x@example.com'), undefined)
})

void t.test('a mapping that fits no record is an error, not an MDM without devices', async (t) => {
  const mapping = { user: 'mail', deviceId: 'easId' }
  const { test } = await readAllTest(t, [phones(3)], { mapping })
  await test.start()
  t.match(test.httpSource.status(), { error: /none of 3 records can be taken: check the mapping/ })
  t.equal(test.store.sourcesComplete(), false)
})

void t.test('a reading that breaks off removes nothing and confirms nothing', async (t) => {
  const all = await readAllTest(t, [phones(4).slice(0, 2), phones(4).slice(2)])
  await all.test.start()
  const before = all.test.clock.now
  const { handler } = all.mdm
  all.mdm.handler = (url, req, res) =>
    url.searchParams.get('page') === '2' ? { devices: 'none' } : handler(url, req, res)
  all.test.clock.now += 600_000
  await all.readAgain()
  t.equal(all.test.stateOf('user3'), 'compliant')
  t.equal(all.test.store.deviceFacts('user0@example.com', 'appluser0')?.value.origin.asOf, before)
  t.match(all.test.store.syncState('http'), { outcome: 'failed', error: /no records at devices/ })
  t.equal(all.test.events.at(-1), 'failed')
  all.mdm.handler = handler
  await all.readAgain()
  t.equal(all.test.httpSource.status().error, undefined)
})

void t.test('two records of one phone: the enrolled one counts, whatever their order', async (t) => {
  const mapping = {
    user: 'email',
    deviceId: 'easId',
    recordId: 'id',
    enrolled: { path: 'status', values: { Good: true, Retired: false } },
  }
  const records = [mdmDevice('alice', { id: 'old', status: 'Retired' }), mdmDevice('alice', { id: 'new' })]
  for (const list of [[records], [records.toReversed()], records.map((record) => [record])]) {
    const { test } = await readAllTest(t, list, { mapping })
    await test.start()
    t.equal(test.store.deviceFacts('alice@example.com', 'applalice')?.value.enrolled, true)
  }
})

void t.test('who asks for another reading waits for one that begins after that', async (t) => {
  const all = await readAllTest(t, [phones(2)])
  await all.test.httpSource.readAgain?.()
  t.strictSame(all.mdm.asked, [], 'nothing is read before the start')
  const started = all.test.start()
  const again = all.test.httpSource.readAgain?.()
  all.list = [[mdmDevice('user0', { status: 'Bad' }), mdmDevice('user1')]]
  await again
  t.strictSame(all.test.events, ['complete', 'complete'])
  t.equal(all.test.stateOf('user0'), 'noncompliant')
  await started
})
