import { endsAt, type Situation } from '../criterion.ts'
import { isMember } from '../groups.ts'
import type { Check, CompiledCompliancePolicy, Setting } from './checks.ts'

/** What our own policies say of a device. */
export type Evaluation = {
  /** A compliance policy is known to be assigned to this user on this platform. A configuration policy is none. */
  readonly assigned: boolean
} & (
  | { readonly kind: 'met' }
  /** Found wanting, but within the grace of every policy that it fails. */
  | { readonly kind: 'grace'; readonly until: number; readonly failed: Failure }
  | { readonly kind: 'failed'; readonly failed: Failure }
  | { readonly kind: 'unknown'; readonly failed: Failure }
)

/** The rule of which the answer speaks. */
export interface Failure {
  readonly policy: CompiledCompliancePolicy
  readonly check: Check
}

const dayMs = 86_400_000
const met: Evaluation = { kind: 'met', assigned: true }
const nothingAssigned: Evaluation = { kind: 'met', assigned: false }

/**
 * Asks every policy that is assigned, or may be. As a device must meet them all, of several rules on one setting the
 * most secure wins. Configuration policies speak only of settings of which no assigned compliance policy speaks, even
 * where they are stricter. facts.md 2
 *
 * Grace runs from when the pair was first found wanting; for one that never was, from now.
 */
export function evaluateCompliance(situation: Situation): Evaluation {
  const { rules, facts, now } = situation
  let settings = 0
  let assigned = false
  let isAsked = false
  let failed: Failure | undefined
  let unknown: Failure | undefined
  let inGrace: Failure | undefined
  let graceUntil = Infinity
  // a clock that was set back must not make a grace longer
  const since = Math.min(facts.history.noncompliantSince ?? now, now)

  for (const policy of rules.compliancePolicies) {
    const member = isAssigned(policy, situation)
    if (member === false) continue
    if (member) {
      assigned = true
      settings |= policy.settings
    }
    const until = since + policy.graceDays * dayMs
    for (const check of policy.checks) {
      isAsked = true
      const result = judge(check, policy, situation)
      if (result === 'unknown') unknown ??= { policy, check }
      if (result !== 'failed') continue
      if (!(until > now)) failed ??= { policy, check }
      else if (until < graceUntil) {
        graceUntil = until
        inGrace = { policy, check }
      }
    }
  }
  for (const policy of rules.configurationPolicies) {
    if (isAssigned(policy, situation) === false) continue
    for (const check of policy.checks) {
      if ((settings & check.bit) !== 0) continue
      isAsked = true
      const result = judge(check, policy, situation)
      if (result === 'failed') failed ??= { policy, check }
      if (result === 'unknown') unknown ??= { policy, check }
    }
  }

  if (!isAsked) return nothingAssigned
  if (failed !== undefined || inGrace !== undefined) situation.selfNoncompliant = true
  // what was not reported does not end a grace that runs
  else if (unknown === undefined) situation.selfNoncompliant = false
  // then another rule may be the one that refuses
  endsAt(situation, graceUntil)
  if (failed !== undefined) return { kind: 'failed', assigned, failed }
  if (unknown !== undefined) return { kind: 'unknown', assigned, failed: unknown }
  if (inGrace !== undefined) return { kind: 'grace', assigned, until: graceUntil, failed: inGrace }
  return assigned ? met : nothingAssigned
}

/** The settings that some policy asks for and that are not known to be met, in the order in which they are asked. */
export function settingsNotMet(situation: Situation): readonly Setting[] {
  const { compliancePolicies, configurationPolicies } = situation.rules
  const notMet = new Set<Setting>()
  let settings = 0
  for (const policy of compliancePolicies) {
    const member = isAssigned(policy, situation)
    if (member === false) continue
    if (member) settings |= policy.settings
    for (const check of policy.checks) {
      if (judge(check, policy, situation) !== 'met') notMet.add(check.setting)
    }
  }
  for (const policy of configurationPolicies) {
    if (isAssigned(policy, situation) === false) continue
    for (const check of policy.checks) {
      if ((settings & check.bit) === 0 && judge(check, policy, situation) !== 'met') notMet.add(check.setting)
    }
  }
  return [...notMet]
}

/**
 * `undefined` where the user's groups or the platform on record are not known: then a policy counts where it refuses,
 * and not where it would let in or silence a configuration policy. What a client claims to be leaves it no policy out.
 */
function isAssigned(policy: CompiledCompliancePolicy, situation: Situation): boolean | undefined {
  const { device } = situation
  const isOnPlatform =
    policy.platforms.length === 0
      ? true
      : device.platformOnRecord
        ? policy.platforms.includes(device.platform)
        : undefined
  const answer = isOnPlatform === false ? false : isMember(situation, policy.groups) && isOnPlatform
  if (answer !== true) {
    situation.notes?.push(
      `${policy.name}: ${answer === false ? 'not assigned' : 'assigned to whom is not known'}`,
    )
  }
  return answer
}

function judge(check: Check, policy: CompiledCompliancePolicy, situation: Situation) {
  const result = check.judge(situation)
  situation.notes?.push(`${policy.name}: ${check.wanted}: ${result}`)
  return result
}
