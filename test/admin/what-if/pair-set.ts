import t from 'tap'
import { createPairCollector } from '#admin/what-if/pair-set.ts'

const pairs = Array.from({ length: 500 }, (_, number) => ({
  user: `user${number}`,
  deviceKey: `appl${number}`,
}))

function setOf(of: string, some: typeof pairs) {
  const collector = createPairCollector(of)
  for (const pair of some) collector.add(pair)
  return collector.result()
}

void t.test('holds what was added, and nothing else', async (t) => {
  const set = setOf('file', pairs.slice(0, 250))
  t.ok(pairs.slice(0, 250).every(set.has))
  t.notOk(pairs.slice(250).some(set.has))
  t.notOk(set.has({ user: 'user0', deviceKey: 'appl1' }))
  t.notOk(set.has({ user: 'user0appl0', deviceKey: '' }))
  t.notOk(setOf('file', []).has({ user: 'user0', deviceKey: 'appl0' }))
})

void t.test('its digest hangs on what it holds and of whom, not on the order', async (t) => {
  const { digest } = setOf('file', pairs)
  t.match(digest, /^[0-9a-f]{12}$/)
  t.equal(setOf('file', pairs.toReversed()).digest, digest)
  t.not(setOf('file', pairs.slice(1)).digest, digest)
  t.not(setOf('http', pairs).digest, digest)
})
