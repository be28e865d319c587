import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import t from 'tap'
import type { DecisionRequest } from '#policy/criterion.ts'
import { criteria, decide, type TraceStep } from '#policy/decide.ts'
import type { DeviceFacts, Facts } from '#policy/facts.ts'
import { actions, reasons } from '#policy/reasons.ts'
import { policySchema, type Policy } from '#policy/schema.ts'

/** What holds of every decision, whatever the request, the facts, the policy and the clock. */
const bounds = { seed: 20_261_123, numRuns: 2000 }

interface Case {
  readonly request: DecisionRequest
  readonly facts: Facts
  readonly policy: Policy
  readonly now: number
}

const group = fc.constantFrom('staff', 'sales', 'executives')
/** Small times meet often; the odd ones are what a careless source may send. */
const time = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 0, max: 10 }) },
  fc.constantFrom(NaN, Infinity, -Infinity, 9e15, Date.UTC(9999, 11, 31), -62_135_596_800_000),
)
const knownStates = [
  'unknown',
  'compliant',
  'noncompliant',
  'conflict',
  'error',
  'inGracePeriod',
  'configManager',
]
const state = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('compliant', 'inGracePeriod') },
  { weight: 3, arbitrary: fc.constantFrom(...knownStates) },
  fc.string(),
)
const likely = fc.constantFrom(true, true, true, false)
const deviceFields = {
  enrolled: likely,
  registered: likely,
  activated: likely,
  complianceState: state,
  graceUntil: time,
  platform: fc.constantFrom('iOS', 'Android'),
  osVersion: fc.constantFrom('17.5.1', '8.0'),
  model: fc.string(),
  ownership: fc.constantFrom('company', 'personal'),
  jailbroken: fc.boolean(),
  encrypted: fc.boolean(),
  passcode: fc.boolean(),
  emailProfileManaged: fc.boolean(),
  wipePending: fc.constantFrom(false, false, false, true),
  lastCheckIn: time,
}
const device = fc
  .oneof(
    { weight: 3, arbitrary: fc.record(deviceFields) },
    { weight: 1, arbitrary: fc.record(deviceFields, { requiredKeys: [] }) },
  )
  .map((fields) => ({ ...fields, origin: { sources: ['file'], asOf: 0 } }))
const user = fc.record({ user: fc.constant('alice@example.com'), groups: fc.uniqueArray(group) })
const otherFacts = {
  otherOwner: fc.constantFrom(false, false, true),
  userHasEnrolledDevice: fc.boolean(),
  sourcesComplete: likely,
  history: fc.record({ allowedBefore: fc.boolean() }),
  revision: fc.nat(),
}
const facts: fc.Arbitrary<Facts> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ ...otherFacts, user, device }) },
  { weight: 1, arbitrary: fc.record({ ...otherFacts, user }) },
  { weight: 1, arbitrary: fc.record(otherFacts) },
)
const refusal = fc.constantFrom('quarantine', 'redirect', 'block')
const rules = fc.record(
  {
    mode: fc.constantFrom('enforce', 'enforce', 'report-only', 'off'),
    targetedGroups: fc.uniqueArray(fc.oneof(group, fc.constant('all-users'))),
    exemptedGroups: fc.uniqueArray(group, { maxLength: 1 }),
    notEnrolled: refusal,
    notRegistered: refusal,
    requireRegistration: fc.boolean(),
    noncompliant: refusal,
    defaultAccess: fc.constantFrom('allow', 'allow', 'block', 'quarantine'),
    overrideDefaultRule: fc.boolean(),
  },
  { requiredKeys: [] },
)
const anyCase: fc.Arbitrary<Case> = fc.record({
  request: fc.record({
    service: fc.constantFrom('onPremises', 'online'),
    deviceId: fc.constantFrom('ApplDEMOALICE1', 'ApplDEMOALICE1', 'ApplDEMOALICE1', undefined),
    userMismatch: fc.constantFrom(false, false, false, false, true),
  }),
  facts,
  policy: fc
    .record({ onPremises: rules, online: rules })
    .map((conditionalAccess) => policySchema.parse({ conditionalAccess })),
  now: fc.integer({ min: 0, max: 10 }),
})

/** The answer to a case, with `facts` in place of the case's own. */
function answer({ request, facts, policy, now }: Case, changed = facts) {
  return decide(request, changed, policy, now)
}

/** True where conditional access judges a device: nothing but what is known of the device may let it in. */
function isJudged({ request, facts, policy }: Case): boolean {
  const { mode, targetedGroups, exemptedGroups } = policy.conditionalAccess[request.service]
  if (mode === 'off' || request.deviceId === undefined) return false
  if (facts.user === undefined) return true
  const { groups } = facts.user
  const targeted = targetedGroups.some((name) => name === 'all-users' || groups.includes(name))
  return targeted && !exemptedGroups.some((name) => groups.includes(name))
}

function property(title: string, holds: (tried: Case) => boolean): void {
  void t.test(title, (t) => {
    t.doesNotThrow(() => fc.assert(fc.property(anyCase, holds), bounds))
    t.end()
  })
}

property(
  'is total: an action and a reason of the closed lists, by a criterion, for a time to come',
  (tried) => {
    const { action, reason, rule, mode, validUntil } = answer(tried)
    return (
      actions.includes(action) &&
      reasons.includes(reason) &&
      criteria.some(({ name }) => name === rule) &&
      mode === tried.policy.conditionalAccess[tried.request.service].mode &&
      validUntil > tried.now
    )
  },
)

property('lets a judged device in only where it is enrolled, its own, not to be wiped, and good', (tried) => {
  if (!isJudged(tried) || answer(tried).action !== 'allow') return true
  const { requireRegistration } = tried.policy.conditionalAccess[tried.request.service]
  const known: DeviceFacts = tried.facts.device ?? {}
  return (
    known.enrolled === true &&
    known.wipePending !== true &&
    (!requireRegistration || (known.registered === true && known.activated !== false)) &&
    (known.complianceState === 'compliant' ||
      (known.complianceState === 'inGracePeriod' && (known.graceUntil ?? NaN) > tried.now))
  )
})

property('lets no judged device in for a complianceState that this version does not know', (tried) => {
  const { complianceState } = tried.facts.device ?? {}
  if (!isJudged(tried) || complianceState === 'compliant' || complianceState === 'inGracePeriod') return true
  return answer(tried).action !== 'allow'
})

/** Facts that accuse: without them a device is innocent, so only these may turn a refusal into an allow by absence. */
const accusations: ReadonlySet<string> = new Set(['wipePending', 'activated'])

property('lets nobody in for a missing fact of the device', (tried) => {
  const { device, ...rest } = tried.facts
  if (device === undefined || answer(tried).action === 'allow') return true
  const lesser = Object.keys(device)
    .filter((field) => !accusations.has(field))
    .map((field) => ({ ...tried.facts, device: omit(device, field) }))
  return [rest, ...lesser].every((facts) => answer(tried, facts).action !== 'allow')
})

property('lets no device in whose user is not known: records hang on users', (tried) => {
  const { user: _user, device: _device, ...rest } = tried.facts
  return answer(tried).action === 'allow' || answer(tried, rest).action !== 'allow'
})

property('lets nobody in for a source that was not read yet', (tried) => {
  const unread = { ...tried.facts, sourcesComplete: false }
  return answer(tried).action === 'allow' || answer(tried, unread).action !== 'allow'
})

property('answers the same for the same input, and changes none of it', (tried) => {
  const before = structuredClone(tried)
  const first = answer(tried)
  const second = answer(before)
  return isDeepStrictEqual(first, second) && isDeepStrictEqual(structuredClone(tried), before)
})

property('answers the same until the answer says it ends', (tried) => {
  const { action, reason, rule, validUntil } = answer(tried)
  for (let now = tried.now; now < Math.min(validUntil, 12); now++) {
    const later = answer({ ...tried, now })
    if (later.action !== action || later.reason !== reason || later.rule !== rule) return false
  }
  return true
})

property('explains without changing the answer; the last step is the one that decided', (tried) => {
  const trace: TraceStep[] = []
  const explained = decide(tried.request, tried.facts, tried.policy, tried.now, trace)
  const last = trace.at(-1)
  return (
    isDeepStrictEqual(explained, answer(tried)) &&
    last?.criterion === explained.rule &&
    last.outcome === explained.action &&
    trace.slice(0, -1).every(({ outcome }) => outcome === 'passed') &&
    trace.every(({ criterion }, index) => criterion === criteria[index]?.name)
  )
})

function omit(device: NonNullable<Facts['device']>, field: string): NonNullable<Facts['device']> {
  const entries = Object.entries(device).filter(([name]) => name !== field)
  return Object.fromEntries(entries) as unknown as NonNullable<Facts['device']>
}
