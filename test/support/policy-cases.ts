import * as fc from 'fast-check'
import { platforms } from '#eas/client/platform.ts'
import { protocolVersions } from '#eas/versions.ts'
import type { DecisionRequest } from '#policy/criterion.ts'
import type { Facts } from '#policy/facts.ts'
import { policySchema, type Policy } from '#policy/schema.ts'

/** All that a decision hangs on. */
export interface Case {
  readonly request: DecisionRequest
  readonly facts: Facts
  readonly policy: Policy
  readonly now: number
}

/** Times of cases are mostly a few of these after the epoch, so that they meet. */
export const stepMs = 6 * 3_600_000
export const maxSteps = 12

/** Most cases go deep into the flow: what would decide early stands in one case of so many. */
function oneIn<Value, Otherwise>(times: number, arbitrary: fc.Arbitrary<Value>, otherwise: Otherwise) {
  return fc.oneof({ weight: 1, arbitrary }, { weight: times - 1, arbitrary: fc.constant(otherwise) })
}

function keyIn<Value>(times: number, arbitrary: fc.Arbitrary<Value>) {
  return oneIn(times, arbitrary, undefined)
}

/** The keys that stand. */
function record(keys: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<object> {
  return fc
    .record(keys)
    .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)))
}

const seldom = oneIn(20, fc.constant(true), false)
const likely = oneIn(10, fc.constant(false), true)
const steps = fc.integer({ min: 0, max: maxSteps }).map((count) => count * stepMs)
/** What a careless source may send. */
const oddTime = fc.constantFrom(NaN, Infinity, -Infinity, 9e15, Date.UTC(9999, 11, 31), -62_135_596_800_000)
const time = fc.oneof({ weight: 19, arbitrary: steps }, { weight: 1, arbitrary: oddTime })

const group = fc.constantFrom('staff', 'sales', 'executives', 'travel')
const groups = fc.uniqueArray(group, { maxLength: 3 })

/** A word of Graph's, seldom one that this version does not know. */
function graphWord(good: string, ...others: readonly string[]) {
  const strange = fc.oneof(fc.constantFrom('unknownFutureValue', '__proto__', ''), fc.string())
  return oneIn(
    3,
    oneIn(4, strange, undefined).chain((word) =>
      word === undefined ? fc.constantFrom(...others) : fc.constant(word),
    ),
    good,
  )
}

const platformWord = oneIn(
  6,
  fc.constantFrom('iPadOS', 'Android', 'Windows', 'BlackBerry', 'visionOS'),
  'iOS',
)
const osVersion = oneIn(5, fc.constantFrom('16.0', '7.0', '4.4.2', '10.0.19045', '6.1', 'latest'), '17.5.1')
const model = fc.constantFrom('iPhone 15', 'SM-G960F', 'unknown')

const device = record({
  enrolled: oneIn(10, fc.constantFrom(false, undefined), true),
  registered: oneIn(10, fc.constantFrom(false, undefined), true),
  activated: oneIn(6, fc.constantFrom(false, undefined), true),
  complianceState: oneIn(3, fc.constant(undefined), 'compliant').chain((word) =>
    word === undefined
      ? fc.constant(undefined)
      : graphWord(word, 'inGracePeriod', 'unknown', 'noncompliant', 'conflict', 'error', 'configManager'),
  ),
  graceUntil: keyIn(2, time),
  platform: oneIn(5, fc.constant(undefined), true).chain((stands) =>
    stands ? platformWord : fc.constant(undefined),
  ),
  osVersion: fc.oneof(osVersion, fc.constant(undefined)),
  model: keyIn(2, model),
  ownership: keyIn(4, fc.constantFrom('company', 'personal', 'unknown')),
  jailbroken: fc.oneof(seldom, fc.constant(undefined)),
  encrypted: fc.oneof(likely, likely, fc.constant(undefined)),
  passcode: fc.oneof(likely, likely, fc.constant(undefined)),
  emailProfileManaged: fc.oneof(likely, likely, fc.constant(undefined)),
  wipePending: keyIn(30, fc.boolean()),
  lastCheckIn: fc.oneof(time, time, fc.constant(undefined)),
  registrationState: keyIn(4, graphWord('registered', 'notRegistered', 'revoked', 'unknown')),
  managementAgent: keyIn(4, graphWord('mdm', 'easMdm', 'eas', 'unknown')),
  threatState: keyIn(2, graphWord('secured', 'lowSeverity', 'highSeverity', 'compromised', 'deactivated')),
  domainJoined: keyIn(4, fc.boolean()),
  origin: time.map((asOf) => ({ sources: ['file'], asOf })),
})

const facts = record({
  user: oneIn(8, fc.constant(undefined), true).chain((stands) =>
    stands
      ? fc.record({ user: fc.constantFrom('alice@example.com', 'bob@example.com'), groups })
      : fc.constant(undefined),
  ),
  device: oneIn(8, fc.constant(undefined), true).chain((stands) =>
    stands ? device : fc.constant(undefined),
  ),
  otherOwner: seldom,
  userHasEnrolledDevice: fc.boolean(),
  sourcesComplete: likely,
  history: record({
    allowedBefore: fc.boolean(),
    firstSeenAt: keyIn(2, time),
    noncompliantSince: keyIn(3, time),
  }),
  override: keyIn(
    12,
    record({
      action: fc.constantFrom('allow', 'block'),
      until: keyIn(2, steps),
      exclusive: fc.boolean(),
      note: fc.constant('a note'),
    }),
  ),
  exclusiveAllows: oneIn(
    15,
    fc.array(record({ deviceKey: fc.constant('phone2'), until: keyIn(2, steps) }), { maxLength: 2 }),
    [],
  ),
  otherDevices: fc.array(fc.record({ firstSeenAt: steps, lastSeenAt: steps }), { maxLength: 4 }),
  unreadGroups: oneIn(4, groups, []),
  revision: fc.nat(),
}) as fc.Arbitrary<Facts>

const usualClient = {
  platform: 'iOS',
  osVersion: '17.5.1',
  model: 'iPhone 15',
  client: 'Apple Mail',
  contradiction: false,
} as const
const oddClient = fc.record({
  platform: fc.constantFrom(...platforms),
  osVersion: oneIn(3, fc.constant('unknown'), '17.5.1'),
  model,
  client: fc.constantFrom('Apple Mail', 'Outlook mobile', 'Nine', 'unknown'),
  contradiction: seldom,
})

const request: fc.Arbitrary<DecisionRequest> = fc.record({
  service: fc.constantFrom('onPremises', 'online'),
  deviceId: oneIn(15, fc.constant(undefined), 'ApplDEMOALICE1'),
  userMismatch: oneIn(40, fc.constant(true), false),
  deviceType: fc.constantFrom('iPhone', 'Android', 'SAMSUNGSMG960F', undefined),
  userAgent: fc.constantFrom('Apple-iPhone15C4/2106.80', 'Android-Mail/2024', 'x'.repeat(300), undefined),
  client: oneIn(6, oddClient, usualClient),
  protocolVersion: oneIn(4, fc.constantFrom(...protocolVersions, undefined), '16.1'),
  minProtocolVersion: fc.constantFrom('2.5', '12.1', '16.1'),
})

const refusal = fc.constantFrom('quarantine', 'redirect', 'block')
const accessLevel = fc.constantFrom('allow', 'block', 'quarantine')
const instant = steps.map((at) => `${new Date(at).toISOString().slice(0, 19)}Z`)
const platformList = fc.uniqueArray(fc.constantFrom('iOS', 'iOS', 'Android', 'Windows'), { maxLength: 2 })
const range = fc.constantFrom(
  '< 17.6',
  '>= 16 < 17.5.1',
  'ios < 17.6',
  'android >= 4',
  '= 17.5.1',
  '> 17.5.1',
)

const accessRules = record({
  mode: oneIn(5, fc.constantFrom('report-only', 'off'), 'enforce'),
  targetedGroups: keyIn(3, groups),
  exemptedGroups: keyIn(5, groups),
  rollout: keyIn(6, fc.constantFrom(0, '50%')),
  grandfathered: keyIn(8, fc.record({ seenBefore: instant, until: instant })),
  notEnrolled: refusal,
  notActivated: refusal,
  notRegistered: refusal,
  requireRegistration: fc.boolean(),
  noncompliant: refusal,
  complianceUnknown: refusal,
  postureUnknown: refusal,
  configManagerMeans: fc.constantFrom('compliant', 'noncompliant', 'unknown'),
  noCompliancePolicyMeans: fc.constantFrom('compliant', 'noncompliant', undefined),
  unsupportedPlatforms: accessLevel,
  windows: fc.constantFrom('compliant', 'domain-joined', 'either'),
  blockedClients: fc.constantFrom([], ['Outlook mobile'], 'n*'),
  platformExceptions: keyIn(
    5,
    fc.array(fc.record({ platform: fc.constantFrom('iOS', 'Android'), action: accessLevel }), {
      maxLength: 2,
    }),
  ),
  defaultAccess: keyIn(4, accessLevel),
  overrideDefaultRule: keyIn(3, fc.boolean()),
  compliantBeatsPlatformRule: keyIn(2, fc.boolean()),
})

const postureRules = record({
  passcodeRequired: keyIn(2, fc.boolean()),
  encryptionRequired: keyIn(3, fc.boolean()),
  minOsVersion: keyIn(3, fc.constantFrom('16', '17.5.1', '18')),
  maxOsVersion: keyIn(4, fc.constantFrom('17', '17.5.1', '99')),
  jailbreakAllowed: keyIn(2, fc.boolean()),
  managedEmailProfileRequired: keyIn(4, fc.boolean()),
  maxThreatLevel: keyIn(4, fc.constantFrom('secured', 'low', 'medium', 'high')),
  maxCheckInDays: keyIn(3, fc.constantFrom(1, 2)),
}).filter((rules) => Object.keys(rules).length > 0)

const assigned = {
  assignedGroups: oneIn(2, groups, ['all-users']),
  platforms: platformList,
  rules: postureRules,
}

/** A compliance policy as the file would say it, all but its name. */
export const compliancePolicyText = fc.record({ ...assigned, graceDays: fc.constantFrom(0, 0, 1, 2) })

const deviceRule = fc.record({
  match: fc.oneof(
    fc.record({ os: fc.constantFrom('iOS', 'Android') }),
    fc.record({ osVersion: range }),
    fc.record({
      model: fc.constantFrom('iPhone*', 'SM-*'),
      os: fc.constantFrom(['iOS'], ['iOS', 'Android']),
    }),
    fc.record({ deviceType: fc.constantFrom('iPhone', '*') }),
    fc.record({ userAgent: fc.constantFrom('apple-*', '*mail*') }),
    fc.record({ client: fc.constantFrom('Apple Mail', 'Outlook*') }),
  ),
  action: accessLevel,
})

function named<Entry extends object>(entries: fc.Arbitrary<Entry>, maxLength: number) {
  return fc
    .array(entries, { maxLength })
    .map((list) => list.map((entry, index) => ({ name: `rule ${index}`, ...entry })))
}

const outageAction = fc.constantFrom('allow', 'block', 'quarantine', 'unavailable')
const policy = record({
  conditionalAccess: fc.record({ onPremises: accessRules, online: accessRules }),
  compliancePolicies: keyIn(2, named(compliancePolicyText, 3)),
  configurationPolicies: keyIn(4, named(fc.record(assigned), 2)),
  deviceRules: keyIn(4, named(deviceRule, 3)),
  deviceQuota: keyIn(
    6,
    fc.record({
      perUser: fc.constantFrom(1, 2),
      countedFor: fc.constantFrom('6h', '1d'),
      action: fc.constantFrom('block', 'quarantine'),
    }),
  ),
  onSourceUnavailable: record({
    knownDevice: outageAction,
    unknownDevice: outageAction,
    maxFactsAge: keyIn(3, fc.constantFrom('6h', '1d', '2d')),
  }),
})

/** Any request, facts, policy and clock. */
export const anyCase: fc.Arbitrary<Case> = fc.record({
  request,
  facts,
  policy: policy.map((text) => policySchema.parse(text)),
  now: steps,
})
