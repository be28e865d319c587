import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type DeviceRecord, mergeDevice, stricterFacts } from '#directory/merge.ts'

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
