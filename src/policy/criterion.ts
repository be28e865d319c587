import type { Facts } from './facts.ts'
import type { Action, Reason } from './reasons.ts'
import type { AccessRules, Service } from './schema.ts'

/** What of a request the decision reads. Pure values; the caller has parsed and identified already. */
export interface DecisionRequest {
  readonly service: Service
  /** Absent on OPTIONS and Autodiscover, which are judged by the user alone. */
  readonly deviceId: string | undefined
  /** Credential and `User=` (or a second reading of the credential) name two known people. T-15 */
  readonly userMismatch: boolean
}

/** All that a criterion may look at. */
export interface Situation {
  readonly request: DecisionRequest
  readonly facts: Facts
  readonly rules: AccessRules
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** A criterion's answer where it decides. */
export interface Verdict {
  readonly action: Action
  readonly reason: Reason
  /** What was looked at, in words for explain; holds no secret. */
  readonly detail: string
  /** First instant at which time alone could change the answer, ms since the epoch; Infinity where none. */
  readonly validUntil: number
}

/** One question of the flow. `judge` gives undefined where it does not decide; it is pure and total. */
export interface Criterion {
  readonly name: string
  readonly judge: (situation: Situation) => Verdict | undefined
}

/** Where a fact is missing before every source was read once: that proves nothing, so the phone comes back. T-57 */
export const sourcesUnread: Verdict = {
  action: 'unavailable',
  reason: 'source-unavailable',
  detail: 'a fact is missing, and not every source was read completely yet',
  validUntil: Infinity,
}

/** A verdict that time alone does not change. */
export function verdict(action: Action, reason: Reason, detail: string): Verdict {
  return { action, reason, detail, validUntil: Infinity }
}
