import t from 'tap'
import { testStore } from '../support/directory-store.ts'

const alice = 'alice@example.com'
const bob = 'bob@example.com'
const noGroups: ReadonlySet<string> = new Set()

void t.test('users are written with their names, and who is not listed stays until removed', async (t) => {
  const { store } = testStore(t, ['intune'])
  const first = store.sweepUsers('intune', noGroups)
  await first.add([{ user: alice, aliases: ['al'] }])
  await first.add([{ user: bob, aliases: ['bobby'] }])
  t.same([store.resolve('al'), store.resolve('bobby')], [alice, bob])
  t.equal(first.listed, 2)
  const second = store.sweepUsers('intune', noGroups)
  await second.add([{ user: alice, aliases: ['alice.a'] }])
  t.same([store.resolve('al'), store.resolve('alice.a')], [undefined, alice])
  t.same(await second.unlisted(10), { known: 2, count: 1, users: [bob] })
  second.remove(bob)
  t.equal(store.resolve('bobby'), undefined)
  second.remove('nobody@example.com')
})

void t.test('a second reading that finds the same is no change', async (t) => {
  const { store, changes } = testStore(t, ['intune'])
  const page = [{ user: alice, aliases: ['b', 'a'] }]
  await store.sweepUsers('intune', noGroups).add(page)
  changes.length = 0
  await store.sweepUsers('intune', noGroups).add(page)
  t.same(changes, [])
})

void t.test('a user that came while the pages did is not taken for unlisted', async (t) => {
  const { store } = testStore(t, ['intune'])
  const sweep = store.sweepUsers('intune', noGroups)
  await store.upsert('intune', [{ user: bob }])
  t.same(await sweep.unlisted(10), { known: 1, count: 0, users: [] })
})

void t.test('groups that the source is asked for are kept, others are not', async (t) => {
  const { store } = testStore(t, ['intune'])
  await store.upsert('intune', [{ user: alice, groups: ['wanted', 'dropped'] }])
  await store.sweepUsers('intune', new Set(['wanted'])).add([{ user: alice, aliases: [] }])
  t.same(store.userFacts(alice).value.groups, ['wanted'])
})

void t.test('members of a group', async (t) => {
  const { store } = testStore(t, ['intune'])
  await store.upsert('intune', [{ user: alice, aliases: ['al'], groups: ['other'] }])
  const first = store.sweepGroup('intune', 'sales "north"')
  await first.add([alice, bob])
  t.same(store.userFacts(alice).value.groups, ['other', 'sales "north"'])
  t.same(store.userFacts(bob).value.groups, ['sales "north"'], 'a user of whom nothing was known')
  t.equal(store.resolve('al'), alice, 'names stay')
  const second = store.sweepGroup('intune', 'sales "north"')
  await second.add([bob])
  await store.upsert('intune', [{ user: alice, aliases: ['al', 'ally'] }])
  t.same(
    await second.unlisted(10),
    { known: 2, count: 1, users: [alice] },
    'also one that was written meanwhile',
  )
  second.remove(alice)
  t.same(store.userFacts(alice).value.groups, ['other'])
})

void t.test('groups of other sources are left alone', async (t) => {
  const { store } = testStore(t, ['intune', 'file'])
  await store.upsert('file', [{ user: alice, groups: ['sales'] }])
  const sweep = store.sweepGroup('intune', 'sales')
  t.same(await sweep.unlisted(10), { known: 0, count: 0, users: [] })
  sweep.remove(alice)
  t.same(store.userFacts(alice).value.groups, ['sales'])
})

void t.test('tells whether another source that counts has anybody in a group', async (t) => {
  const { store } = testStore(t, ['intune', 'file'])
  await store.upsert('intune', [{ user: alice, groups: ['sales'] }])
  t.equal(await store.hasGroupFromOthers('intune', 'sales'), false)
  await store.upsert('file', [{ user: alice, groups: ['sales'] }])
  t.equal(await store.hasGroupFromOthers('intune', 'sales'), true)
  t.equal(await store.hasGroupFromOthers('intune', 'sale'), false)
})

void t.test('described users: what all records of one sweep say of a user stands, and no more', async (t) => {
  const { store } = testStore(t, ['http'])
  const first = store.sweepDescribedUsers('http')
  await first.add([
    { user: alice, aliases: ['al'], groups: ['staff'] },
    { user: alice, aliases: [], groups: ['board'] },
  ])
  await first.add([{ user: alice, aliases: [], groups: ['sales', 'staff'] }])
  t.same(store.userFacts(alice).value.groups, ['board', 'sales', 'staff'])
  t.equal(store.resolve('al'), alice)
  await store.sweepDescribedUsers('http').add([{ user: alice, aliases: [], groups: ['staff'] }])
  t.same(store.userFacts(alice).value.groups, ['staff'])
  t.equal(store.resolve('al'), undefined)
})

void t.test('described users: a second reading that finds the same is no change', async (t) => {
  const { store, changes } = testStore(t, ['http'])
  const page = [
    { user: alice, aliases: ['al'], groups: ['staff', 'board'] },
    { user: alice, aliases: ['al'], groups: ['board', 'staff'] },
  ]
  await store.sweepDescribedUsers('http').add(page)
  changes.length = 0
  await store.sweepDescribedUsers('http').add(page)
  t.same(changes, [])
})

void t.test('described users: who is not listed stays until removed', async (t) => {
  const { store } = testStore(t, ['http'])
  const page = [alice, bob].map((user) => ({ user, aliases: [], groups: ['staff'] }))
  await store.sweepDescribedUsers('http').add(page)
  const sweep = store.sweepDescribedUsers('http')
  await sweep.add(page.slice(0, 1))
  t.same(await sweep.unlisted(10), { known: 2, count: 1, users: [bob] })
  t.same(store.userFacts(bob).value.groups, ['staff'])
  sweep.remove(bob)
  t.equal(store.resolve(bob), undefined)
})
