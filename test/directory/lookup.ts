import t, { type Test } from 'tap'
import { createLookup, type Lookup, type LookupOptions } from '#directory/lookup.ts'
import { openStoreReader } from '#directory/store.ts'
import type { Override } from '#policy/facts.ts'
import { phone, phones, sighting, testStore, type TestStore } from '../support/directory-store.ts'

const alice = 'alice@example.com'
const bob = 'bob@example.com'

/** Of a user whose devices were never seen, and of whom no administrator spoke. */
const nothingSeen = {
  history: { allowedBefore: false },
  exclusiveAllows: [],
  otherDevices: [],
  unreadGroups: [],
}

const lost: Override = { action: 'block', exclusive: false, note: 'lost in a taxi' }
const only: Override = { action: 'allow', exclusive: true, note: 'the only one' }

interface Worker extends TestStore {
  readonly lookup: Lookup
}

/** A worker beside the owner: its own connection, and every change told to it after the commit. */
function worker(t: Test, options: Partial<LookupOptions> = {}, sourceOrder: readonly string[] = []): Worker {
  const test = testStore(t, sourceOrder)
  const store = openStoreReader(test.path, { sourceOrder })
  t.teardown(() => store.close())
  const lookup = createLookup({ store, max: 1000, ...options })
  test.store.onChange((changes) => {
    for (const change of changes) lookup.apply(change)
  })
  return { ...test, lookup }
}

void t.test('gives what is known of a login and a device', async (t) => {
  const { lookup, store } = worker(t)
  await store.upsert('api', [phone(alice, 'ApplA', { groups: ['staff'], aliases: ['example\\alice'] })])
  const facts = lookup.lookup([alice], 'appla')
  t.same(facts, {
    user: { user: alice, groups: ['staff'] },
    device: { enrolled: true, complianceState: 'compliant', origin: { sources: ['api'], asOf: 1_000_000 } },
    otherOwner: false,
    userHasEnrolledDevice: true,
    sourcesComplete: true,
    ...nothingSeen,
    revision: 2,
  })
  t.equal(lookup.lookup([alice], 'appla'), facts, 'a second time from memory')
  t.same(lookup.lookup(['EXAMPLE\\alice'], 'appla').device, facts.device)
  t.same(lookup.lookup([alice], undefined), {
    user: { user: alice, groups: ['staff'] },
    otherOwner: false,
    userHasEnrolledDevice: true,
    sourcesComplete: true,
    ...nothingSeen,
    revision: 1,
  })
})

void t.test('anew, it is read from the store: a confirmation is no change', async (t) => {
  const { lookup, store, clock, changes } = worker(t, {}, ['file'])
  await store.replace('file', [phone(alice, 'ApplA')], { complete: true })
  lookup.lookup([alice], 'appla')
  changes.length = 0
  clock.now += 60_000
  store.setSourceConfirmed('file')
  t.same(changes, [])
  t.equal(lookup.lookup([alice], 'appla').device?.origin.asOf, 1_000_000)
  const anew = lookup.lookupAnew([alice], 'appla')
  t.equal(anew.device?.origin.asOf, 1_060_000)
  t.equal(lookup.lookup([alice], 'appla'), anew, 'and held from then on')
  t.equal(lookup.size, 1)
})

void t.test('counts what was in memory and what was not', async (t) => {
  const { lookup, store } = worker(t)
  await store.upsert('api', [phone(alice, 'ApplA')])
  t.same(lookup.counts, { hits: 0, misses: 0 })
  lookup.lookup([alice], 'appla')
  lookup.lookup([alice], 'appla')
  lookup.lookup([alice], 'appla')
  lookup.resolveUser([bob])
  t.same(lookup.counts, { hits: 2, misses: 2 })
  await store.upsert('api', [phone(alice, 'ApplA', { enrolled: false })])
  lookup.lookup([alice], 'appla')
  t.same(lookup.counts, { hits: 2, misses: 3 }, 'a change costs its entries')
})

void t.test('the first name that leads to exactly one user counts', async (t) => {
  const { lookup, store } = worker(t)
  await store.upsert('api', [
    phone(alice, 'ApplA', { aliases: ['shared', 'al'] }),
    phone(bob, 'ApplB', { aliases: ['shared'] }),
  ])
  t.equal(lookup.resolveUser(['nobody', 'shared', 'al', bob]), alice)
  t.equal(lookup.resolveUser(['shared']), undefined)
  t.equal(lookup.resolveUser([]), undefined)
  t.match(lookup.lookup(['shared'], 'appla'), { device: undefined, otherOwner: true })
})

void t.test('a login that nobody has gets no device, even where its literal name is on record', async (t) => {
  const { lookup, store } = worker(t)
  await store.upsert('api', [phone(alice, 'ApplA'), { user: bob, aliases: [alice] }])
  t.match(lookup.lookup([alice], 'appla'), { user: undefined, device: undefined, otherOwner: true })
})

void t.test('the device of another user is no device of this one (T-14)', async (t) => {
  const { lookup, store } = worker(t)
  await store.upsert('api', [phone(alice, 'ApplA'), { user: bob }])
  t.match(lookup.lookup([bob], 'appla'), {
    user: { user: bob },
    device: undefined,
    otherOwner: true,
    userHasEnrolledDevice: false,
  })
})

void t.test('two pairs never share an entry (T-12)', async (t) => {
  const { lookup, store } = worker(t)
  await store.upsert('api', [phone('a', 'b.c'), phone('a","b', 'c')])
  t.equal(lookup.lookup(['a'], 'b.c').device?.enrolled, true)
  t.equal(lookup.lookup(['a","b'], 'c').device?.enrolled, true)
  t.equal(lookup.lookup(['a', 'b'], 'c').device, undefined)
  t.equal(lookup.lookup(['a', 'b', 'c'], undefined).device, undefined)
  t.equal(lookup.lookup(['__proto__'], 'constructor').device, undefined)
})

void t.test('a change is seen by the next look-up', async (t) => {
  await t.test('of the device itself', async (t) => {
    const { lookup, store } = worker(t)
    await store.upsert('api', [phone(alice, 'ApplA')])
    t.equal(lookup.lookup([alice], 'appla').device?.complianceState, 'compliant')
    await store.upsert('api', [phone(alice, 'APPLA', { complianceState: 'noncompliant' })])
    t.equal(lookup.lookup([alice], 'appla').device?.complianceState, 'noncompliant')
    store.remove(alice, 'appla')
    t.equal(lookup.lookup([alice], 'appla').device, undefined)
  })

  await t.test('from no device to one', async (t) => {
    const { lookup, store } = worker(t)
    await store.upsert('api', [{ user: alice }])
    t.equal(lookup.lookup([alice], 'appla').device, undefined)
    await store.upsert('api', [phone(alice, 'ApplA')])
    t.equal(lookup.lookup([alice], 'appla').device?.enrolled, true)
  })

  await t.test('of the owner, by other users who asked for the id, known or not', async (t) => {
    const { lookup, store } = worker(t)
    await store.upsert('api', [{ user: bob }])
    t.same(
      [lookup.lookup([bob], 'appla').otherOwner, lookup.lookup(['x'], 'appla').otherOwner],
      [false, false],
    )
    await store.upsert('api', [phone(alice, 'ApplA')])
    t.same([lookup.lookup([bob], 'appla').otherOwner, lookup.lookup(['x'], 'appla').otherOwner], [true, true])
    store.remove(alice, 'appla')
    t.same(
      [lookup.lookup([bob], 'appla').otherOwner, lookup.lookup(['x'], 'appla').otherOwner],
      [false, false],
    )
  })

  await t.test('of one device of a user, by the entries of the others', async (t) => {
    const { lookup, store } = worker(t)
    await store.upsert('api', [{ user: alice }])
    t.equal(lookup.lookup([alice], 'new').userHasEnrolledDevice, false)
    t.equal(lookup.lookup([alice], undefined).userHasEnrolledDevice, false)
    await store.upsert('api', [phone(alice, 'ApplA')])
    t.equal(lookup.lookup([alice], 'new').userHasEnrolledDevice, true)
    t.equal(lookup.lookup([alice], undefined).userHasEnrolledDevice, true)
  })

  await t.test('of the groups', async (t) => {
    const { lookup, store } = worker(t)
    await store.upsert('api', [phone(alice, 'ApplA', { aliases: ['al'] })])
    t.same(lookup.lookup(['al'], 'appla').user?.groups, [])
    await store.upsert('api', [{ user: alice, groups: ['exempt'] }])
    t.same(lookup.lookup(['al'], 'appla').user?.groups, ['exempt'])
  })

  await t.test('of names: given, taken away, made ambiguous, clear again', async (t) => {
    const { lookup, store } = worker(t)
    const names = ['EXAMPLE\\al', 'al']
    t.equal(lookup.resolveUser(names), undefined)
    await store.upsert('api', [phone(alice, 'ApplA', { aliases: ['al'] })])
    t.equal(lookup.resolveUser(names), alice)
    await store.upsert('api', [{ user: bob, aliases: ['al'] }])
    t.equal(lookup.resolveUser(names), undefined)
    await store.upsert('api', [{ user: bob, aliases: ['example\\al'] }])
    t.equal(lookup.resolveUser(names), bob, 'the earlier name goes before')
    await store.upsert('api', [{ user: bob, aliases: [] }])
    t.equal(lookup.resolveUser(names), alice)
    await store.upsert('api', [{ user: alice, aliases: [] }])
    t.equal(lookup.resolveUser(names), undefined)
  })

  await t.test('of the history of the pair', async (t) => {
    const { lookup, store } = worker(t)
    await store.upsert('api', [{ user: alice }])
    t.same(lookup.lookup([alice], 'appla').history, { allowedBefore: false })
    const history = () => lookup.lookup([alice], 'appla').history
    await store.recordSightings([sighting({ at: 5 })])
    t.same(history(), { allowedBefore: false, firstSeenAt: 5 })
    await store.recordSightings([sighting({ at: 6, allowed: true })])
    t.same(history(), { allowedBefore: true, firstSeenAt: 5 })
    await store.recordSightings([sighting({ provisionAsked: true, at: 7 })])
    t.same(history(), { allowedBefore: true, firstSeenAt: 5, provisionAskedAt: 7 })
    await store.recordSightings([sighting({ selfNoncompliant: true, at: 8 })])
    t.same(history(), { allowedBefore: true, firstSeenAt: 5, provisionAskedAt: 7, noncompliantSince: 8 })
    await store.recordSightings([sighting({ selfNoncompliant: false, at: 9 })])
    t.same(history(), { allowedBefore: true, firstSeenAt: 5, provisionAskedAt: 7 })
  })

  await t.test('of the history of a pair whose user nobody knows', async (t) => {
    const { lookup, store } = worker(t)
    t.same(lookup.lookup(['guest'], 'appla').history, { allowedBefore: false })
    await store.recordSightings([sighting({ user: 'guest', allowed: true, at: 5 })])
    t.same(lookup.lookup(['guest'], 'appla').history, { allowedBefore: true, firstSeenAt: 5 })
  })

  await t.test("of the user's other devices, once they were served mail", async (t) => {
    for (const user of [alice, 'guest']) {
      const { lookup, store } = worker(t)
      await store.upsert('api', [{ user: alice }])
      const others = (deviceKey: string | undefined) => lookup.lookup([user], deviceKey).otherDevices
      t.same([others('appla'), others('applb'), others(undefined)], [[], [], []])
      await store.recordSightings([sighting({ user, at: 5 })])
      t.same([others('applb'), others(undefined)], [[], []], 'seen, and refused')
      await store.recordSightings([sighting({ user, at: 70_000, allowed: true })])
      const seen = [{ firstSeenAt: 5, lastSeenAt: 70_000 }]
      t.same([others('appla'), others('applb'), others(undefined)], [[], seen, seen])
      await store.recordSightings([sighting({ user, deviceKey: 'applb', at: 4, allowed: true })])
      t.same(others('applb'), seen)
      t.same(others('applc'), [{ firstSeenAt: 4, lastSeenAt: 4 }, ...seen], 'oldest first')
    }
  })

  await t.test('of what an administrator said of the pair, by every name of the user', async (t) => {
    const { lookup, store } = worker(t)
    await store.upsert('api', [{ user: alice, aliases: ['al'] }])
    const override = (...names: string[]) => lookup.lookup(names, 'appla').override
    const overrides = () => [override(alice), override('nobody', 'al'), override('guest')]
    t.same(overrides(), [undefined, undefined, undefined])
    store.setOverride({ user: alice, deviceId: 'APPLA' }, lost, 'api')
    t.same(overrides(), [lost, lost, undefined])
    t.equal(lookup.lookup([alice], 'appla').revision, store.currentRevision())
    store.removeOverride({ user: alice, deviceId: 'ApplA' }, 'api')
    t.same(overrides(), [undefined, undefined, undefined])
  })

  await t.test('of what an administrator said of a user whom nobody knows', async (t) => {
    const { lookup, store } = worker(t)
    const override = (...names: string[]) => lookup.lookup(names, 'appla').override
    t.same([override('guest@example.com', 'guest'), override('guest')], [undefined, undefined])
    store.setOverride({ user: 'guest@example.com', deviceId: 'ApplA' }, lost, 'api')
    t.same([override('guest@example.com', 'guest'), override('GUEST@example.com')], [lost, lost])
    t.equal(override('guest'), undefined, 'another login')
    await store.upsert('api', [{ user: alice, aliases: ['guest@example.com'] }])
    t.same([override('guest@example.com'), override(alice)], [lost, lost], 'a login that got to be an alias')
  })

  await t.test("of an exclusive allow, by the user's other devices", async (t) => {
    for (const user of [alice, 'guest']) {
      const { lookup, store } = worker(t)
      await store.upsert('api', [{ user: alice }])
      const exclusive = (deviceKey: string | undefined) => lookup.lookup([user], deviceKey).exclusiveAllows
      t.same([exclusive('applb'), exclusive(undefined)], [[], []])
      store.setOverride({ user, deviceId: 'ApplA' }, { ...only, until: 5 }, 'api')
      const told = [{ deviceKey: 'appla', until: 5 }]
      t.same([exclusive('appla'), exclusive('applb'), exclusive(undefined)], [[], told, told])
      t.same(lookup.lookup(['other'], 'applb').exclusiveAllows, [])
      store.removeOverride({ user, deviceId: 'ApplA' }, 'api')
      t.same([exclusive('applb'), exclusive(undefined)], [[], []])
    }
  })

  await t.test('of what was said before the start', async (t) => {
    const { lookup, store, path } = worker(t)
    store.setOverride({ user: alice, deviceId: 'ApplA' }, lost, 'api')
    const reader = openStoreReader(path, { sourceOrder: [] })
    t.teardown(() => reader.close())
    t.same(createLookup({ store: reader, max: 10 }).lookup([alice], 'appla').override, lost)
    t.same(lookup.lookup([alice], 'appla').override, lost)
  })

  await t.test('of the sources', async (t) => {
    const { lookup, store } = worker(t, {}, ['file'])
    t.equal(lookup.lookup([alice], 'appla').sourcesComplete, false)
    await store.replace('file', [], { complete: true })
    t.equal(lookup.lookup([alice], 'appla').sourcesComplete, true)
  })
})

void t.test('a change leaves the entries of others in memory', async (t) => {
  const { lookup, store } = worker(t)
  await store.upsert('api', phones(50))
  for (let number = 0; number < 50; number++) lookup.lookup([`user${number}@example.com`], `appl${number}`)
  t.equal(lookup.size, 50)
  await store.upsert('api', [phone('user7@example.com', 'Appl7', { complianceState: 'error' })])
  t.equal(lookup.size, 49)
  await store.upsert('api', [{ user: 'user8@example.com', aliases: ['eight'] }])
  t.equal(lookup.size, 48)
  lookup.apply({ kind: 'policy', revision: 1 })
  t.equal(lookup.size, 48)
})

void t.test('the memory is bounded: in all, per user, per name, per id, per length (T-51)', async (t) => {
  const { lookup, store } = worker(t)
  await store.upsert('api', [phone(alice, 'ApplA')])
  for (let number = 0; number < 600; number++) lookup.lookup([alice], `key${number}`)
  t.equal(lookup.size, 256, 'one user')
  for (let number = 0; number < 600; number++) lookup.lookup([`x${number}`], 'appla')
  t.equal(lookup.size, 512, 'one id')
  for (let number = 0; number < 2000; number++) lookup.lookup([`y${number}`], `key${number}`)
  t.equal(lookup.size, 1000, 'in all')
  lookup.lookup(['y'.repeat(5000)], 'z')
  t.equal(lookup.lookup([alice], 'appla').device?.enrolled, true)
  await store.upsert('api', [phone(alice, 'ApplA', { complianceState: 'error' })])
  t.equal(lookup.lookup([alice], 'appla').device?.complianceState, 'error')
})

void t.test(
  'an entry is read again when it has grown old, so that its age does not stand still',
  async (t) => {
    const time = { ms: 1 }
    const { lookup, store, clock } = worker(t, { ttlMs: 10_000, clock: { now: () => time.ms } }, ['file'])
    await store.replace('file', [phone(alice, 'ApplA')], { complete: true })
    const first = lookup.lookup([alice], 'appla').device?.origin.asOf
    clock.now += 500_000
    await store.replace('file', [phone(alice, 'ApplA')], { complete: true })
    t.equal(lookup.lookup([alice], 'appla').device?.origin.asOf, first)
    time.ms += 20_000
    t.equal(lookup.lookup([alice], 'appla').device?.origin.asOf, clock.now)
  },
)

void t.test('a store that fails is a DirectoryError', async (t) => {
  const { lookup, store } = worker(t)
  await store.upsert('api', [phone(alice, 'ApplA')])
  const failing = createLookup({
    max: 10,
    store: {
      ...store,
      resolve: () => {
        throw Object.assign(new Error('disk image is malformed'), { errcode: 11 })
      },
    },
  })
  t.throws(() => failing.lookup([alice], 'appla'), { code: 'STORE_CORRUPT', message: /easgate\.db/ })
  t.equal(lookup.lookup([alice], 'appla').device?.enrolled, true)
})
