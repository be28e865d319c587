import t from 'tap'
import { createTimeReader } from '#cli/import/export-time.ts'
import rows from '../../fixtures/cli/import/export-times.json' with { type: 'json' }

void t.test('times are read as the culture of the export wrote them, in UTC', async (t) => {
  for (const { texts, at = [], problems = [], proves } of rows) {
    const read = createTimeReader(texts)
    const expected = [
      ...at.map((time) => ({ at: time === null ? undefined : Date.parse(time) })),
      ...problems.map((problem) => ({ problem: new RegExp(`^${problem}`) })),
    ]
    t.match(texts.map(read), expected, proves)
    t.equal(texts.length, expected.length)
  }
})
