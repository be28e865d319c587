import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import type { Override } from '#policy/facts.ts'
import { phone, testStore } from '../support/directory-store.ts'

const alice = 'alice@example.com'
const pair = { user: alice, deviceId: 'ApplA' }
const lost: Override = { action: 'block', exclusive: false, note: 'lost in a taxi' }
const trip: Override = {
  action: 'allow',
  until: 9_000_000,
  exclusive: true,
  note: 'until the new phone comes',
}
const none = { exclusiveAllows: [], revision: 0 }

/** Revision, user, device id and record of each row of the outbox that tells of an override. */
function outboxOf(path: string): readonly unknown[] {
  const database = new DatabaseSync(path, { readOnly: true })
  const rows = database
    .prepare("SELECT revision, user, device_id, record FROM outbox WHERE kind = 'override' ORDER BY revision")
    .all()
  database.close()
  return rows.map(({ revision, user, device_id: deviceId, record }) => [
    revision,
    user,
    deviceId,
    record === null ? null : (JSON.parse(String(record)) as unknown),
  ])
}

void t.test('an override is set, replaced and removed; each is told, audited and replicated', async (t) => {
  const { store, changes, clock, path } = testStore(t)
  const at = clock.now
  t.same(store.setOverride(pair, lost, 'api'), [
    { kind: 'override', revision: 1, user: alice, deviceKey: 'appla' },
  ])
  t.same(store.overrides(alice, [], 'appla'), { override: lost, exclusiveAllows: [], revision: 1 })
  clock.now += 1000
  store.setOverride({ ...pair, deviceId: 'APPLA' }, trip, 'api')
  t.same(store.overrides(alice, [], 'appla'), { override: trip, exclusiveAllows: [], revision: 2 })
  t.match(store.device(alice, 'appla'), {
    deviceId: 'APPLA',
    override: { ...trip, actor: 'api', at: clock.now },
  })
  clock.now += 1000
  store.removeOverride(pair, 'api')
  t.same(store.overrides(alice, [], 'appla'), none)
  t.equal(changes.length, 3)
  t.equal(store.currentRevision(), 3)
  const detail = { note: trip.note, until: '1970-01-01T02:30:00.000Z', exclusive: true }
  t.same(store.auditEvents({ user: alice }).events, [
    { at: at + 2000, actor: 'api', event: 'personal-allow-removed', user: alice, deviceId: 'APPLA', detail },
    { at: at + 1000, actor: 'api', event: 'personal-allow-set', user: alice, deviceId: 'APPLA', detail },
    { at, actor: 'api', event: 'personal-block-set', ...pair, detail: { note: lost.note } },
  ])
  t.same(outboxOf(path), [
    [1, alice, 'ApplA', { ...lost, actor: 'api', at }],
    [2, alice, 'APPLA', { ...trip, actor: 'api', at: at + 1000 }],
    [3, alice, 'APPLA', null],
  ])
})

void t.test('the same word again, and the removal of nothing, are no change', async (t) => {
  const { store, changes } = testStore(t)
  t.same(store.removeOverride(pair, 'api'), [])
  store.setOverride(pair, trip, 'api')
  t.same(store.setOverride({ ...pair, deviceId: 'appla' }, trip, 'api'), [])
  t.equal(changes.length, 1)
  t.equal(store.currentRevision(), 1)
  t.equal(store.auditEvents({}).events.length, 1)
  for (const other of [{ ...trip, note: 'x' }, { ...trip, exclusive: false }, { ...trip, until: 1 }, lost]) {
    t.equal(store.setOverride(pair, other, 'api').length, 1)
  }
})

void t.test('a device that was never seen and is not on record is listed by its override', async (t) => {
  const { store } = testStore(t)
  await store.upsert('file', [phone(alice, 'ApplB')])
  store.setOverride(pair, lost, 'api')
  store.setOverride({ user: 'guest', deviceId: 'ApplG' }, trip, 'api')
  t.match(store.device(alice, 'appla'), { user: alice, deviceId: 'ApplA', records: [], override: lost })
  const list = async (override?: 'allow' | 'block' | 'any') =>
    (await store.devices(override === undefined ? {} : { override })).devices.map(({ deviceId }) => deviceId)
  t.same(await list(), ['ApplA', 'ApplB', 'ApplG'])
  t.same(await list('any'), ['ApplA', 'ApplG'])
  t.same(await list('allow'), ['ApplG'])
  t.same(await list('block'), ['ApplA'])
})

void t.test('exclusive allows are told of the other devices of the same user', async (t) => {
  const { store } = testStore(t)
  store.setOverride(pair, { ...trip, exclusive: true }, 'api')
  store.setOverride({ ...pair, deviceId: 'ApplB' }, { ...trip, exclusive: false }, 'api')
  store.setOverride({ ...pair, user: 'guest' }, { action: 'allow', exclusive: true, note: 'x' }, 'api')
  t.match(store.overrides(alice, [], 'appla'), { override: trip, exclusiveAllows: [] })
  t.match(store.overrides(alice, [], 'applb').exclusiveAllows, [{ deviceKey: 'appla', until: 9_000_000 }])
  t.same(store.overrides(alice, [], undefined), {
    exclusiveAllows: [{ deviceKey: 'appla', until: 9_000_000 }],
    revision: 1,
  })
  t.same(store.overrides('guest', [], 'applb').exclusiveAllows, [{ deviceKey: 'appla' }])
  t.same(store.overrides('other', [], 'applb'), none)
})

void t.test(
  'a block stays when the directory learns whose alias its name is; an allow does not',
  async (t) => {
    const { store, path } = testStore(t)
    const literal = { user: 'example\\alice', deviceId: 'ApplA' }
    store.setOverride(literal, lost, 'api')
    store.setOverride({ ...literal, deviceId: 'ApplB' }, { ...trip, exclusive: true }, 'api')
    await store.upsert('file', [{ user: alice, aliases: ['example\\alice', 'al'] }])
    const ofAlice = (deviceKey: string) => store.overrides(alice, store.userFacts(alice).aliases, deviceKey)
    t.same(ofAlice('appla').override, lost)
    t.same([ofAlice('applb'), ofAlice('applc')], [none, none])
    t.match(store.device(alice, 'ApplA')?.override, lost)

    t.match(store.setOverride(pair, trip, 'api'), [
      { kind: 'override', user: literal.user },
      { kind: 'override', user: alice },
      { kind: 'override', user: alice, deviceKey: 'appla' },
    ])
    t.same(ofAlice('appla').override, trip, 'the new word is the only one')
    t.same(store.overrides(literal.user, [], 'appla').override, undefined)
    t.match(outboxOf(path).slice(-2), [
      [Number, literal.user, 'ApplA', null],
      [Number, alice, 'ApplA', trip],
    ])
  },
)

void t.test('a block under a name of two users stands for both, and is told of both', async (t) => {
  const { store } = testStore(t)
  const bob = 'bob@example.com'
  await store.upsert('file', [
    { user: alice, aliases: ['shared'] },
    { user: bob, aliases: ['shared'] },
  ])
  store.setOverride(pair, trip, 'api')
  const changes = store.setOverride({ user: 'shared', deviceId: 'ApplA' }, lost, 'api')
  t.same(
    changes.map((change) => change.kind === 'override' && change.user),
    ['shared', alice, bob],
  )
  for (const user of [alice, bob]) t.same(store.overrides(user, ['shared'], 'appla').override, lost)
  t.equal(store.removeOverride(pair, 'api').length, 4, "alice's allow, and the block of all three names")
  for (const user of [alice, bob]) t.same(store.overrides(user, ['shared'], 'appla'), none)
})

void t.test('an override is in the backup and in the count of rows', async (t) => {
  const { store, path } = testStore(t)
  store.setOverride(pair, lost, 'api')
  t.equal(store.check().rows['overrides'], 1)
  await store.backup(`${path}.backup`)
  const copy = new DatabaseSync(`${path}.backup`, { readOnly: true })
  t.match(copy.prepare('SELECT * FROM overrides').all(), [{ user: alice, action: 'block', note: lost.note }])
  copy.close()
})
