import t from 'tap'
import type { DeviceQuery } from '#directory/list-devices.ts'
import type { Store } from '#directory/store.ts'
import { phone, phones, sighting, testStore } from '../support/directory-store.ts'

const alice = 'alice@example.com'
const bob = 'bob@example.com'

/** Every page of a query, as `user deviceId`. */
async function list(store: Store, query: DeviceQuery = {}): Promise<readonly string[]> {
  const page = await store.devices(query)
  const found = page.devices.map(({ user, deviceId }) => `${user} ${deviceId}`)
  return page.next === undefined ? found : [...found, ...(await list(store, { ...query, cursor: page.next }))]
}

async function filled(store: Store): Promise<void> {
  await store.upsert('file', [
    phone(alice, 'ApplA', { groups: ['staff'], aliases: ['al'], platform: 'iOS' }),
    phone(alice, 'ApplOld', { platform: 'iOS' }),
    phone(bob, 'androidB', { platform: 'Android' }),
  ])
  await store.recordSightings([
    sighting({ action: 'allow', reason: 'compliant', allowed: true }),
    sighting({ deviceId: 'WinA', deviceKey: 'wina', platform: 'Windows' }),
    sighting({ user: 'guest', deviceId: 'ApplG', deviceKey: 'applg', reason: 'noncompliant' }),
  ])
}

void t.test('lists what is on record and what was seen, by user and device', async (t) => {
  const { store } = testStore(t)
  await filled(store)
  t.same(await list(store), [
    `${alice} ApplA`,
    `${alice} ApplOld`,
    `${alice} WinA`,
    `${bob} androidB`,
    'guest ApplG',
  ])
  const { devices } = await store.devices({ user: alice })
  t.match(devices[0], {
    deviceKey: 'appla',
    groups: ['staff'],
    facts: { complianceState: 'compliant', origin: { sources: ['file'] } },
    records: [{ source: 'file', deviceId: 'ApplA', facts: { enrolled: true } }],
    seen: { action: 'allow', reason: 'compliant', client: 'Apple Mail' },
  })
  t.equal(devices[1]?.seen, undefined)
  t.equal(devices[2]?.facts, undefined)
})

void t.test('filters', async (t) => {
  const { store } = testStore(t)
  await filled(store)
  t.same(await list(store, { user: 'AL' }), [`${alice} ApplA`, `${alice} ApplOld`, `${alice} WinA`])
  t.same(await list(store, { user: 'guest' }), ['guest ApplG'])
  t.same(await list(store, { state: 'block' }), [`${alice} WinA`, 'guest ApplG'])
  t.same(await list(store, { reason: 'noncompliant' }), ['guest ApplG'])
  t.same(await list(store, { platform: 'ios' }), [`${alice} ApplA`, `${alice} ApplOld`, 'guest ApplG'])
  t.same(await list(store, { group: 'Staff', state: 'allow' }), [`${alice} ApplA`])
  t.same(await list(store, { user: alice, platform: 'Android' }), [])
})

void t.test('pages by cursor, over changes in between', async (t) => {
  const { store } = testStore(t)
  await store.upsert('file', phones(450))
  const all = await list(store)
  t.equal(all.length, 450)
  t.equal(new Set(all).size, 450)
  t.same(await list(store, { limit: 7 }), all)
  t.same(await list(store, { limit: 200, user: 'user7@example.com' }), ['user7@example.com Appl7'])
  const first = await store.devices({})
  t.equal(first.devices.length, 100)
  store.remove(first.devices[99]?.user ?? '', first.devices[99]?.deviceId ?? '')
  const second = await store.devices({ cursor: first.next ?? '' })
  t.equal(`${second.devices[0]?.user} ${second.devices[0]?.deviceId}`, all[100])
  for (const cursor of ['', 'x', 'W10', Buffer.from('{}').toString('base64url')]) {
    await t.rejects(store.devices({ cursor }), { code: 'CURSOR_INVALID' })
  }
})

void t.test('one device, by any name and spelling', async (t) => {
  const { store } = testStore(t)
  await filled(store)
  t.match(store.device('AL', 'APPLA'), { user: alice, deviceId: 'ApplA' })
  t.match(store.device(alice, Buffer.from('ApplA').toString('hex')), { user: alice, deviceId: 'ApplA' })
  t.equal(store.device(bob, 'ApplA'), undefined)
})

void t.test('counts the pairs by what they met last', async (t) => {
  const { store } = testStore(t)
  await filled(store)
  t.same(await store.deviceCounts(), [
    { state: 'allow', platform: 'iOS', devices: 1 },
    { state: 'block', platform: 'Windows', devices: 1 },
    { state: 'block', platform: 'iOS', devices: 1 },
  ])
})
