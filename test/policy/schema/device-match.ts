import t from 'tap'
import { versionRange } from '#policy/schema/device-match.ts'
import rows from '../../fixtures/policy/schema/ranges.json' with { type: 'json' }
import { testFaults } from '../../support/policy-faults.ts'

testFaults('device-match')

for (const { written, range } of rows) {
  void t.test(`the range ${JSON.stringify(written)}`, async (t) => {
    t.strictSame(versionRange.parse(written), range)
  })
}

void t.test('no text is slow to be found no range (T-52)', async (t) => {
  const texts = [
    '1'.repeat(70),
    '1'.repeat(100_000),
    `${'1.'.repeat(40)}x`,
    'a '.repeat(50_000),
    '< 1 '.repeat(20_000),
  ]
  for (const text of texts) {
    const startMs = performance.now()
    t.equal(versionRange.safeParse(`${text}x`).success, false)
    t.ok(performance.now() - startMs < 100, text.slice(0, 20))
  }
})
