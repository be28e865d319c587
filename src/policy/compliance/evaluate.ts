import type { Situation } from '../criterion.ts'
import { isMember } from '../groups.ts'
import type { Check, CompiledCompliancePolicy } from './checks.ts'

/** What our own compliance policies say of a device. */
export type Evaluation =
  /** No policy is assigned to this user on this platform. */
  | { readonly kind: 'none' }
  | { readonly kind: 'met' }
  /** Found wanting, but within the grace of every policy that it fails. */
  | { readonly kind: 'grace'; readonly until: number; readonly failed: Failure }
  | { readonly kind: 'failed'; readonly failed: Failure }
  | { readonly kind: 'unknown'; readonly failed: Failure }

/** The rule of which the answer speaks. */
export interface Failure {
  readonly policy: CompiledCompliancePolicy
  readonly check: Check
}

const dayMs = 86_400_000
const none: Evaluation = { kind: 'none' }
const met: Evaluation = { kind: 'met' }

/**
 * Asks every policy that is assigned. As a device must meet them all, of several rules on one setting the most secure
 * wins. Configuration policies speak only of settings of which no assigned compliance policy speaks, even where they
 * are stricter. facts.md 2
 *
 * Grace runs from when the pair was first found wanting; for one that never was, from now.
 */
export function evaluateCompliance(situation: Situation): Evaluation {
  const { rules, facts, now } = situation
  let settings = 0
  let assigned = 0
  let failed: Failure | undefined
  let unknown: Failure | undefined
  let inGrace: Failure | undefined
  let graceUntil = Infinity
  const since = facts.history.noncompliantSince ?? now

  for (const policy of rules.compliancePolicies) {
    if (!isAssigned(policy, situation)) continue
    assigned++
    settings |= policy.settings
    const until = since + policy.graceDays * dayMs
    for (const check of policy.checks) {
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
    if (!isAssigned(policy, situation)) continue
    for (const check of policy.checks) {
      if ((settings & check.bit) !== 0) continue
      assigned++
      const result = judge(check, policy, situation)
      if (result === 'failed') failed ??= { policy, check }
      if (result === 'unknown') unknown ??= { policy, check }
    }
  }

  if (assigned === 0) return none
  if (failed !== undefined || inGrace !== undefined) situation.selfNoncompliant = true
  // what was not reported does not end a grace that runs
  else if (unknown === undefined) situation.selfNoncompliant = false
  if (failed !== undefined) return { kind: 'failed', failed }
  if (unknown !== undefined) return { kind: 'unknown', failed: unknown }
  return inGrace === undefined ? met : { kind: 'grace', until: graceUntil, failed: inGrace }
}

/** Where groups or platform are not known, a policy counts: it can only refuse. */
function isAssigned(policy: CompiledCompliancePolicy, { facts, device }: Situation): boolean {
  if (
    policy.platforms.length > 0 &&
    device.platform !== 'unknown' &&
    !policy.platforms.includes(device.platform)
  ) {
    return false
  }
  return isMember(facts, policy.groups) !== false
}

function judge(check: Check, policy: CompiledCompliancePolicy, situation: Situation) {
  const result = check.judge(situation)
  situation.notes?.push(`${policy.name}: ${check.wanted}: ${result}`)
  return result
}
