import t from 'tap'
import type { FactsSource } from '#directory/facts-source.ts'
import { policySchema } from '#policy/schema.ts'
import { createSourceGroups } from '../src/source-groups.ts'

const policyOf = (...targetedGroups: readonly string[]) =>
  policySchema.parse({ conditionalAccess: { onPremises: { targetedGroups } } })

/** A source that reads groups when the test says so. */
function groupTest(options: { readonly timeoutMs?: number } = {}) {
  const told: (readonly string[])[] = []
  const steps: string[] = []
  const { promise: read, resolve } = Promise.withResolvers<void>()
  const source: FactsSource = {
    name: 'intune',
    start: async () => undefined,
    status: () => ({ records: 0, faults: 0 }),
    setGroups: (names) => {
      told.push(names)
      return read.then(() => void steps.push('read'))
    },
  }
  const groups = createSourceGroups({
    routing: ['cloud'],
    enforced: async () => void steps.push('enforced'),
    ...options,
  })
  return { groups, source, told, steps, read: resolve }
}

void t.test('sources are told of the groups of routing and policy, once they are there', async (t) => {
  const { groups, source, told } = groupTest()
  groups.need(policyOf('sales', 'all-users'))
  const other: FactsSource = {
    name: 'file',
    start: async () => undefined,
    status: () => ({ records: 0, faults: 0 }),
  }
  groups.use([source, other])
  t.same(told, [['cloud', 'sales']])
})

void t.test('a draft waits for its groups, and for the workers to know of them', async (t) => {
  const { groups, source, told, steps, read } = groupTest()
  groups.use([source])
  groups.need(policyOf('sales'))
  const prepared = groups.prepare(policyOf('travel')).then(() => steps.push('weighed'))
  t.same(told.at(-1), ['cloud', 'sales', 'travel'], 'those of the policy in force are needed still')
  t.same(steps, [])
  read()
  await prepared
  t.same(steps.slice(-2), ['enforced', 'weighed'])
  groups.keep(policyOf('travel'))
  t.same(told.at(-1), ['cloud', 'travel'])
})

void t.test('a draft does not wait for ever', async (t) => {
  const alive = setInterval(() => undefined, 1000)
  t.teardown(() => clearInterval(alive))
  const { groups, source, steps } = groupTest({ timeoutMs: 1 })
  groups.use([source])
  await groups.prepare(policyOf('travel'))
  t.same(steps, ['enforced'])
})
