import {
  array,
  assert,
  asyncProperty,
  boolean,
  constantFrom,
  oneof,
  record as recordOf,
  subarray,
  tuple,
  type Arbitrary,
} from 'fast-check'
import t from 'tap'
import { createLookup } from '#directory/lookup.ts'
import type { FactsRecord } from '#directory/record.ts'
import type { Store } from '#directory/store.ts'
import { sighting, testStore } from '../support/directory-store.ts'

const users = ['a', 'b', 'c'] as const
const names = ['a', 'b', 'c', 'x', 'y'] as const
const spellings = ['Id1', 'ID1', '496431', 'Id2'] as const
const keys = ['id1', 'id2'] as const
const sources = ['api', 'file', 'intune'] as const

type Step = (store: Store) => unknown

const user = constantFrom(...users)
const source = constantFrom(...sources)
const record: Arbitrary<FactsRecord> = recordOf(
  {
    user,
    aliases: subarray([...names]),
    groups: subarray(['g', 'h']),
    deviceId: constantFrom(...spellings),
    enrolled: boolean(),
    complianceState: constantFrom('compliant', 'noncompliant'),
    otherIds: subarray([...spellings, 'Id-1']),
  },
  { requiredKeys: ['user', 'deviceId'] },
)
const step: Arbitrary<Step> = oneof(
  tuple(source, record).map(
    ([from, given]): Step =>
      (store) =>
        store.upsert(from, [given]),
  ),
  tuple(source, array(record, { maxLength: 4 }), boolean()).map(
    ([from, set, complete]): Step =>
      (store) =>
        store.replace(from, set, { complete }),
  ),
  tuple(user, constantFrom(...spellings)).map(
    ([of, id]): Step =>
      (store) =>
        store.remove(of, id),
  ),
  tuple(constantFrom(...names), constantFrom(...keys), boolean(), boolean()).map(
    ([of, deviceKey, allowed, selfNoncompliant]): Step =>
      (store) =>
        store.recordSightings([
          sighting({ user: of, deviceKey, allowed, provisionAsked: !allowed, selfNoncompliant }),
        ]),
  ),
  tuple(constantFrom(...names), constantFrom(...spellings), constantFrom('allow', 'block'), boolean()).map(
    ([of, deviceId, action, exclusive]): Step =>
      (store) =>
        store.setOverride(
          { user: store.resolve(of) ?? of, deviceId },
          { action, exclusive, note: 'x' },
          'api',
        ),
  ),
  tuple(constantFrom(...names), constantFrom(...spellings)).map(
    ([of, deviceId]): Step =>
      (store) =>
        store.removeOverride({ user: store.resolve(of) ?? of, deviceId }, 'api'),
  ),
)

const questions = [...names.map((name) => [name]), ['x', 'a'], ['y', 'x', 'b']].flatMap((asked) =>
  [undefined, ...keys].map((key) => [asked, key] as const),
)

void t.test('whatever is written, memory and store say the same once the changes are told', async (t) => {
  await assert(
    asyncProperty(array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
      const { store } = testStore(t)
      try {
        const cached = createLookup({ store, max: 1000 })
        store.onChange((changes) => {
          for (const change of changes) cached.apply(change)
        })
        for (const write of steps) {
          await write(store)
          const fresh = createLookup({ store, max: 1000 })
          for (const [asked, key] of questions) {
            const [held, read] = [cached.lookup(asked, key), fresh.lookup(asked, key)]
            if (JSON.stringify(held) !== JSON.stringify(read)) return false
          }
        }
        return true
      } finally {
        store.close()
      }
    }),
    { numRuns: 25 },
  )
  t.pass()
})
