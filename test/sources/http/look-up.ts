import t from 'tap'
import { httpSourceTest, mdmDevice, testMdm, type HttpSourceTest, type TestMdm } from '../../support/mdm.ts'
import type { Test } from 'tap'

async function lookUpTest(
  t: Test,
  fields: Readonly<Record<string, unknown>> = {},
): Promise<{ mdm: TestMdm; test: HttpSourceTest }> {
  const mdm = await testMdm(t)
  const lookupUrl = `${mdm.origin}/devices?owner={user}&eas={deviceId}`
  return { mdm, test: httpSourceTest(t, { lookupUrl, ...fields }) }
}

const alice = 'alice@example.com'

void t.test('a device that the MDM knows is on record, with its user and groups', async (t) => {
  const { mdm, test } = await lookUpTest(t)
  mdm.handler = () => mdmDevice('alice', { teams: [{ name: 'Staff' }], serial: 'C02XYZ' })
  await test.refresh(alice, 'Applalice')
  t.strictSame(mdm.asked, ['/devices?owner=alice%40example.com&eas=Applalice'])
  t.equal(test.stateOf('alice'), 'compliant')
  t.strictSame(test.store.userFacts(alice).value.groups, ['staff'])
  t.ok(test.store.deviceFacts(alice, 'applc02xyz') === undefined)
  t.equal(test.store.deviceFacts(alice, 'c02xyz')?.value.complianceState, 'compliant', 'by its other id')
  t.strictSame(test.events, ['looked-up'])
})

void t.test('what phones choose is encoded, and a name that is a step in a path is not asked', async (t) => {
  const mdm = await testMdm(t)
  const test = httpSourceTest(t, { lookupUrl: `${mdm.origin}/users/{user}/devices/{deviceId}` })
  await test.refresh('a/b?c=d&é#{deviceId}', 'X')
  await test.refresh('..', 'X')
  await test.refresh('alice', '.')
  t.strictSame(mdm.asked, ['/users/a%2Fb%3Fc%3Dd%26%C3%A9%23%7Bdeviceid%7D/devices/X'])
})

void t.test('404 means that the MDM does not know the device: what it said of it is gone', async (t) => {
  const { mdm, test } = await lookUpTest(t)
  mdm.handler = () => mdmDevice('alice')
  await test.refresh(alice, 'Applalice')
  await test.store.upsert('api', [{ user: alice, deviceId: 'Applalice', model: 'iPhone' }])
  mdm.handler = (_url, _req, res) => void res.writeHead(404).end()
  await test.refresh(alice, 'Applalice')
  t.strictSame(
    test.store.deviceRecords(alice, 'applalice').map(({ source }) => source),
    ['api'],
    'what others say stands',
  )
})

void t.test('an empty list says the same', async (t) => {
  const { mdm, test } = await lookUpTest(t, { records: 'devices' })
  mdm.handler = () => ({ devices: [mdmDevice('alice')] })
  await test.refresh(alice, 'Applalice')
  mdm.handler = () => ({ devices: [] })
  await test.refresh(alice, 'Applalice')
  t.equal(test.stateOf('alice'), undefined)
})

void t.test('records of others are no match: nothing is written and nothing is removed (T-56)', async (t) => {
  const { mdm, test } = await lookUpTest(t)
  mdm.handler = () => mdmDevice('alice')
  await test.refresh(alice, 'Applalice')
  // a server that does not know the filter gives everybody
  mdm.handler = () => [mdmDevice('bob'), mdmDevice('carol', { status: 'Bad' })]
  await test.refresh(alice, 'Applalice')
  t.equal(test.stateOf('alice'), 'compliant')
  t.equal(test.store.resolve('bob@example.com'), undefined)
  t.match(test.logged, [{ level: 'warn', message: 'a look-up was answered with records of others' }])
  mdm.handler = () => [mdmDevice('bob', { easId: 'Applalice', status: 'Bad' })]
  await test.refresh(alice, 'Applalice')
  t.equal(test.stateOf('alice'), 'compliant', 'nor one of the same id of another user')
})

void t.test('of several records the one that matches is taken', async (t) => {
  const { mdm, test } = await lookUpTest(t)
  mdm.handler = () => [mdmDevice('bob'), mdmDevice('alice', { status: 'Bad' }), mdmDevice('alice2')]
  await test.refresh(alice, 'APPLALICE')
  t.equal(test.stateOf('alice'), 'noncompliant')
  t.strictSame(test.store.deviceRecords('alice2@example.com', 'applalice2'), [])
})

void t.test('asked by the user alone, other devices of the user prove that this one is absent', async (t) => {
  const mdm = await testMdm(t, () => [
    mdmDevice('alice'),
    mdmDevice('alice', { id: 'other', easId: 'Appltablet' }),
  ])
  const test = httpSourceTest(t, { lookupUrl: `${mdm.origin}/users/{user}/devices` })
  await test.refresh(alice, 'Applalice')
  t.equal(test.stateOf('alice'), 'compliant')
  mdm.handler = () => [mdmDevice('alice', { id: 'other', easId: 'Appltablet' })]
  await test.refresh(alice, 'Applalice')
  t.equal(test.stateOf('alice'), undefined)
})

void t.test('a user whom the MDM calls otherwise is known by the alias', async (t) => {
  const mdm = await testMdm(t, () => ({
    ...mdmDevice('alice'),
    logins: ['EXAMPLE\\ali', 'ali@corp.example'],
  }))
  const mapping = { user: 'email', deviceId: 'easId', aliases: 'logins', complianceState: 'status' }
  const test = httpSourceTest(t, { lookupUrl: `${mdm.origin}/{user}/{deviceId}`, mapping })
  await test.refresh('ali@corp.example', 'Applalice')
  t.equal(test.store.resolve('ali@corp.example'), alice)
  t.equal(test.stateOf('alice'), 'Good')
})

void t.test('an answer from which nothing follows fails, and all stays as it was (T-54)', async (t) => {
  const { mdm, test } = await lookUpTest(t, { lookupRecords: 'device' })
  mdm.handler = () => ({ device: mdmDevice('alice') })
  await test.refresh(alice, 'Applalice')
  const answers: [what: string, answer: () => unknown, message: RegExp][] = [
    ['no records', () => ({ devices: [] }), /no records at device/],
    ['null in their place', () => ({ device: null }), /no records at device/],
    ['a text in their place', () => ({ device: 'none' }), /no records at device/],
    ['a malformed record', () => ({ device: mdmDevice('alice', { easId: 'no id of a phone' }) }), /deviceId/],
  ]
  for (const [what, answer, message] of answers) {
    mdm.handler = answer
    await t.rejects(test.refresh(alice, 'Applalice'), { code: 'HTTP_BAD_ANSWER', message }, what)
  }
  mdm.handler = (_url, _req, res) => void res.end('<html>please log in</html>')
  await t.rejects(test.refresh(alice, 'Applalice'), { code: 'HTTP_BAD_ANSWER', message: /no whole JSON/ })
  t.equal(test.stateOf('alice'), 'compliant')
  t.match(test.httpSource.status(), { error: /no whole JSON/ })
})

void t.test('a list of which there are more pages proves no absence', async (t) => {
  const { mdm, test } = await lookUpTest(t, { records: 'items', nextPath: '/@odata.nextLink' })
  mdm.handler = () => ({ items: [], '@odata.nextLink': '/devices?page=2' })
  await t.rejects(test.refresh(alice, 'Applalice'), { message: /more pages/ })
})

void t.test('a record that is the same again is confirmed, and no change', async (t) => {
  const { mdm, test } = await lookUpTest(t)
  mdm.handler = () => mdmDevice('alice', { teams: [{ name: 'staff' }] })
  await test.refresh(alice, 'Applalice')
  test.changes.length = 0
  test.clock.now += 60_000
  await test.refresh(alice, 'Applalice')
  t.strictSame(test.changes, [])
  t.equal(test.store.deviceFacts(alice, 'applalice')?.value.origin.asOf, test.clock.now)
})

void t.test('a source without a look-up is not asked for single devices', async (t) => {
  const mdm = await testMdm(t)
  t.notOk('refresh' in httpSourceTest(t, { bulkUrl: `${mdm.origin}/` }).httpSource)
})

void t.test(
  'a source that has look-ups alone is complete at once: an absence is proved by asking',
  async (t) => {
    const { test } = await lookUpTest(t)
    t.equal(test.store.sourcesComplete(), false)
    await test.start()
    t.equal(test.store.sourcesComplete(), true)
  },
)
