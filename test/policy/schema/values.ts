import t from 'tap'
import { duration, groups, instant, isVersion, share, version } from '#policy/schema/values.ts'
import rows from '../../fixtures/policy/schema/readings.json' with { type: 'json' }
import { testFaults } from '../../support/policy-faults.ts'

testFaults('values')

const schemas = { duration, groups, instant, share, version }

for (const { value, written, read } of rows) {
  void t.test(`${value} ${JSON.stringify(written)}`, async (t) => {
    const schema = schemas[value as keyof typeof schemas]
    t.strictSame(schema.safeParse(written).data ?? null, read)
  })
}

void t.test('a version is read whole or not at all', async (t) => {
  for (const text of ['17', '17.4', '0', '10.0.19045.4291', '1.2.3.4.5.6.7.8']) t.ok(isVersion(text), text)
  for (const text of [
    '',
    '.',
    '17.',
    '.4',
    '17..4',
    '17.4b',
    'v17',
    ' 17',
    '-1',
    '1e3',
    '1.2.3.4.5.6.7.8.9',
  ]) {
    t.notOk(isVersion(text), text)
  }
  const startMs = performance.now()
  isVersion(`${'1.'.repeat(100_000)}x`)
  t.ok(performance.now() - startMs < 100)
})
