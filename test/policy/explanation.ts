import t from 'tap'
import { changedBy } from '#policy/changed-by.ts'
import { compilePolicy } from '#policy/compile.ts'
import type { DecisionRequest } from '#policy/criterion.ts'
import { decide } from '#policy/decide.ts'
import { explainDecision, type Explained, type Provenance } from '#policy/explanation.ts'
import type { Facts } from '#policy/facts.ts'
import { reasons } from '#policy/reasons.ts'
import { policySchema } from '#policy/schema.ts'

const request: DecisionRequest = {
  service: 'onPremises',
  deviceId: 'ApplDEMOALICE1',
  userMismatch: false,
  deviceType: 'iPhone',
  userAgent: undefined,
  client: {
    platform: 'iOS',
    osVersion: '17.5.1',
    model: 'iPhone 15',
    client: 'Apple Mail',
    contradiction: false,
  },
  protocolVersion: '16.1',
  minProtocolVersion: '2.5',
}
const now = Date.parse('2026-06-01T12:00:00Z')
const asOf = Date.parse('2026-06-01T11:00:00Z')
const isoAsOf = '2026-06-01T11:00:00.000Z'
const facts: Facts = {
  user: { user: 'alice@example.com', groups: ['staff'] },
  device: { enrolled: true, complianceState: 'compliant', origin: { sources: ['file', 'intune'], asOf } },
  otherOwner: false,
  userHasEnrolledDevice: true,
  sourcesComplete: true,
  history: { allowedBefore: false },
  exclusiveAllows: [],
  otherDevices: [],
  unreadGroups: [],
  revision: 12,
}
const provenance: Provenance = new Map([
  [
    'complianceState',
    [
      { value: 'compliant', source: 'file', asOf },
      { value: 'noncompliant', source: 'intune', asOf: now },
    ],
  ],
  ['groups', [{ value: ['staff'], source: 'file' }]],
])

function explain(changed: Partial<Facts> = {}, policy: unknown = {}, said = provenance): Explained {
  return explainDecision({
    request,
    facts: { ...facts, ...changed },
    provenance: said,
    policy: { value: compilePolicy(policySchema.parse(policy)), revision: 3, digest: 'abc' },
    now,
    user: 'alice@example.com',
    backend: 'main',
  })
}

function step({ trace }: Explained, criterion: string) {
  return trace.find((one) => one.criterion === criterion)
}

void t.test('tells the decision, why, and what would change it', async (t) => {
  const { fields, trace, ...rest } = explain()
  t.strictSame(rest, {
    action: 'allow',
    reason: 'compliant',
    rule: 'compliance',
    mode: 'enforce',
    detail: 'complianceState is compliant',
    changedBy: changedBy.compliant,
    at: '2026-06-01T12:00:00.000Z',
    validUntil: null,
    policyRevision: 3,
    policyDigest: 'abc',
    factsRevision: 12,
    user: 'alice@example.com',
    known: true,
    backend: 'main',
    device: { platform: 'iOS', osVersion: '17.5.1', model: 'iPhone 15', client: 'Apple Mail' },
    claims: { deviceType: 'iPhone', userAgent: null, protocolVersion: '16.1' },
    origin: { source: 'file, intune', asOf: isoAsOf },
  })
  t.equal(trace[0]?.criterion, 'user-mismatch')
  t.match(fields, { enrolled: { value: true }, otherOwner: { value: false } })
})

void t.test('is the decision that a request meets, at every time and by every policy', async (t) => {
  const graceUntil = now + 60_000
  const cases: [Partial<Facts>, unknown][] = [
    [{}, {}],
    [{ device: undefined }, {}] as unknown as [Partial<Facts>, unknown],
    [
      {
        device: {
          enrolled: true,
          complianceState: 'inGracePeriod',
          graceUntil,
          origin: { sources: ['file'], asOf },
        },
      },
      {},
    ],
    [{ otherOwner: true }, { conditionalAccess: { onPremises: { mode: 'report-only' } } }],
    [{}, { deviceRules: [{ name: 'no iPhones', match: { model: 'iPhone*' }, action: 'block' }] }],
    [{}, { conditionalAccess: { onPremises: { mode: 'off', defaultAccess: 'block' } } }],
  ]
  for (const [changed, policy] of cases) {
    const compiled = compilePolicy(policySchema.parse(policy))
    const { validUntil, ...decision } = decide(request, { ...facts, ...changed }, compiled, now)
    const explained = explain(changed, policy)
    t.match(explained, decision)
    t.equal(explained.validUntil, validUntil === Infinity ? null : new Date(validUntil).toISOString())
    const last = explained.trace.findLast(({ outcome }) => outcome !== 'passed')
    t.equal(last?.outcome, explained.action, 'the last line that is not passed decided')
    t.equal(explained.detail, last?.detail)
  }
})

void t.test('each criterion names the facts that it looked at, those that are missing too', async (t) => {
  const explained = explain()
  t.match(step(explained, 'enrolled')?.facts, ['enrolled', 'managementAgent'])
  t.ok(step(explained, 'targeted')?.facts.includes('groups'))
  t.ok(step(explained, 'device-quota')?.facts.includes('allowedBefore'), 'one by one what history stands for')
  t.equal(explained.fields['managementAgent'], undefined)
})

void t.test('a fact has its source and its age, and who contradicts it', async (t) => {
  t.strictSame(explain().fields['complianceState'], {
    value: 'compliant',
    source: 'file',
    asOf: isoAsOf,
    contradictedBy: [{ value: 'noncompliant', source: 'intune', asOf: '2026-06-01T12:00:00.000Z' }],
  })
  t.strictSame(explain().fields['groups'], { value: ['staff'], source: 'file', asOf: null })
})

void t.test(
  'a fact that somebody has changed since is dated by the record that was decided by',
  async (t) => {
    const changed = { device: { complianceState: 'noncompliant', origin: { sources: ['intune'], asOf: 0 } } }
    t.strictSame(explain(changed).fields['complianceState'], {
      value: 'noncompliant',
      source: 'intune',
      asOf: '1970-01-01T00:00:00.000Z',
    })
  },
)

void t.test('what easgate knows by itself is told as its own', async (t) => {
  const { fields } = explain({
    history: { allowedBefore: true, firstSeenAt: asOf, noncompliantSince: now },
    otherDevices: [{ firstSeenAt: 1, lastSeenAt: 2 }],
    exclusiveAllows: [{ deviceKey: 'appl2', until: 5 }],
    unreadGroups: ['sales'],
  })
  const own = { source: 'easgate', asOf: null }
  t.match(fields, {
    allowedBefore: { value: true, ...own },
    firstSeenAt: { value: isoAsOf, ...own },
    noncompliantSince: { value: '2026-06-01T12:00:00.000Z', ...own },
    otherDevices: { value: 1, ...own },
    exclusiveAllows: { value: ['appl2'], ...own },
    unreadGroups: { value: ['sales'], ...own },
    sourcesComplete: { value: true, ...own },
  })
})

void t.test('the word of an administrator has its end, its reason and who gave it', async (t) => {
  const until = now + 1000
  const override = { action: 'block', exclusive: false, note: 'stolen', until } as const
  const by = { source: 'override by api', asOf }
  const explained = explain(
    { override },
    {},
    new Map([
      ['override', [{ value: 'block', ...by }]],
      ['overrideUntil', [{ value: until, ...by }]],
    ]),
  )
  t.match(explained, { reason: 'personal-block', validUntil: new Date(until).toISOString() })
  t.match(explained.fields, {
    override: { value: 'block', source: 'override by api', asOf: isoAsOf },
    overrideUntil: { value: new Date(until).toISOString(), source: 'override by api' },
    overrideNote: { value: 'stolen' },
  })
  t.match(step(explained, 'personal-block')?.facts, ['override', 'overrideUntil'])
})

void t.test('a time that is no time does not keep it from telling', async (t) => {
  for (const odd of [NaN, Infinity, -Infinity, 9e15]) {
    const { fields } = explain({
      device: { graceUntil: odd, lastCheckIn: odd, origin: { sources: ['file'], asOf: odd } },
    })
    t.match(fields['graceUntil'], { value: String(odd), source: 'file', asOf: null })
  }
})

void t.test('it is plain JSON', async (t) => {
  const explained = explain({ history: { allowedBefore: true, firstSeenAt: 1 } })
  t.strictSame(JSON.parse(JSON.stringify(explained)), explained)
})

void t.test('every reason has words for what would change it', async (t) => {
  for (const reason of reasons) t.match(changedBy[reason], /^[^A-Z.].{10,90}[^.]$/, reason)
})
