import {
  array,
  assert,
  asyncProperty,
  boolean,
  constantFrom,
  record as recordOf,
  subarray,
  tuple,
  type Arbitrary,
} from 'fast-check'
import t from 'tap'
import { createLookup, type LookupOptions } from '#directory/lookup.ts'
import type { ProposedFacts } from '#directory/proposed-facts.ts'
import type { FactsRecord } from '#directory/record.ts'
import { phone, phones, sighting, testStore } from '../support/directory-store.ts'

const alice = 'alice@example.com'
const users = ['a', 'b', 'c'] as const
const names = ['a', 'b', 'c', 'x', 'y'] as const
const spellings = ['Id1', 'ID1', 'Id-1', 'Id2'] as const
const keys = ['id1', 'id-1', 'id2'] as const
const sources = ['api', 'file', 'intune'] as const

const record: Arbitrary<FactsRecord> = recordOf(
  {
    user: constantFrom(...users),
    aliases: subarray([...names]),
    groups: subarray(['g', 'h']),
    deviceId: constantFrom(...spellings),
    enrolled: boolean(),
    complianceState: constantFrom('compliant', 'noncompliant'),
    otherIds: subarray([...spellings]),
  },
  { requiredKeys: ['user', 'deviceId'] },
)
const held = array(tuple(constantFrom(...sources), record), { maxLength: 8 })
const set = array(record, { maxLength: 6 })

const pairs = names.flatMap((user) => keys.map((deviceKey) => ({ user, deviceKey })))

/** What is known of each pair; the revision of a fact says nothing of it. */
function knownOf(store: LookupOptions['store']): string[] {
  const lookup = createLookup({ store, max: 1 })
  return pairs.map(({ user, deviceKey }) =>
    JSON.stringify({ ...lookup.lookup([user], deviceKey), revision: undefined }),
  )
}

void t.test(
  'what is proposed is what is read once it is written; who is not concerned keeps his facts',
  async (t) => {
    await assert(
      asyncProperty(held, set, boolean(), async (before, records, complete) => {
        const { store } = testStore(t)
        try {
          for (const [source, given] of before) await store.upsert(source, [given])
          await store.recordSightings(pairs.map((pair) => sighting({ ...pair, deviceId: pair.deviceKey })))
          const was = knownOf(store)
          let proposed: string[] | undefined
          let isEmpty = false
          const concerned = new Set<number>()
          store.guardSets(async (_source, facts) => {
            proposed = knownOf(facts.reader)
            isEmpty = facts.isEmpty
            for (const [index, pair] of pairs.entries()) if (facts.concerns(pair)) concerned.add(index)
            return true
          })
          await store.replace('file', records, { complete })
          const is = knownOf(store)
          if (before.length > 0 && JSON.stringify(proposed) !== JSON.stringify(is)) return false
          return (
            before.length === 0 ||
            is.every((known, index) => known === was[index] || (concerned.has(index) && !isEmpty))
          )
        } finally {
          store.close()
        }
      }),
      { numRuns: 60 },
    )
    t.pass()
  },
)

void t.test('a set that is not admitted changes nothing, and confirms nothing', async (t) => {
  const { store, clock, changes } = testStore(t)
  await store.replace('file', [phone(alice, 'ApplA')], { complete: true })
  const before = store.syncState('file')
  changes.length = 0
  clock.now += 1000
  store.guardSets(async () => false)
  t.strictSame(await store.replace('file', [], { complete: true }), {
    records: 0,
    changed: 0,
    removed: 0,
    held: true,
  })
  t.match(store.deviceFacts(alice, 'appla')?.value, {
    complianceState: 'compliant',
    origin: { asOf: 1_000_000 },
  })
  t.strictSame(changes, [])
  t.match(store.syncState('file'), {
    outcome: 'held',
    attemptedAt: clock.now,
    completeAt: before?.completeAt,
    error: /waits for an operator/,
  })

  store.guardSets(async () => true)
  t.match(await store.replace('file', [], { complete: true }), { removed: 2, held: false })
  t.equal(store.deviceFacts(alice, 'appla'), undefined)
  t.match(store.syncState('file'), { outcome: 'complete' })
})

void t.test('the guard is not asked of the first facts, nor of what is pushed', async (t) => {
  const { store } = testStore(t)
  const asked: string[] = []
  store.guardSets(async (source) => {
    asked.push(source)
    return false
  })
  t.match(await store.replace('file', [phone(alice, 'ApplA')], { complete: true }), { held: false })
  await store.upsert('api', [phone(alice, 'ApplB')])
  store.remove(alice, 'ApplB')
  t.strictSame(asked, [])
  t.match(await store.replace('intune', [phone(alice, 'ApplC')], { complete: true }), { held: true })
  t.strictSame(asked, ['intune'], 'the first set of a second source may undo what the first one says')
})

void t.test('the same set again proposes nothing', async (t) => {
  const { store } = testStore(t)
  const seen: boolean[] = []
  await store.replace('file', phones(10), { complete: true })
  store.guardSets(async (_source, proposed) => {
    seen.push(proposed.isEmpty, proposed.concerns({ user: 'user1@example.com', deviceKey: 'appl1' }))
    return true
  })
  await store.replace('file', phones(10), { complete: true })
  await store.replace('file', phones(9), { complete: true })
  t.strictSame(seen, [true, false, false, false])
})

void t.test('what is written while the guard thinks is newer than the set', async (t) => {
  const { store } = testStore(t)
  await store.replace('file', [phone(alice, 'ApplA')], { complete: true })
  store.guardSets(async () => {
    await store.upsert('file', [phone(alice, 'ApplA', { complianceState: 'noncompliant' })])
    return true
  })
  await store.replace('file', [], { complete: true })
  t.match(store.deviceFacts(alice, 'appla')?.value, { complianceState: 'noncompliant' })
})

void t.test('a guard that fails, fails the set; the next one is asked again', async (t) => {
  const { store } = testStore(t)
  await store.replace('file', [phone(alice, 'ApplA')], { complete: true })
  store.guardSets(async () => {
    throw new Error('no')
  })
  await t.rejects(store.replace('file', [], { complete: true }), { message: 'no' })
  t.ok(store.deviceFacts(alice, 'appla'))
  const proposals: ProposedFacts[] = []
  store.guardSets(async (_source, proposed) => {
    proposals.push(proposed)
    return true
  })
  await store.replace('file', [], { complete: true })
  t.equal(store.deviceFacts(alice, 'appla'), undefined)
  t.throws(() => proposals[0]?.reader.resolve(alice), 'it is closed')
})
