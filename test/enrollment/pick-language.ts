import t from 'tap'
import { pickLanguage } from '#enrollment/pick-language.ts'
import rows from '../fixtures/enrollment/accept-language.json' with { type: 'json' }

for (const { name, header, expected } of rows) {
  void t.test(name, async (t) => {
    t.equal(pickLanguage(header, 'fr'), expected)
  })
}

void t.test('a long header takes no time', async (t) => {
  const began = performance.now()
  for (const header of ['a-'.repeat(8000), `en${' '.repeat(16_000)};q`, ','.repeat(16_000)]) {
    t.equal(pickLanguage(header, 'fr'), 'fr')
  }
  t.ok(performance.now() - began < 100)
})
