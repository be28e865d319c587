import t from 'tap'
import { createLookup } from '#directory/lookup.ts'
import { openStore, openStoreReader } from '#directory/store.ts'
import { testStore } from '../support/directory-store.ts'

void t.test('a group counts as unread until it is read, also after a restart', async (t) => {
  const { store, path } = testStore(t, ['intune'])
  store.setGroups('intune', ['sales', 'executives'])
  t.same(store.unreadGroups(), ['executives', 'sales'])
  t.equal(store.groupReadAt('intune', 'sales'), undefined)
  store.setGroupRead('intune', 'sales')
  t.same(store.unreadGroups(), ['executives'])
  t.equal(store.groupReadAt('intune', 'sales'), 1_000_000)
  store.close()
  const again = openStore(path, { sourceOrder: ['intune'], now: Date.now })
  t.teardown(() => again.close())
  t.same(again.unreadGroups(), ['executives'])
  again.setGroups('intune', ['sales'])
  t.same(again.unreadGroups(), [])
})

void t.test('a group that is asked for again after a pause is unread again', async (t) => {
  const { store } = testStore(t, ['intune'])
  store.setGroups('intune', ['sales'])
  store.setGroupRead('intune', 'sales')
  store.setGroups('intune', [])
  store.setGroups('intune', ['sales'])
  t.same(store.unreadGroups(), ['sales'])
})

void t.test('a group that nobody asks for any more is not remembered when its reading ends', async (t) => {
  const { store } = testStore(t, ['intune'])
  store.setGroupRead('intune', 'sales')
  t.equal(store.groupReadAt('intune', 'sales'), undefined)
})

void t.test('groups of a source that is not configured say nothing', async (t) => {
  const { store, path } = testStore(t, ['intune'])
  store.setGroups('intune', ['sales'])
  const reader = openStoreReader(path, { sourceOrder: ['file'] })
  t.teardown(() => reader.close())
  t.same(reader.unreadGroups(), [])
})

void t.test('parts of a source are complete by themselves', async (t) => {
  const { store } = testStore(t, ['intune'])
  t.equal(store.partCompleteAt('intune', 'users'), undefined)
  store.setPartComplete('intune', 'users')
  t.same(
    [store.partCompleteAt('intune', 'users'), store.partCompleteAt('intune', 'devices')],
    [1_000_000, undefined],
  )
  t.same(store.unreadGroups(), [])
})

void t.test('a change is told once, and look-ups see it', async (t) => {
  const { store, changes } = testStore(t, ['intune'])
  const lookup = createLookup({ store, max: 10 })
  store.onChange((batch) => {
    for (const change of batch) lookup.apply(change)
  })
  const unread = () => lookup.lookup(['alice@example.com'], 'appla').unreadGroups
  t.same(unread(), [])
  store.setGroups('intune', ['sales'])
  t.same(unread(), ['sales'])
  store.setGroups('intune', ['sales'])
  store.setGroupRead('intune', 'sales')
  t.same(unread(), [])
  store.setGroupRead('intune', 'sales')
  t.match(changes, [
    { kind: 'sources', complete: false, unreadGroups: ['sales'] },
    { kind: 'sources', complete: false, unreadGroups: [] },
  ])
  t.equal(changes.length, 2)
})
