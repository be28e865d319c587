import { statSync } from 'node:fs'
import t from 'tap'
import { DirectoryError } from '#directory/errors.ts'
import { openStore, openStoreReader } from '#directory/store.ts'
import { phone, phones, testStore } from '../support/directory-store.ts'

const alice = 'alice@example.com'
const bob = 'bob@example.com'

void t.test('a missing store is made for its owner alone, with its folder', async (t) => {
  const path = `${t.testdir()}/new/folder/easgate.db`
  const store = openStore(path, { sourceOrder: [], now: Date.now })
  await store.upsert('api', [phone(alice, 'ApplA')])
  for (const suffix of ['', '-wal', '-shm', '-owner']) {
    t.equal(statSync(`${path}${suffix}`).mode & 0o777, 0o600, suffix)
  }
  store.close()
})

void t.test('a second owner is refused, a reader is not', async (t) => {
  const { path, store } = testStore(t)
  t.throws(() => openStore(path, { sourceOrder: [], now: Date.now }), { code: 'STORE_LOCKED' })
  openStoreReader(path, { sourceOrder: [] }).close()
  store.close()
  openStore(path, { sourceOrder: [], now: Date.now }).close()
})

void t.test('a reader sees a commit as soon as the writer has it', async (t) => {
  const { path, store } = testStore(t)
  const reader = openStoreReader(path, { sourceOrder: ['file'] })
  t.teardown(() => reader.close())
  t.equal(reader.deviceFacts(alice, 'appla'), undefined)
  const seen: unknown[] = []
  const end = store.onChange(() => seen.push(reader.deviceFacts(alice, 'appla')?.value.complianceState))
  await store.upsert('file', [phone(alice, 'ApplA')])
  t.same(seen, ['compliant'])
  end()
  t.equal(reader.currentRevision(), store.currentRevision())
  // a reader that stops half way must not hold an old snapshot
  const ids = ['ApplA', 'ApplB', 'ApplC']
  await store.upsert(
    'file',
    ids.map((id) => phone(alice, id)),
  )
  t.equal(reader.hasEnrolledDevice(alice), true)
  t.equal(reader.hasOtherOwner('applb', bob), true)
  for (const id of ids) store.remove(alice, id)
  t.equal(reader.hasEnrolledDevice(alice), false)
  t.equal(reader.hasOtherOwner('applb', bob), false)
})

void t.test('upsert', async (t) => {
  await t.test('gives each changed row a rising revision and tells of it after the commit', async (t) => {
    const { store, changes } = testStore(t)
    const returned = await store.upsert('api', [
      phone(alice, 'ApplA', { aliases: ['al'] }),
      phone(bob, 'ApplB'),
    ])
    t.same(returned, [
      { kind: 'user', revision: 1, user: alice, names: [alice, 'al'] },
      { kind: 'device', revision: 2, user: alice, deviceKey: 'appla' },
      { kind: 'user', revision: 3, user: bob, names: [bob] },
      { kind: 'device', revision: 4, user: bob, deviceKey: 'applb' },
    ])
    t.same(changes, returned)
    t.equal(store.currentRevision(), 4)
  })

  await t.test('that changes no field is no change, but confirms the facts', async (t) => {
    const { store, changes, clock } = testStore(t)
    await store.upsert('api', [phone(alice, 'ApplA')])
    const told = changes.length
    clock.now += 5000
    t.same(await store.upsert('api', [phone(alice, 'ApplA')]), [])
    t.equal(changes.length, told)
    t.equal(store.deviceFacts(alice, 'appla')?.value.origin.asOf, clock.now)
    t.equal(store.deviceFacts(alice, 'appla')?.revision, 2)
  })

  await t.test('adds the given fields; asked for all, it takes away the others', async (t) => {
    const { store } = testStore(t)
    await store.upsert('api', [phone(alice, 'ApplA', { groups: ['staff'] })])
    await store.upsert('api', [{ user: alice, deviceId: 'ApplA', complianceState: 'noncompliant' }])
    t.match(store.deviceFacts(alice, 'appla')?.value, { enrolled: true, complianceState: 'noncompliant' })
    t.same(store.userFacts(alice).value.groups, ['staff'])
    await store.upsert('api', [{ user: alice, deviceId: 'ApplA', registered: true }], 'all')
    t.same(store.deviceFacts(alice, 'appla')?.value, {
      registered: true,
      origin: { sources: ['api'], asOf: 1_000_000 },
    })
    await store.upsert('api', [{ user: alice, groups: [] }])
    t.same(store.userFacts(alice).value.groups, [])
  })

  await t.test('unites what one batch says of one user', async (t) => {
    const { store } = testStore(t)
    await store.upsert('api', [
      { user: alice, groups: ['a'], aliases: ['x'] },
      { user: alice, groups: ['b'], aliases: ['y'] },
    ])
    t.same(store.userFacts(alice).value.groups, ['a', 'b'])
    t.same([store.resolve('x'), store.resolve('y')], [alice, alice])
  })

  await t.test('refuses a source that the store was not opened with', async (t) => {
    const { store } = testStore(t)
    await t.rejects(store.upsert('ldap', [phone(alice, 'ApplA')]), { code: 'SOURCE_UNKNOWN' })
  })

  await t.test('writes an outbox row for each fact', async (t) => {
    const { store } = testStore(t)
    await store.upsert('api', [phone(alice, 'ApplA')])
    store.remove(alice, 'ApplA')
    t.equal(store.check().rows['outbox'], 3)
  })

  await t.test('after close is refused', async (t) => {
    const { store } = testStore(t)
    store.close()
    await t.rejects(store.upsert('api', [phone(alice, 'ApplA')]), { code: 'STORE_CLOSED' })
  })
})

void t.test('names', async (t) => {
  await t.test('lead to the user; a name of two users leads to nobody (T-17)', async (t) => {
    const { store, changes } = testStore(t)
    await store.upsert('file', [phone(alice, 'ApplA', { aliases: ['al', 'shared'] })])
    t.equal(store.resolve('shared'), alice)
    changes.length = 0
    await store.upsert('intune', [{ user: bob, aliases: ['shared'] }])
    t.equal(store.resolve('shared'), undefined)
    t.equal(store.resolve('al'), alice)
    t.match(changes, [{ kind: 'user', user: bob, names: [bob, 'shared'] }])
    await store.upsert('intune', [{ user: bob, aliases: ['bobby'] }])
    t.equal(store.resolve('shared'), alice)
    t.match(changes.at(-1), { names: [bob, 'shared', 'bobby'] }, 'names before and after')
  })

  await t.test('the name of one user that is an alias of another leads to nobody', async (t) => {
    const { store } = testStore(t)
    await store.upsert('file', [{ user: alice }, { user: bob, aliases: [alice] }])
    t.equal(store.resolve(alice), undefined)
  })

  await t.test('are united over the sources, as groups are', async (t) => {
    const { store } = testStore(t)
    await store.upsert('file', [{ user: alice, aliases: ['a'], groups: ['one'] }])
    await store.upsert('intune', [{ user: alice, aliases: ['b'], groups: ['two', 'one'] }])
    t.same([store.resolve('a'), store.resolve('b')], [alice, alice])
    t.same(store.userFacts(alice).value.groups, ['one', 'two'])
  })

  await t.test('called like the properties of objects are names like others (T-11)', async (t) => {
    const { store } = testStore(t)
    await store.upsert('file', [phone('__proto__', 'constructor', { aliases: ['tostring', '%', '*'] })])
    t.equal(store.resolve('constructor'), undefined)
    t.equal(store.resolve('tostring'), '__proto__')
    t.equal(store.resolve('a%'), undefined)
    t.equal(store.deviceFacts('__proto__', 'constructor')?.value.enrolled, true)
    t.equal(store.deviceFacts('__proto__', '__proto__'), undefined)
  })
})

void t.test('replace', async (t) => {
  await t.test('removes what a complete set no longer lists, of this source only', async (t) => {
    const { store, changes } = testStore(t)
    await store.replace('file', [phone(alice, 'ApplA', { groups: ['g'] }), phone(bob, 'ApplB')], {
      complete: true,
    })
    await store.upsert('intune', [phone(bob, 'ApplB', { model: 'iPad' })])
    changes.length = 0
    t.same(await store.replace('file', [phone(alice, 'ApplA')], { complete: true }), {
      records: 1,
      changed: 3,
      removed: 2,
      held: false,
    })
    t.match(changes, [
      { kind: 'user', user: alice },
      { kind: 'device', user: bob, deviceKey: 'applb' },
      { kind: 'user', user: bob, names: [bob] },
    ])
    t.same(store.userFacts(alice).value.groups, [])
    t.same(store.deviceFacts(bob, 'applb')?.value.origin.sources, ['intune'])
    t.equal(store.resolve(bob), bob, 'another source still knows the user')
  })

  await t.test('removes nothing where the set is not complete or has faults (T-56)', async (t) => {
    const { store, clock } = testStore(t)
    const first = clock.now
    await store.replace(
      'file',
      [phone(alice, 'ApplA', { groups: ['g'], aliases: ['al'] }), phone(bob, 'ApplB')],
      {
        complete: true,
      },
    )
    clock.now += 1000
    const sets = [{ complete: false }, { complete: true, faults: 1 }]
    for (const set of sets) {
      await store.replace(
        'file',
        [phone(alice, 'ApplA', { groups: ['h'], complianceState: 'noncompliant' })],
        set,
      )
      t.same(store.userFacts(alice).value.groups, ['g', 'h'])
      t.equal(store.resolve('al'), alice)
      t.equal(store.deviceFacts(alice, 'appla')?.value.complianceState, 'noncompliant')
      t.equal(store.deviceFacts(bob, 'applb')?.value.origin.asOf, first, 'not listed, not confirmed')
    }
    t.match(store.syncState('file'), { outcome: 'partial', completeAt: first, faults: 1 })
  })

  await t.test('that finds nothing new writes no row, and confirms every row', async (t) => {
    const { store, clock, changes } = testStore(t)
    await store.replace('file', phones(300), { complete: true })
    const revision = store.currentRevision()
    changes.length = 0
    clock.now += 60_000
    t.same(await store.replace('file', phones(300), { complete: true }), {
      records: 300,
      changed: 0,
      removed: 0,
      held: false,
    })
    t.same([store.currentRevision(), changes], [revision, []])
    t.equal(store.deviceFacts('user7@example.com', 'appl7')?.value.origin.asOf, clock.now)
  })

  await t.test('leaves alone what was written after the reading began', async (t) => {
    const { store } = testStore(t)
    await store.replace('file', [phone(alice, 'ApplA')], { complete: true })
    const since = store.currentRevision()
    await store.upsert('file', [
      phone(alice, 'ApplA', { complianceState: 'noncompliant' }),
      phone(bob, 'ApplB'),
    ])
    await store.replace('file', [phone(alice, 'ApplA')], { complete: true, since })
    t.equal(store.deviceFacts(alice, 'appla')?.value.complianceState, 'noncompliant')
    t.equal(store.deviceFacts(bob, 'applb')?.value.enrolled, true)
    await store.replace('file', [phone(alice, 'ApplA')], { complete: true })
    t.equal(store.deviceFacts(alice, 'appla')?.value.complianceState, 'compliant')
    t.equal(store.deviceFacts(bob, 'applb'), undefined)
  })

  await t.test('sets of one source are taken one after the other', async (t) => {
    const { store } = testStore(t)
    const sets = [phones(500), phones(3), phones(200)]
    await Promise.all(sets.map((set) => store.replace('file', set, { complete: true })))
    t.equal(store.check().rows['device_facts'], 200)
  })

  await t.test('gives way between its slices', async (t) => {
    const { store } = testStore(t)
    let turns = 0
    let isDone = false
    const count = (): void => {
      turns++
      if (!isDone) setImmediate(count)
    }
    count()
    const replaced = store.replace('file', phones(2000), { complete: true })
    await store.upsert('api', [phone(alice, 'ApplA')])
    t.equal(
      store.deviceFacts('user1999@example.com', 'appl1999'),
      undefined,
      'a push does not wait for the sweep',
    )
    await replaced
    isDone = true
    t.ok(turns > 4000 / 64, `${turns} turns`)
  })

  await t.test('two records of one spelling leave the stricter value', async (t) => {
    const { store } = testStore(t)
    const records = [phone(alice, 'ApplA'), phone(alice, 'ApplA', { complianceState: 'conflict' })]
    await store.replace('file', records, { complete: true })
    t.equal(store.deviceFacts(alice, 'appla')?.value.complianceState, 'conflict')
    t.equal((await store.replace('file', records, { complete: true })).changed, 0)
  })
})

void t.test('spellings of one id are one device, and a disagreement closes the door (T-06)', async (t) => {
  const { store } = testStore(t)
  const hex = Buffer.from('ApplA').toString('hex').toUpperCase()
  await store.upsert('api', [phone(alice, 'ApplA')])
  await store.upsert('intune', [phone(alice, hex, { complianceState: 'noncompliant', model: 'iPhone' })])
  t.match(store.deviceFacts(alice, 'appla')?.value, { complianceState: 'noncompliant', model: 'iPhone' })
  store.remove(alice, 'APPLA', 'intune')
  t.equal(store.deviceFacts(alice, 'appla')?.value.complianceState, 'compliant')
})

void t.test('remove takes every spelling, by any name of the user', async (t) => {
  const { store } = testStore(t)
  await store.upsert('api', [
    phone(alice, 'ApplA', { aliases: ['example\\alice'] }),
    phone(alice, 'APPLA'),
    phone(alice, 'Other'),
  ])
  t.equal(store.remove('EXAMPLE\\Alice', 'appla').length, 2)
  t.equal(store.deviceFacts(alice, 'appla'), undefined)
  t.equal(store.deviceFacts(alice, 'other')?.value.enrolled, true)
  t.same(store.remove(alice, 'appla'), [])
})

void t.test(
  'the directory is complete once every configured source was read completely (T-57)',
  async (t) => {
    const { store, changes } = testStore(t, ['file', 'push'])
    t.equal(store.sourcesComplete(), false)
    await store.replace('file', [], { complete: false })
    store.setSourceComplete('push')
    t.equal(store.sourcesComplete(), false)
    t.same(changes, [])
    await store.replace('file', [], { complete: true })
    t.equal(store.sourcesComplete(), true)
    t.match(changes, [{ kind: 'sources', complete: true }])
    store.setSourceFailed('file', 'gone')
    t.match(store.syncState('file'), { outcome: 'failed', error: 'gone', completeAt: 1_000_000 })
    t.equal(store.sourcesComplete(), true)
    t.equal(changes.length, 1)
    t.equal(store.syncState('api'), undefined)
  },
)

void t.test('a source that is not configured any more says nothing', async (t) => {
  const { store, path } = testStore(t)
  await store.upsert('file', [phone(alice, 'ApplA', { groups: ['exempt'], aliases: ['al'] })])
  const reader = openStoreReader(path, { sourceOrder: ['intune'] })
  t.teardown(() => reader.close())
  t.equal(reader.resolve('al'), undefined)
  t.same(reader.userFacts(alice).value.groups, [])
  t.equal(reader.deviceFacts(alice, 'appla'), undefined)
  t.equal(reader.hasOtherOwner('appla', bob), false)
  t.equal(reader.hasEnrolledDevice(alice), false)
})

void t.test('a write that fails is rolled back and the revision with it', async (t) => {
  const { store, path, changes } = testStore(t)
  await store.upsert('api', [phone(alice, 'ApplA')])
  const revision = store.currentRevision()
  changes.length = 0
  const broken = {
    ...phone(bob, 'ApplB'),
    get deviceId(): string {
      throw new Error('no more')
    },
  }
  await t.rejects(store.upsert('api', [broken]), /no more/)
  t.throws(() =>
    store.count([{ hour: Number.NaN, action: 'allow', reason: 'compliant', platform: 'iOS', requests: 1 }]),
  )
  t.same(changes, [])
  await store.upsert('api', [phone(bob, 'ApplB')])
  t.equal(store.currentRevision(), revision + 2)
  t.equal(statSync(path).isFile(), true)
})

void t.test('every error of the room is a DirectoryError with a code', async (t) => {
  t.throws(() => openStoreReader(`${t.testdir()}/none.db`, { sourceOrder: [] }), DirectoryError)
})
