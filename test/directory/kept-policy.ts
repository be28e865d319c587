import t from 'tap'
import { openStoreReader } from '#directory/store.ts'
import { testStore } from '../support/directory-store.ts'

const first = { revision: 1, digest: 'aaaaaaaaaaaa', text: 'deviceRules: []\n', at: 1000, actor: 'file' }

void t.test('keeps the last policy, which every reader sees and the audit tells of', async (t) => {
  const { store, path } = testStore(t)
  t.equal(store.keptPolicy(), undefined)
  store.keepPolicy(first)
  t.same(store.keptPolicy(), first)
  const second = { revision: 2, digest: 'bbbbbbbbbbbb', text: '# nothing\n', at: 2000, actor: 'api' }
  store.keepPolicy(second)
  t.same(store.keptPolicy(), second)
  const reader = openStoreReader(path, { sourceOrder: [] })
  t.teardown(() => reader.close())
  t.same(reader.keptPolicy(), second)
  t.equal(store.check().rows['kept_policy'], 1)
  t.same(store.auditEvents({}).events, [
    { at: 2000, actor: 'api', event: 'policy-in-force', detail: { revision: 2, digest: 'bbbbbbbbbbbb' } },
    { at: 1000, actor: 'file', event: 'policy-in-force', detail: { revision: 1, digest: 'aaaaaaaaaaaa' } },
  ])
})
