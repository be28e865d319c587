import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type DeviceRecord, fieldWords, mergeDevice, stricterFacts } from '#directory/merge.ts'

interface Row {
  readonly title: string
  readonly records: readonly DeviceRecord[]
  readonly device?: unknown
}

const sourceOrder = ['api', 'file', 'intune']
const rows = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/directory/merge.json'), 'utf8'),
) as readonly Row[]

for (const { title, records, device } of rows) {
  void t.test(title, async (t) => {
    t.same(mergeDevice(records, sourceOrder), device)
    const backwards = mergeDevice(records.toReversed(), sourceOrder)
    t.equal(backwards?.origin.asOf, mergeDevice(records, sourceOrder)?.origin.asOf)
  })
}

/** From the loosest to the strictest. */
const states = [
  'compliant',
  'inGracePeriod',
  'configManager',
  'unknown',
  'a state of tomorrow',
  'another one',
  'error',
  'conflict',
  'noncompliant',
]

void t.test('of two compliance states the stricter stands, in either order', async (t) => {
  for (const [index, strict] of states.entries()) {
    for (const loose of states.slice(0, index + 1)) {
      t.same(stricterFacts({ complianceState: loose }, { complianceState: strict }), {
        complianceState: strict,
      })
      t.same(stricterFacts({ complianceState: strict }, { complianceState: loose }), {
        complianceState: strict,
      })
    }
  }
})

void t.test('each field has its giver and its age, and who contradicts it', async (t) => {
  const records: DeviceRecord[] = [
    { source: 'intune', deviceId: 'AB12', asOf: 3, facts: { enrolled: true, lastCheckIn: 1, model: 'iPad' } },
    { source: 'file', deviceId: 'AB12', asOf: 9, facts: { enrolled: false, lastCheckIn: 2 } },
    { source: 'file', deviceId: '41423132', asOf: 5, facts: { enrolled: true, model: 'iPad' } },
    { source: 'gone', deviceId: 'AB12', asOf: 1, facts: { enrolled: true, osVersion: '17' } },
  ]
  const intuneEnrolled = { value: true, source: 'intune', asOf: 3 }
  t.strictSame(Object.fromEntries(fieldWords(records, sourceOrder)), {
    enrolled: [
      { value: false, source: 'file', asOf: 9 },
      { value: true, source: 'file', asOf: 5 },
      intuneEnrolled,
    ],
    lastCheckIn: [{ value: 2, source: 'file', asOf: 9 }],
    model: [{ value: 'iPad', source: 'intune', asOf: 3 }],
  })
  t.equal(fieldWords([], sourceOrder).size, 0)
})

void t.test('the first word of each field is the one that counts', async (t) => {
  for (const { title, records } of rows) {
    const device: Readonly<Record<string, unknown>> = { ...mergeDevice(records, sourceOrder) }
    const words = fieldWords(records, sourceOrder)
    t.same(new Set(words.keys()), new Set(Object.keys(device).filter((name) => name !== 'origin')), title)
    for (const [field, [{ value }]] of words) t.equal(value, device[field], `${title}: ${field}`)
  }
})
