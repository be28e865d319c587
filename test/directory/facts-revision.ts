import t, { type Test } from 'tap'
import { createLookup } from '#directory/lookup.ts'
import { phone, sighting, testStore, type TestStore } from '../support/directory-store.ts'

const alice = 'alice@example.com'

/** A pair on record, which was seen last of all. */
async function seenPair(t: Test): Promise<TestStore & { readonly revision: () => number }> {
  const test = testStore(t, ['file'])
  const { store } = test
  const lookup = createLookup({ store, max: 100 })
  store.onChange((changes) => {
    for (const change of changes) lookup.apply(change)
  })
  await store.replace('file', [phone(alice, 'ApplA'), phone(alice, 'ApplB')], { complete: true })
  store.setOverride(
    { user: alice, deviceId: 'ApplA' },
    { action: 'allow', exclusive: false, note: 'x' },
    'api',
  )
  await store.recordSightings([sighting({ allowed: true })])
  return { ...test, revision: () => lookup.lookup([alice], 'appla').revision }
}

const changes: Readonly<Record<string, (test: TestStore) => unknown>> = {
  'the record of the device goes': ({ store }) => store.remove(alice, 'ApplA'),
  'that of another device of the user goes': ({ store }) => store.remove(alice, 'ApplB'),
  'all that a source says goes': ({ store }) => store.replace('file', [], { complete: true }),
  'the word of an administrator goes': ({ store }) =>
    store.removeOverride({ user: alice, deviceId: 'ApplA' }, 'api'),
  'a field changes': ({ store }) => store.upsert('file', [phone(alice, 'ApplA', { jailbroken: true })]),
  'a group changes': ({ store }) => store.upsert('file', [{ user: alice, groups: ['staff'] }]),
  'the pair is seen to do something new': ({ store }) =>
    store.recordSightings([sighting({ provisionAsked: true })]),
}

for (const [title, change] of Object.entries(changes)) {
  void t.test(`the revision of facts is another one when ${title}`, async (t) => {
    const test = await seenPair(t)
    const before = test.revision()
    await change(test)
    t.ok(test.revision() > before, `${before} to ${test.revision()}`)
    t.ok(test.revision() <= test.store.currentRevision(), 'and none that is still to come')
  })
}

void t.test('it stays the same when nothing changes', async (t) => {
  const test = await seenPair(t)
  const before = test.revision()
  await test.store.replace('file', [phone(alice, 'ApplA'), phone(alice, 'ApplB')], { complete: true })
  await test.store.recordSightings([sighting({ allowed: true })])
  await test.store.upsert('file', [phone('bob@example.com', 'ApplC')])
  test.store.remove('bob@example.com', 'ApplC')
  t.equal(test.revision(), before)
})
