import type { Criterion, DecisionRequest, Situation } from './criterion.ts'
import { compliance } from './criteria/compliance.ts'
import { enrolled } from './criteria/enrolled.ts'
import { exempt } from './criteria/exempt.ts'
import { owner } from './criteria/owner.ts'
import { registered } from './criteria/registered.ts'
import { targeted } from './criteria/targeted.ts'
import { userAlone } from './criteria/user-alone.ts'
import { userMismatch } from './criteria/user-mismatch.ts'
import { wipePending } from './criteria/wipe-pending.ts'
import type { Facts } from './facts.ts'
import type { Action, Reason } from './reasons.ts'
import type { AccessRules, Policy } from './schema.ts'

/** The answer to one request. */
export interface Decision {
  readonly action: Action
  readonly reason: Reason
  /** The criterion that decided. */
  readonly rule: string
  readonly mode: AccessRules['mode']
  /** First instant at which time alone could change the answer, ms since the epoch; Infinity where none. */
  readonly validUntil: number
}

/** One line of an explanation: a criterion that was asked, in order. */
export interface TraceStep {
  readonly criterion: string
  readonly outcome: 'passed' | Action
  readonly detail: string
}

/** The flow of Exchange on-premises and Online, as facts.md 1.1 to 1.3 tell it, read from top to bottom. */
export const criteria: readonly Criterion[] = [
  userMismatch,
  targeted,
  exempt,
  userAlone,
  owner,
  wipePending,
  enrolled,
  registered,
  compliance,
]

/**
 * Decides one request: pure and total, the first criterion that answers decides. `trace` is filled where one is
 * given; the hot path gives none. `compliance` always answers; were it missing, the end is a refusal.
 */
export function decide(
  request: DecisionRequest,
  facts: Facts,
  policy: Policy,
  now: number,
  trace?: TraceStep[],
): Decision {
  const rules = policy.conditionalAccess[request.service]
  const situation: Situation = { request, facts, rules, now }
  for (const criterion of criteria) {
    const verdict = criterion.judge(situation)
    trace?.push({
      criterion: criterion.name,
      outcome: verdict?.action ?? 'passed',
      detail: verdict?.detail ?? '',
    })
    if (verdict !== undefined) {
      const { action, reason, validUntil } = verdict
      return { action, reason, rule: criterion.name, mode: rules.mode, validUntil }
    }
  }
  return { action: 'block', reason: 'default-access', rule: 'none', mode: rules.mode, validUntil: Infinity }
}
