import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type FieldFault, parseRecord } from '#directory/record.ts'

interface Row {
  readonly title: string
  readonly value: unknown
  readonly record?: unknown
  readonly faults?: readonly Partial<FieldFault>[]
}

const rows = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/directory/records.json'), 'utf8'),
) as readonly Row[]

for (const { title, value, record, faults } of rows) {
  void t.test(title, async (t) => {
    const parsed = parseRecord(value)
    if (record !== undefined) {
      t.same(parsed, { record })
      return
    }
    const found = 'faults' in parsed ? parsed.faults : []
    t.equal(found.length, faults?.length)
    t.match(found, faults)
  })
}

void t.test('an unknown key is told what was expected', async (t) => {
  const parsed = parseRecord({ user: 'a@example.com', compliance: 'compliant' })
  t.match('faults' in parsed && parsed.faults[0]?.message, /expected one of user, aliases, .*complianceState/)
})

void t.test('a key named __proto__ is an unknown key like any other', async (t) => {
  const parsed = parseRecord(JSON.parse('{"user":"a@example.com","__proto__":{"enrolled":true}}'))
  t.match(parsed, { faults: [{ field: '__proto__' }] })
})
