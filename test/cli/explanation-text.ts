import t from 'tap'
import { shownExplanation, shownTrace, type Explanation } from '#admin/explanation.ts'
import { explanationText } from '#cli/explanation-text.ts'
import { explained } from '../support/traces.ts'

const at = '2026-06-01T12:00:00.000Z'
const asOf = '2026-06-01T11:57:00.000Z'
const shown: Explanation = shownExplanation(
  {
    ...explained,
    at,
    fields: {
      complianceState: {
        value: 'noncompliant',
        source: 'file',
        asOf,
        contradictedBy: [{ value: 'compliant', source: 'intune', asOf: '2026-05-30T12:00:00.000Z' }],
      },
      groups: { value: ['staff', 'sales'], source: 'file', asOf: null },
      otherOwner: { value: false, source: 'easgate', asOf: null },
    },
    trace: [
      { criterion: 'targeted', outcome: 'passed', detail: '', notes: [], facts: ['groups', 'unreadGroups'] },
      {
        criterion: 'compliance',
        outcome: 'block',
        detail: 'complianceState is noncompliant',
        notes: ['corporate: passcodeRequired: true: met'],
        facts: ['complianceState', 'graceUntil'],
      },
    ],
  },
  null,
)

void t.test('a person sees at a glance what decided, why, and what would change it', async (t) => {
  t.equal(
    explanationText('ApplA', shown),
    [
      'alice@example.com  ApplA: block (noncompliant)',
      '  because        complianceState is noncompliant',
      '  changes if     its MDM, and every compliance policy of the user, find the device compliant',
      '  stands         until policy or facts change',
      '  decided by     compliance, mode enforce, backend simulator',
      '  device         iOS 17.5.1, iPhone 15, Apple Mail',
      '  claims         iPhone, EAS 16.1',
      '  policy         revision 1, digest abc',
      '  on record      of file, revision 12',
      '  CONTRADICTION  complianceState is noncompliant by file, compliant by intune, 2 d old',
      '  facts:',
      '    complianceState  noncompliant  file, 3 min old',
      '    groups           staff, sales  file',
      '    otherOwner       false         easgate',
      '  looked at, in order:',
      '      targeted    passed  groups staff, sales, unreadGroups -',
      '    > compliance  block   complianceState is noncompliant',
      '        corporate: passcodeRequired: true: met',
      '        by complianceState noncompliant',
    ].join('\n'),
  )
})

void t.test('tells until when it stands, and how long that is', async (t) => {
  for (const [validUntil, left] of [
    ['2026-06-01T12:00:59.999Z', '59 s'],
    ['2026-06-01T12:01:30.000Z', '90 s'],
    ['2026-06-01T13:59:00.000Z', '119 min'],
    ['2026-06-02T12:00:00.000Z', '24 h'],
    ['2026-06-04T11:00:00.000Z', '2 d'],
    ['2026-06-01T11:00:00.000Z', '0 s'],
  ] as const) {
    const text = explanationText('ApplA', { ...shown, validUntil })
    t.match(text, `  stands         until ${validUntil} (${left}), or policy or facts change\n`)
  }
})

void t.test('what is only reported does not look like a refusal', async (t) => {
  const text = explanationText('ApplA', { ...shown, mode: 'report-only' })
  t.match(text, /^alice@example\.com {2}ApplA: block \(noncompliant\), only reported: it goes to Exchange\n/)
})

void t.test('claims of a phone that was seen have their age', async (t) => {
  const claims = { ...shown.claims, seenAt: asOf }
  t.match(explanationText('ApplA', { ...shown, claims }), '  claims         iPhone, EAS 16.1, 3 min ago\n')
  const none = { deviceType: null, userAgent: null, protocolVersion: null, seenAt: null }
  t.match(explanationText('ApplA', { ...shown, claims: none }), '  claims         -\n')
})

void t.test('a request has what is kept of it, or what is known instead', async (t) => {
  const kept = shownTrace({ requestId: 'a-1', lastRequestId: 'a-9', requests: 5, lastAt: 0, explained })
  const text = (requests: number) => explanationText('ApplA', { ...kept, requests, recomputed: false })
  t.match(text(1), /^ {2}request +a-1 at 1970-01-01T00:16:40\.000Z, as it was decided then\n/m)
  t.match(text(5), /as it was decided then; 5 alike, the last a-9 at 1970-01-01T00:00:00\.000Z\n/)
  for (const [movedOn, words] of [
    [true, 'and these are others by now: it may have been answered otherwise'],
    [false, 'and these are the same as then'],
    [null, 'and it is not told whether these have changed since'],
  ] as const) {
    const recomputed = explanationText('ApplA', { ...shown, requestId: 'a-1', recomputed: true, movedOn })
    t.ok(recomputed.includes(words), words)
  }
})
