import t from 'tap'
import { idsOf, pageOf, pagesOf, startDouble, withOptions, type Page } from '../support/graph-double/pages.ts'
import { defaults, type ScenarioInput } from '../support/graph-double/scenario.ts'
import { signIn, type Ask } from '../support/graph-double/sign-in.ts'

const [allStaff, sales, loop] = [1, 2, 3].map((number) => `9000000${number}-0000-4000-8000-000000000000`) as [
  string,
  string,
  string,
]
const adele = 'b0000000-0000-4000-8000-000000000001'
const diego = 'b0000000-0000-4000-8000-000000000002'
const eventual = { ConsistencyLevel: 'eventual' }

/** All staff holds sales, which holds a group that holds all staff. */
const nested: ScenarioInput = {
  generated: { users: 30, devices: 0 },
  users: [
    {
      id: adele,
      userPrincipalName: 'adele@contoso.example',
      mail: 'Adele.V@contoso.example',
      proxyAddresses: ['SMTP:Adele.V@contoso.example', 'smtp:av@alias.example'],
      onPremisesSamAccountName: 'adelev',
    },
    { id: diego, userPrincipalName: 'diego@contoso.example' },
  ],
  groups: [
    { id: allStaff, displayName: 'All staff', members: ['Sales', 'adele@contoso.example'] },
    { id: sales, displayName: 'Sales', members: ['Loop', diego, adele], generatedUsers: { from: 0, to: 20 } },
    { id: loop, displayName: 'Loop', members: ['All staff'] },
  ],
}

void t.test('gives users by id or name, and their aliases only where they are selected', async (t) => {
  const { ask } = await startDouble(t, nested)
  const whole = await ask('/v1.0/users/Adele@contoso.example')
  t.match(whole.json(), { id: adele, mail: 'Adele.V@contoso.example' })
  t.notMatch(whole.json(), { proxyAddresses: [] })
  const selected = await ask(
    `/v1.0/users/${adele}?$select=id,proxyAddresses,onPremisesSamAccountName,otherMails`,
  )
  t.match(selected.json(), {
    proxyAddresses: ['SMTP:Adele.V@contoso.example', 'smtp:av@alias.example'],
    onPremisesSamAccountName: 'adelev',
    otherMails: [],
  })
  const missing = await ask('/v1.0/users/nobody@contoso.example')
  t.equal(missing.status, 404)
  t.match(missing.json(), { error: { code: 'Request_ResourceNotFound' } })

  const find = async ($filter: string) => idsOf(await pagesOf(ask, withOptions('/v1.0/users', { $filter })))
  t.strictSame(await find("proxyAddresses/any(a:a eq 'smtp:AV@alias.example')"), [adele])
  t.strictSame(await find(`id in ('${adele}', '${diego}')`), [adele, diego])
  t.strictSame(await find("userPrincipalName eq ''"), [])
  const generated = await pageOf(ask, '/v1.0/users?$top=1&$select=id,userPrincipalName,mail')
  t.strictSame(
    await find(`userPrincipalName eq '${String(generated.value[0]?.['userPrincipalName'])}'`),
    idsOf([generated]),
  )
  const third = await find("userPrincipalName eq 'user.3@contoso.example'")
  t.strictSame(await find("proxyAddresses/any(a:a eq 'smtp:USER.3@alias.contoso.example')"), third)
  t.strictSame(await find("onPremisesSamAccountName eq 'adelev' or mail eq 'user.3@contoso.example'"), [
    ...third,
    adele,
  ])
  t.equal(
    (await ask(withOptions('/v1.0/users', { $filter: "jobTitle eq 'x'" }))).status,
    400,
    'the directory says so',
  )
  t.equal((await ask('/v1.0/users?$top=1000')).status, 400)
  t.strictSame(
    (await pagesOf(ask, '/v1.0/users?$top=20')).map(({ value }) => value.length),
    [20, 12],
  )
})

void t.test('knows members through other groups, each once, though groups may be in a circle', async (t) => {
  const { double, ask } = await startDouble(t, nested)
  const found = await pageOf(ask, withOptions('/v1.0/groups', { $filter: "displayName eq 'all staff'" }))
  t.strictSame(idsOf([found]), [allStaff])
  t.match((await ask(`/v1.0/groups/${sales}`)).json(), { displayName: 'Sales' })

  const pages = await pagesOf(
    ask,
    `/v1.0/groups/${allStaff}/transitiveMembers?$top=5&$select=id,userPrincipalName`,
  )
  const members = pages.flatMap(({ value }) => value)
  t.ok(pages.length > 4)
  t.equal(members.length, 24)
  t.equal(new Set(idsOf(pages)).size, 24)
  t.match(members[0], { '@odata.type': '#microsoft.graph.group', id: sales })
  t.notMatch(members[0], { userPrincipalName: /./ })

  await double.behave({ lists: { routes: ['transitiveMembers'], maxPageSize: 10, loopAtPage: 1 } })
  const looping = `/v1.0/groups/${allStaff}/transitiveMembers`
  const second = await pageOf(ask, (await pageOf(ask, looping))['@odata.nextLink'] ?? '')
  t.equal(second.value.length, 10)
  t.strictSame(await pageOf(ask, second['@odata.nextLink'] ?? ''), second)
  await double.behave({ lists: {} })

  const cast = `/v1.0/groups/${allStaff}/transitiveMembers/microsoft.graph.user?$count=true&$top=10&$select=id`
  t.equal((await ask(cast)).status, 400, 'a cast needs the header')
  const first = await pageOf(ask, cast, eventual)
  t.equal((await ask(first['@odata.nextLink'] ?? '')).status, 400, 'on each page')
  t.equal(idsOf(await pagesOf(ask, cast, eventual)).length, 22)

  const memberOf = `/v1.0/users/${diego}/transitiveMemberOf`
  t.strictSame(new Set(idsOf(await pagesOf(ask, `${memberOf}?$top=2`))), new Set([sales, allStaff, loop]))
  const check = (groupIds: readonly string[]) =>
    ask(`/v1.0/users/diego@contoso.example/checkMemberGroups`, { method: 'POST', body: { groupIds } })
  t.match((await check([loop, adele, allStaff])).json(), { value: [loop, allStaff] })
  t.equal((await check(Array.from({ length: 21 }, () => sales))).status, 400)

  await double.behave({ index: 'frozen' })
  await double.changeMembers('Sales', { remove: ['diego@contoso.example'] })
  t.strictSame(idsOf(await pagesOf(ask, memberOf)), [])
  const stale = await pagesOf(ask, `${memberOf}/microsoft.graph.group?$count=true`, eventual)
  t.equal(idsOf(stale).length, 3, 'the index still has it')
  await double.behave({ index: 'current' })
  t.strictSame(idsOf(await pagesOf(ask, `${memberOf}/microsoft.graph.group?$count=true`, eventual)), [])
})

void t.test('gives members without the permission for users as ids and nothing more', async (t) => {
  const { double } = await startDouble(t, nested)
  await double.changeApp(defaults.clientId, { permissions: ['GroupMember.Read.All'] })
  const ask = await signIn(double)
  const { value } = await pageOf(
    ask,
    `/v1.0/groups/${allStaff}/transitiveMembers?$select=id,userPrincipalName`,
  )
  const user = value.find(({ id }) => id === adele)
  t.strictSame(user, { '@odata.type': '#microsoft.graph.user', id: adele, userPrincipalName: null })
  t.equal((await ask(`/v1.0/users/${adele}/transitiveMemberOf`)).status, 403)
})

type Item = Readonly<Record<string, unknown>>

/** What is told of the members of a group. */
function membersOf(items: readonly Item[], group: string): readonly Item[] {
  const ofGroup = items.filter(({ id }) => id === group)
  return ofGroup.flatMap((item) => (item['members@delta'] ?? []) as readonly Item[])
}

/** A whole round of changes: its items, and the link for the next. */
async function round(
  ask: Ask,
  link: string,
): Promise<{ items: readonly Item[]; next: string; pages: readonly Page[] }> {
  const pages = await pagesOf(ask, link)
  return { items: pages.flatMap(({ value }) => value), next: pages.at(-1)?.['@odata.deltaLink'] ?? '', pages }
}

void t.test('tells changes of groups: direct members, by pages, until it forgets', async (t) => {
  const { double, ask } = await startDouble(t, { ...nested, behaviour: { delta: { pageSize: 8 } } })
  const start = withOptions('/v1.0/groups/delta', {
    $select: 'displayName,members',
    $filter: `id eq '${sales}' or id eq '${loop}'`,
  })
  const first = await round(ask, start)
  t.strictSame(new Set(first.items.map(({ id }) => id)), new Set([sales, loop]))
  t.equal(membersOf(first.items, sales).length, 23)
  t.ok(first.items.filter(({ id }) => id === sales).length > 2, 'a large group comes again')
  t.strictSame(membersOf(first.items, loop), [{ '@odata.type': '#microsoft.graph.group', id: allStaff }])
  t.strictSame((await round(ask, first.next)).items, [])

  await double.changeMembers(sales, { add: ['All staff'], remove: ['diego@contoso.example'] })
  await double.changeMembers('All staff', { add: [diego] })
  await double.change('groups', loop, { description: 'not selected' })
  await double.remove('users', adele)
  const second = await round(ask, first.next)
  t.strictSame(new Set(second.items.map(({ id }) => id)), new Set([sales]), 'only what was asked for')
  const [added, ...left] = membersOf(second.items, sales)
  t.strictSame(added, { '@odata.type': '#microsoft.graph.group', id: allStaff })
  const removed = { '@odata.type': '#microsoft.graph.user', '@removed': { reason: 'deleted' } }
  t.strictSame(
    left,
    [diego, adele].map((id) => ({ ...removed, id })),
  )

  await double.remove('groups', loop, 'changed')
  await double.behave({ delta: { repeatItems: true } })
  const third = await round(ask, second.next)
  t.strictSame(
    third.items.map(({ id }) => id),
    [loop, sales, sales],
    'sales lost it as a member; in any order, and twice',
  )
  t.strictSame(third.items[0], { id: loop, '@removed': { reason: 'changed' } })

  const latest = await round(ask, '/v1.0/groups/delta?$deltatoken=latest')
  t.strictSame(latest.items, [])
  await double.expireDeltaTokens()
  const gone = await ask(latest.next)
  t.equal(gone.status, 410)
  t.match(gone.headers, { location: /\/groups\/delta\?\$deltatoken=$/ })
  await double.behave({ delta: { expiredStatus: 400 } })
  t.match((await ask(latest.next)).json(), { error: { code: 'syncStateNotFound' } })
  const many = Array.from({ length: 51 }, () => `id eq '${sales}'`).join(' or ')
  t.equal((await ask(withOptions('/v1.0/groups/delta', { $filter: many }))).status, 400)
})

void t.test('has directory devices beside the managed ones, and tells their changes', async (t) => {
  const { double, ask } = await startDouble(t, {
    generated: { devices: 200, users: 100 },
    behaviour: { delta: { pageSize: 50 } },
  })
  const managed = await pagesOf(ask, '/v1.0/deviceManagement/managedDevices?$select=azureADDeviceId')
  const known = managed.flatMap(({ value }) => value.map(({ azureADDeviceId }) => azureADDeviceId))
  const noDevice = '00000000-0000-0000-0000-000000000000'
  const listed = await pagesOf(ask, '/v1.0/devices?$top=100')
  const deviceIds = listed.flatMap(({ value }) => value.map(({ deviceId }) => deviceId))
  t.strictSame(
    deviceIds,
    known.filter((id) => id !== noDevice),
  )
  const filter = withOptions('/v1.0/devices', { $filter: `deviceId eq '${String(deviceIds[3])}'` })
  const [device] = (await pageOf(ask, filter)).value
  t.match(device, { deviceId: deviceIds[3], accountEnabled: Boolean, trustType: String })

  const first = await round(ask, '/v1.0/devices/delta?$select=deviceId,isCompliant')
  t.equal(first.items.length, deviceIds.length)
  t.ok(first.pages.length >= 4)
  const id = String(device?.['id'])
  await double.change('directoryDevices', id, { isCompliant: false })
  await double.change('directoryDevices', 0, { displayName: 'not selected' })
  const second = await round(ask, first.next)
  t.strictSame(second.items, [{ id, deviceId: deviceIds[3], isCompliant: false }])
  await double.remove('directoryDevices', id)
  t.strictSame((await round(ask, second.next)).items, [{ id, '@removed': { reason: 'deleted' } }])
  t.equal((await ask(`/v1.0/devices/${id}`)).status, 404)
})
