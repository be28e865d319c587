import t, { type Test } from 'tap'
import { createGroups } from '#sources/intune/groups.ts'
import type { ScenarioInput } from '../../support/graph-double/scenario.ts'
import { intuneTest } from '../../support/intune.ts'

const adele = 'adele@contoso.example'
const bob = 'bob@contoso.example'
const guid = (number: number) => `a0000000-0000-4000-8000-${String(number).padStart(12, '0')}`
const [sales, field, board] = [guid(800), guid(801), guid(802)]

/** Sales has the group Field in it, and Field has Bob. */
const scenario: ScenarioInput = {
  users: [
    { id: guid(900), userPrincipalName: adele },
    { id: guid(901), userPrincipalName: bob },
  ],
  groups: [
    { id: field, displayName: 'Field', members: [bob] },
    { id: sales, displayName: 'Sales', members: [adele, field] },
    { id: board, displayName: 'Board', members: [] },
  ],
}

async function grouped(t: Test, given: ScenarioInput = scenario) {
  const test = await intuneTest(t, given)
  const { context, store, signal, double } = test
  const groups = createGroups(context)
  return {
    ...test,
    groups,
    read: () => groups.read(signal),
    of: (user: string) => store.userFacts(user).value?.groups ?? [],
    reads: async () => (await double.counts()).routes.transitiveMembers?.requests ?? 0,
  }
}

void t.test('members of groups within a group are members of it, by display name or id', async (t) => {
  const { groups, read, of, store } = await grouped(t)
  groups.setNames(['sales', board])
  t.strictSame(store.unreadGroups(), [board, 'sales'].toSorted(), 'unread until they are read')
  t.equal(await read(), undefined)
  t.strictSame(store.unreadGroups(), [])
  t.strictSame([of(adele), of(bob)], [['sales'], ['sales']])
})

void t.test('the delta tells of direct members only: a change in a nested group is noticed', async (t) => {
  const { groups, read, of, double, reads } = await grouped(t)
  groups.setNames(['sales'])
  await read()
  const before = await reads()
  await read()
  t.equal(await reads(), before, 'nothing is read again where nothing changed')

  await double.changeMembers('Field', { remove: [bob] })
  t.equal(await read(), undefined)
  t.strictSame([of(adele), of(bob)], [['sales'], []])
})

void t.test('a delta token that is too old (410, or 400 syncStateNotFound) starts over', async (t) => {
  for (const expiredStatus of [410, 400] as const) {
    const { groups, read, of, double } = await grouped(t, {
      ...scenario,
      behaviour: { delta: { expiredStatus } },
    })
    groups.setNames(['sales'])
    await read()
    await double.expireDeltaTokens()
    await double.changeMembers('Sales', { remove: [adele] })
    t.equal(await read(), undefined, String(expiredStatus))
    t.strictSame(of(adele), [], String(expiredStatus))
  }
})

void t.test('of two groups with one name neither is read: the policy must name the id', async (t) => {
  const twice = { id: guid(803), displayName: 'SALES', members: [bob] }
  const { groups, read, store } = await grouped(t, {
    ...scenario,
    groups: [...(scenario.groups ?? []), twice],
  })
  groups.setNames(['sales', 'nobody knows'])
  const error = await read()
  t.match(error, /2 groups named sales: name the one that is meant by its id/)
  t.match(error, /no group nobody knows/)
  t.strictSame(store.unreadGroups(), ['nobody knows', 'sales'])
})

void t.test('members without their names are a permission that lacks, told with the fix', async (t) => {
  const { groups, read, store } = await grouped(t, {
    ...scenario,
    apps: [{ permissions: ['GroupMember.Read.All'] }],
  })
  groups.setNames(['sales'])
  await t.rejects(read(), { code: 'GRAPH_FORBIDDEN', message: /User\.Read\.All/ })
  t.strictSame(store.unreadGroups(), ['sales'])
})

void t.test('a look-up tells of nested groups too, and of nobody who is not there', async (t) => {
  const { groups, read, signal } = await grouped(t)
  groups.setNames(['sales', 'board'])
  await read()
  t.strictSame(await groups.ofUser(guid(901), signal), ['sales'])
  t.equal(await groups.ofUser(guid(999), signal), undefined)
})
