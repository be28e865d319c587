import t from 'tap'
import {
  devicesPath,
  idsOf,
  pageOf,
  pagesOf,
  startDouble,
  withOptions,
} from '../support/graph-double/pages.ts'
import type { ScenarioInput } from '../support/graph-double/scenario.ts'

type Device = Readonly<Record<string, unknown>>

const query = (options: Readonly<Record<string, string>>) => withOptions(devicesPath, options)

const three: ScenarioInput = {
  users: [{ userPrincipalName: 'adele@contoso.example', mail: 'Adele.V@contoso.example' }],
  managedDevices: [
    {
      id: 'a0000000-0000-4000-8000-000000000001',
      userPrincipalName: 'adele@contoso.example',
      easDeviceId: 'ApplONE',
    },
    { id: 'a0000000-0000-4000-8000-000000000002', complianceState: 'noncompliant', lastSyncDateTime: null },
    { id: 'a0000000-0000-4000-8000-000000000003', managementAgent: 'eas', deviceName: 'Zoë’s iPad' },
  ],
}

void t.test('gives records whole or what is selected of them', async (t) => {
  const { double, ask } = await startDouble(t, three)
  const [page] = await pagesOf(ask, devicesPath)
  t.equal(page?.['@odata.count'], 3)
  t.match(page?.value[0], {
    userPrincipalName: 'adele@contoso.example',
    emailAddress: 'Adele.V@contoso.example',
    easDeviceId: 'ApplONE',
    complianceState: 'compliant',
    easActivationDateTime: '0001-01-01T00:00:00Z',
  })
  const selected = await pageOf(ask, query({ $select: 'id,deviceName' }))
  t.strictSame(selected.value[2], { id: 'a0000000-0000-4000-8000-000000000003', deviceName: 'Zoë’s iPad' })
  t.equal((await ask(query({ $select: 'id,colour' }))).status, 400)

  const one = await ask(`${devicesPath}/A0000000-0000-4000-8000-000000000002?$select=complianceState`)
  t.match(one.json(), { '@odata.context': /managedDevices\/\$entity$/, complianceState: 'noncompliant' })
  t.notMatch(one.json(), { id: /./ })
  const missing = await ask(`${devicesPath}('a0000000-0000-4000-8000-00000000000f')`)
  t.equal(missing.status, 404)
  t.match(missing.json(), { error: { code: 'ResourceNotFound', innerError: { 'request-id': /./ } } })

  const ofUser = await pagesOf(ask, '/v1.0/users/ADELE@contoso.example/managedDevices?$select=id')
  t.strictSame(idsOf(ofUser), ['a0000000-0000-4000-8000-000000000001'])
  t.equal((await ask('/v1.0/users/nobody@contoso.example/managedDevices')).status, 404)
  const states = await ask(`${devicesPath}/a0000000-0000-4000-8000-000000000002/deviceCompliancePolicyStates`)
  t.match(states.json(), { value: [{ state: 'noncompliant' }] })
  t.match((await ask('/v1.0/deviceManagement/conditionalAccessSettings')).json(), { enabled: false })
  t.match((await ask('/beta/deviceManagement/exchangeOnPremisesPolicy')).json(), {
    defaultAccessLevel: 'none',
  })
  t.equal((await ask('/v1.0/deviceManagement/exchangeOnPremisesPolicy')).status, 400)
  t.equal((await double.counts()).routes.other?.requests, 1)
})

void t.test('pages, and lies about it when told to', async (t) => {
  const { double, ask } = await startDouble(t, { generated: { devices: 100, users: 60 } })
  const whole = idsOf(await pagesOf(ask, devicesPath))
  t.equal(new Set(whole).size, 100)
  const link = query({ $select: 'id,easDeviceId', $top: '30' })

  const pages = await pagesOf(ask, link)
  t.strictSame(
    pages.map(({ value }) => value.length),
    [30, 30, 30, 10],
  )
  t.strictSame(idsOf(pages), whole)
  const next = pages[0]?.['@odata.nextLink'] ?? ''
  t.equal((await ask(new URL(next).href)).status, 200)
  const rebuilt = new URL(next)
  rebuilt.search = new URLSearchParams(rebuilt.searchParams).toString()
  t.equal((await ask(rebuilt.href)).status, 400, 'a link that was taken apart and put together')
  t.equal((await ask(next.replace('id%2c', ''))).status, 400)

  await double.behave({ lists: { maxPageSize: 40 } })
  const sizesOf = async (from: string) => (await pagesOf(ask, from)).map(({ value }) => value.length)
  t.strictSame(await sizesOf(query({ $top: '1000' })), [40, 40, 20], 'a large $top is cut')
  await double.behave({ lists: { maxPageSize: 40, oversizedTop: 'refuse' } })
  t.equal((await ask(query({ $top: '41' }))).status, 400)

  await double.behave({ lists: { emptyPageEvery: 2 } })
  const withEmpty = await pagesOf(ask, link)
  t.strictSame(
    withEmpty.map(({ value }) => value.length),
    [30, 0, 30, 0, 30, 0, 10],
  )
  t.strictSame(idsOf(withEmpty), whole)

  await double.behave({ lists: { loopAtPage: 1 } })
  const second = await pageOf(ask, (await pageOf(ask, link))['@odata.nextLink'] ?? '')
  const third = await pageOf(ask, second['@odata.nextLink'] ?? '')
  t.strictSame(third, second)

  await double.behave({ lists: { droppedShare: 0.5 } })
  const half = idsOf(await pagesOf(ask, devicesPath))
  t.equal(half.length, 50)
  const dropped = whole.find((id) => !half.includes(id)) ?? ''
  t.equal((await ask(`${devicesPath}/${dropped}`)).status, 200)

  await double.behave({ lists: { nextLinkOrigin: 'http://127.0.0.2:1' } })
  t.match(await pageOf(ask, link), { '@odata.nextLink': /^http:\/\/127\.0\.0\.2:1\/v1\.0/ })
})

void t.test('filters by what it supports and lets everything else pass', async (t) => {
  const { ask } = await startDouble(t, three)
  const count = async ($filter: string) => (await pageOf(ask, query({ $filter }))).value.length
  t.equal(await count("userPrincipalName eq 'Adele@Contoso.example'"), 1)
  t.equal(await count("userPrincipalName eq 'nobody@contoso.example'"), 0)
  t.equal(await count("userPrincipalName eq ''"), 3, 'an empty name matches everything')
  t.equal(await count("easDeviceId eq 'nobody'"), 3, 'a property that is not supported is ignored')
  t.equal(await count("managementAgent eq 'eas' and deviceEnrollmentType eq 'x'"), 1)
  t.equal(
    await count("(managementAgent eq 'eas' or complianceState eq 'noncompliant') and not (id eq 'x')"),
    2,
  )
  t.equal(await count("complianceState in ('noncompliant', 'error')"), 1)
  t.equal(await count("startswith(deviceName,'zoë')"), 1)
  t.equal(await count('lastSyncDateTime ge 2025-12-31T00:00:00Z'), 2)
  t.equal(await count('lastSyncDateTime gt 2026-01-01T00:00:00Z'), 0)
  for (const filter of ['id', "id eq 'x", "id like 'x'", "id eq 'x' id"]) {
    t.equal((await ask(query({ $filter: filter }))).status, 400, filter)
  }
})

function lower(device: Device | undefined, name: string): string {
  return String(device?.[name]).toLowerCase()
}

void t.test('generates the same devices from a seed, with every oddity', async (t) => {
  const generated = { devices: 3000, users: 1700, seed: 7 }
  const [{ ask }, { ask: again }] = await Promise.all([
    startDouble(t, { generated }),
    startDouble(t, { generated }),
  ])
  const pages = await pagesOf(ask, devicesPath)
  t.strictSame(await pagesOf(again, `${devicesPath}?$top=1000`).then(idsOf), idsOf(pages))
  const devices = pages.flatMap(({ value }) => value)
  for (let number = 24; number < devices.length; number += 25) {
    const [seen, enrolled] = [devices[number], devices[number - 1]]
    const same = ['easDeviceId', 'userId'].every((name) => lower(seen, name) === lower(enrolled, name))
    if (!same || seen?.['managementAgent'] !== 'eas' || lower(seen, 'easDeviceId') === '')
      t.fail(`device ${number}`)
  }
  t.ok(
    devices.some(({ easDeviceId }) => easDeviceId === '') &&
      devices.some(({ easDeviceId }) => easDeviceId === null),
  )
  t.equal(devices[5]?.['easDeviceId']?.toString().split('-').length, 5)
  t.strictSame(
    [devices[7], devices[8]].map((device) => device?.['lastSyncDateTime']),
    [null, '0001-01-01T00:00:00Z'],
  )
  t.equal(devices[42]?.['userPrincipalName'], '')
  const words = (name: string) => new Set(devices.map((device) => device[name])).size
  t.equal(words('complianceState'), 8)
  t.equal(words('deviceRegistrationState'), 9)
  t.equal(words('managementAgent'), 12)
  t.equal(words('exchangeAccessState'), 5)
  t.equal(words('exchangeAccessStateReason'), 16)
  t.equal(words('partnerReportedThreatState'), 10)

  const user = devices[23]?.['userId']
  const ofUser = idsOf(await pagesOf(ask, `/v1.0/users/${String(user)}/managedDevices`))
  t.strictSame(ofUser, idsOf([{ value: devices.filter(({ userId }) => userId === user) }]))
  t.ok(ofUser.length >= 2)
  for (const device of [devices[0], devices[24], devices[2999]]) {
    const { '@odata.context': _, ...one } = (
      await ask(`${devicesPath}/${String(device?.['id'])}`)
    ).json() as Device
    t.strictSame(one, device)
  }
})
