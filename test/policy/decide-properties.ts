import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import t from 'tap'
import { compilePolicy } from '#policy/compile.ts'
import { criteria, decide, type TraceStep } from '#policy/decide.ts'
import type { DeviceFacts, Facts } from '#policy/facts.ts'
import { actions, reasons } from '#policy/reasons.ts'
import { policySchema, type AccessRules } from '#policy/schema.ts'
import { anyCase, compliancePolicyText, maxSteps, stepMs, type Case } from '../support/policy-cases.ts'

/** What holds of every decision, whatever the request, the facts, the policy and the clock. */
const bounds = { seed: 20_261_123, numRuns: 2000 }

/** The answer to a case. */
function answer({ request, facts, policy, now }: Case, trace?: TraceStep[]) {
  return decide(request, facts, compilePolicy(policy), now, trace)
}

function isLetIn(asked: Case): boolean {
  return answer(asked).action === 'allow'
}

/** True where what is let in now is let in no more, or was not let in before: the change lets nobody in. */
function letsNobodyIn(before: Case, after: Case): boolean {
  return isLetIn(before) || !isLetIn(after)
}

function rulesOf({ request, policy }: Case): AccessRules {
  return policy.conditionalAccess[request.service]
}

function withFacts(asked: Case, facts: Partial<Facts>): Case {
  return { ...asked, facts: { ...asked.facts, ...facts } }
}

function withRules(asked: Case, rules: Partial<AccessRules>): Case {
  const { policy, request } = asked
  const conditionalAccess = {
    ...policy.conditionalAccess,
    [request.service]: { ...rulesOf(asked), ...rules },
  }
  return { ...asked, policy: { ...policy, conditionalAccess } }
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
      criteria.some(({ name }) => rule === name || rule.startsWith(`${name}: `)) &&
      mode === rulesOf(tried).mode &&
      validUntil > tried.now
    )
  },
)

property('answers the same for the same input, traces the same, and changes none of it', (tried) => {
  const before = structuredClone(tried)
  const traces: readonly TraceStep[][] = [[], []]
  const first = answer(tried, traces[0])
  const second = answer(before, traces[1])
  return (
    isDeepStrictEqual(first, second) &&
    isDeepStrictEqual(traces[0], traces[1]) &&
    isDeepStrictEqual(structuredClone(tried), before)
  )
})

property('explains without changing the answer; the last step that is not passed decided', (tried) => {
  const trace: TraceStep[] = []
  const explained = answer(tried, trace)
  const decided = trace.findLast(({ outcome }) => outcome !== 'passed')
  const order = trace.map(({ criterion }) => criteria.findIndex(({ name }) => name === criterion))
  return (
    isDeepStrictEqual(explained, answer(tried)) &&
    decided !== undefined &&
    explained.rule.split(':')[0] === decided.criterion &&
    explained.action === decided.outcome &&
    order.every((place, index) => place > (order[index - 1] ?? -1)) &&
    trace.slice(0, -1).every(({ outcome }) => outcome === 'passed' || outcome === 'allow')
  )
})

property('answers the same until the answer says it ends', (tried) => {
  const { action, reason, rule, validUntil } = answer(tried)
  const later = Array.from({ length: maxSteps }, (_, index) => tried.now + (index * stepMs) / 2)
  return [...later, validUntil - 1]
    .filter((now) => now >= tried.now && now < validUntil && now < 1e15)
    .every((now) => {
      const then = answer({ ...tried, now })
      return then.action === action && then.reason === reason && then.rule === rule
    })
})

property('decides by report-only as by enforce: what becomes of it is for the proxy to say', (tried) => {
  const { mode: _enforce, ...enforced } = answer(withRules(tried, { mode: 'enforce' }))
  const { mode: _reportOnly, ...reported } = answer(withRules(tried, { mode: 'report-only' }))
  return isDeepStrictEqual(enforced, reported)
})

property('gives who is targeted and exempt what anybody gets who is not targeted', (tried) => {
  const { user } = tried.facts
  if (user === undefined) return true
  const known = withFacts(tried, {
    user: { ...user, groups: [...user.groups, 'executives'] },
    sourcesComplete: true,
    unreadGroups: [],
  })
  const exempt = answer(withRules(known, { targetedGroups: ['all-users'], exemptedGroups: ['executives'] }))
  const untargeted = answer(withRules(known, { targetedGroups: [] }))
  return exempt.action === untargeted.action
})

/** Reasons to let in that rest on a verdict of the device. */
const good: ReadonlySet<string> = new Set(['compliant', 'in-grace-period', 'no-compliance-policy'])

property(
  'finds a device good only where it is enrolled, its own, not to be wiped, and nothing says otherwise',
  (tried) => {
    const { action, reason } = answer(tried)
    if (action !== 'allow' || !good.has(reason)) return true
    const known: DeviceFacts = tried.facts.device ?? {}
    const { requireRegistration } = rulesOf(tried)
    const isRegistered = known.registered ?? known.registrationState === 'registered'
    return (
      known.enrolled !== false &&
      known.managementAgent !== 'eas' &&
      (known.enrolled === true || known.managementAgent === 'mdm' || known.managementAgent === 'easMdm') &&
      known.wipePending !== true &&
      (!requireRegistration || (isRegistered && known.registrationState !== 'revoked')) &&
      !['noncompliant', 'conflict', 'error', 'unknown'].includes(known.complianceState ?? '') &&
      (known.complianceState !== 'inGracePeriod' || (known.graceUntil ?? NaN) > tried.now)
    )
  },
)

const knownStates: ReadonlySet<string | undefined> = new Set([
  'compliant',
  'inGracePeriod',
  'configManager',
  undefined,
])

property('finds no device good for a complianceState that this version does not know', (tried) => {
  const { action, reason } = answer(tried)
  return action !== 'allow' || !good.has(reason) || knownStates.has(tried.facts.device?.complianceState)
})

property('takes a word that it does not know for no word at all, or for worse', (tried) => {
  const { device } = tried.facts
  if (device === undefined) return true
  const words = ['complianceState', 'managementAgent', 'registrationState', 'threatState'] as const
  return words.every((field) => {
    const missing = withFacts(tried, { device: omit(device, field) })
    const strange = withFacts(tried, { device: { ...device, [field]: 'unknownFutureValue' } })
    return letsNobodyIn(missing, strange)
  })
})

/** The same without the settings that let in what nothing is known of. */
function closed(tried: Case): Case {
  const { grandfathered: _none, ...rules } = rulesOf(tried)
  const { policy, request } = tried
  return {
    ...tried,
    policy: {
      ...policy,
      conditionalAccess: {
        ...policy.conditionalAccess,
        [request.service]: { ...rules, unsupportedPlatforms: 'block' },
      },
      onSourceUnavailable: { ...policy.onSourceUnavailable, unknownDevice: 'block' },
    },
  }
}

/** What speaks for a device. A field that may accuse it as well is here with the value that does not. */
const speaksForIt: readonly (readonly [field: keyof DeviceFacts, value?: unknown])[] = [
  ['enrolled', true],
  ['registered', true],
  ['activated', true],
  ['complianceState', 'compliant'],
  ['graceUntil'],
  ['jailbroken', false],
  ['encrypted'],
  ['passcode'],
  ['emailProfileManaged'],
  ['lastCheckIn'],
  ['registrationState', 'registered'],
  ['managementAgent', 'mdm'],
  ['threatState'],
  ['domainJoined'],
]

property('lets nobody in for a good word that is missing', (tried) => {
  const asked = closed(tried)
  const { device } = asked.facts
  if (device === undefined) return true
  return speaksForIt
    .filter(([field, value]) => value === undefined || device[field] === value)
    .every(([field]) => letsNobodyIn(asked, withFacts(asked, { device: omit(device, field) })))
})

/** Where conditional access judges: nothing but what is on record may let a device in. */
function judged(tried: Case): Case {
  const { override: _none, ...facts } = tried.facts
  const rules = { mode: 'enforce', targetedGroups: ['all-users'], exemptedGroups: [], rollout: 1 } as const
  const request = { ...tried.request, deviceId: 'ApplDEMOALICE1' }
  return withRules(closed({ ...tried, request, facts }), {
    ...rules,
    targetedGroups: [...rules.targetedGroups],
    exemptedGroups: [],
  })
}

property('lets in no judged device of which there is no record', (tried) => {
  const asked = judged(tried)
  const { device: _none, ...facts } = asked.facts
  return !isLetIn({ ...asked, facts })
})

property('lets in no judged device whose user is not known: records hang on users', (tried) => {
  const asked = judged(tried)
  const { user: _user, device: _device, ...facts } = asked.facts
  return !isLetIn({ ...asked, facts })
})

property('lets no judged device in for a source or a group that was not read yet', (tried) => {
  const asked = judged(tried)
  return (
    letsNobodyIn(asked, withFacts(asked, { sourcesComplete: false })) &&
    letsNobodyIn(asked, withFacts(asked, { unreadGroups: ['staff', 'sales', 'executives', 'travel'] }))
  )
})

property('lets no judged device in for what its client claims to be', (tried) => {
  const { device } = tried.facts
  if (device === undefined) return true
  const asked = withRules(judged({ ...tried, policy: { ...tried.policy, deviceRules: [] } }), {
    platformExceptions: [],
    blockedClients: [],
  })
  const silent = { platform: 'unknown', osVersion: 'unknown', model: 'unknown', client: 'unknown' } as const
  const client = { ...silent, contradiction: false }
  return letsNobodyIn({ ...asked, request: { ...asked.request, client } }, asked)
})

void t.test('lets nobody in for a further compliance policy, where there is one already', (t) => {
  const tried = fc.property(anyCase, compliancePolicyText, (asked, text) => {
    const [first, further] = policySchema.parse({
      compliancePolicies: [
        { name: 'first', rules: { jailbreakAllowed: true } },
        { ...text, name: 'further' },
      ],
    }).compliancePolicies
    if (first === undefined || further === undefined) return false
    // the seed lets a compliance policy overrule a stricter configuration policy
    const policy = { ...asked.policy, configurationPolicies: [] }
    const before = [first, ...policy.compliancePolicies]
    return letsNobodyIn(
      { ...asked, policy: { ...policy, compliancePolicies: before } },
      { ...asked, policy: { ...policy, compliancePolicies: [...before, further] } },
    )
  })
  t.doesNotThrow(() => fc.assert(tried, bounds))
  t.end()
})

property(
  'refuses whom an administrator blocked, and lets in whom one allowed, whatever the policy',
  (tried) => {
    const { device } = tried.facts
    const request = { ...tried.request, userMismatch: false }
    const asked = withFacts({ ...tried, request }, device ? { device: omit(device, 'wipePending') } : {})
    const note = 'a note'
    return (
      !isLetIn(withFacts(asked, { override: { action: 'block', exclusive: false, note } })) &&
      isLetIn(withFacts(asked, { override: { action: 'allow', exclusive: false, note } }))
    )
  },
)

property(
  'refuses a device that is to be wiped, and a request under two names, whatever else is so',
  (tried) => {
    const device = { origin: { sources: ['file'], asOf: 0 }, ...tried.facts.device, wipePending: true }
    const request = { ...tried.request, userMismatch: true }
    return !isLetIn(withFacts(tried, { device })) && answer({ ...tried, request }).action === 'reject'
  },
)

property('lets no device in for another one of the same user', (tried) => {
  const more = [...tried.facts.otherDevices, { firstSeenAt: 0, lastSeenAt: tried.now }]
  const exclusiveAllows = [...tried.facts.exclusiveAllows, { deviceKey: 'phone3' }]
  return (
    letsNobodyIn(tried, withFacts(tried, { otherDevices: more })) &&
    letsNobodyIn(tried, withFacts(tried, { exclusiveAllows }))
  )
})

function omit(device: NonNullable<Facts['device']>, field: string): NonNullable<Facts['device']> {
  const entries = Object.entries(device).filter(([name]) => name !== field)
  return Object.fromEntries(entries) as unknown as NonNullable<Facts['device']>
}
