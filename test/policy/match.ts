import t from 'tap'
import { compileMatch, compilePatterns, fits, fitsOne, subjectOf, type Subject } from '#policy/match.ts'
import { deviceMatch } from '#policy/schema/device-match.ts'
import table from '../fixtures/policy/match.json' with { type: 'json' }
import { usualSituation } from '../support/policy-rows.ts'

for (const row of table.rows) {
  void t.test(`${row.name}: ${row.fits ? 'fits' : 'does not fit'}`, async (t) => {
    const subject = { ...table.usual, ...row.subject } as Subject
    const match = compileMatch(deviceMatch.parse(row.match), row.unknownVersionFits ?? false)
    t.equal(fits(match, { ...subject, version: subject.version ?? undefined }), row.fits)
  })
}

void t.test('what a rule looks at is in lower case, and empty where it is not known', async (t) => {
  const { request } = usualSituation
  t.strictSame(subjectOf(usualSituation), table.usual)
  const unknown = {
    ...usualSituation,
    request: {
      ...request,
      deviceType: undefined,
      userAgent: undefined,
      client: { ...request.client, client: 'unknown' },
    },
    device: { ...usualSituation.device, model: 'unknown' },
  }
  t.match(subjectOf(unknown), { deviceType: '', userAgent: '', model: '', client: '' })
})

void t.test('no text that a client sends makes a pattern slow (T-52)', async (t) => {
  const long = 'a'.repeat(65_536)
  const texts = [long, `${long}b`, `b${long}`, 'ab'.repeat(32_768)]
  const patterns = [
    '*a*a*a*b',
    `*${'a'.repeat(250)}b*`,
    `*b${'a'.repeat(250)}*`,
    `*${'ab'.repeat(120)}b*`,
    'a*a*a*a*b',
  ]
  for (const pattern of patterns) {
    for (const text of texts) {
      const compiled = compilePatterns([pattern])
      const startMs = performance.now()
      fitsOne(text, compiled)
      t.ok(performance.now() - startMs < 50, pattern.slice(0, 20))
    }
  }
})
