import type { CompiledPolicy } from './compile.ts'
import type { Setting } from './compliance/checks.ts'
import { settingsNotMet } from './compliance/evaluate.ts'
import type { Criterion, DecisionRequest, Situation, Verdict } from './criterion.ts'
import { blockedClient } from './criteria/blocked-client.ts'
import { compliance } from './criteria/compliance.ts'
import { defaultAccess } from './criteria/default-access.ts'
import { deviceMismatch } from './criteria/device-mismatch.ts'
import { deviceQuota } from './criteria/device-quota.ts'
import { deviceRules } from './criteria/device-rules.ts'
import { domainJoined } from './criteria/domain-joined.ts'
import { enrolled } from './criteria/enrolled.ts'
import { exclusiveAllow } from './criteria/exclusive-allow.ts'
import { exempt } from './criteria/exempt.ts'
import { factsAge } from './criteria/facts-age.ts'
import { grandfathered } from './criteria/grandfathered.ts'
import { owner } from './criteria/owner.ts'
import { personalAllow } from './criteria/personal-allow.ts'
import { personalBlock } from './criteria/personal-block.ts'
import { protocolVersion } from './criteria/protocol-version.ts'
import { registered } from './criteria/registered.ts'
import { rollout } from './criteria/rollout.ts'
import { targeted } from './criteria/targeted.ts'
import { unsupportedPlatform } from './criteria/unsupported-platform.ts'
import { userAlone } from './criteria/user-alone.ts'
import { userMismatch } from './criteria/user-mismatch.ts'
import { wipePending } from './criteria/wipe-pending.ts'
import { versionOf, viewDevice } from './device-view.ts'
import type { Facts } from './facts.ts'
import { isRefusal, type Action, type Reason } from './reasons.ts'
import type { AccessRules } from './schema.ts'

/** The answer to one request. */
export interface Decision {
  readonly action: Action
  readonly reason: Reason
  /** The criterion that decided, with the rule of the policy file where it has several: `device-rules: no old iOS`. */
  readonly rule: string
  readonly mode: AccessRules['mode']
  /** First instant at which time alone could change the answer, ms since the epoch; Infinity where none. */
  readonly validUntil: number
  /** What our own compliance policies found; absent where they were not asked. Grace runs from the first finding. */
  readonly selfNoncompliant?: boolean
}

/** True where the request is kept from Exchange: report-only decides, but keeps nothing. */
export function isEnforcedRefusal({ action, mode }: Decision): boolean {
  return isRefusal(action) && mode !== 'report-only'
}

/** One line of an explanation: a criterion that was asked, in order. */
export interface TraceStep {
  readonly criterion: string
  /** `allow` may be taken back by a later line: the last one that is not `passed` decides. */
  readonly outcome: 'passed' | Action
  readonly detail: string
  /** The facts that it looks at. */
  readonly reads: Criterion['reads']
  /** What it looked at within itself, rule by rule. */
  readonly notes: readonly string[]
}

/** The flow of Exchange on-premises and Online, as facts.md 1.1 to 1.3 and 6 tell it, read from top to bottom. */
export const criteria: readonly Criterion[] = [
  // what goes before every policy
  userMismatch,
  wipePending,
  personalBlock,
  personalAllow,
  exclusiveAllow,
  // who is judged: the others are granted an allow that only what is always asked takes back
  targeted,
  rollout,
  exempt,
  userAlone,
  grandfathered,
  // whose device it is, and whether enrolling it would help at all
  owner,
  deviceMismatch,
  blockedClient,
  unsupportedPlatform,
  deviceQuota,
  deviceRules,
  // is it managed, registered and good
  domainJoined,
  enrolled,
  registered,
  compliance,
  // what the good may still lack
  protocolVersion,
  factsAge,
  defaultAccess,
]

/**
 * Decides one request: total, and pure as seen from outside. The first criterion that refuses decides; an allow that
 * was granted stands at the end. `trace` is filled where one is given; the hot path gives none. `compliance` always
 * answers; were it missing, the end is a refusal.
 */
export function decide(
  request: DecisionRequest,
  facts: Facts,
  policy: CompiledPolicy,
  now: number,
  trace?: TraceStep[],
): Decision {
  const situation = situationOf(request, facts, policy, now, trace === undefined ? undefined : [])
  let grantedBy = ''
  for (const criterion of criteria) {
    if (!isAsked(criterion, situation)) continue
    const verdict = criterion.judge(situation)
    trace?.push(traceStep(criterion, verdict, situation))
    if (verdict === undefined) continue
    const rule = verdict.rule === undefined ? criterion.name : `${criterion.name}: ${verdict.rule}`
    if (verdict.grants === undefined) return decision(situation, verdict, rule)
    situation.granted = verdict
    grantedBy = rule
  }
  return decision(situation, situation.granted ?? undecided, grantedBy === '' ? 'none' : grantedBy)
}

/**
 * The settings that our own compliance policies ask for and do not find, or that were never reported; a grace that runs
 * leaves none out. For who tells the user what to correct.
 */
export function wantingSettings(
  request: DecisionRequest,
  facts: Facts,
  policy: CompiledPolicy,
  now: number,
): readonly Setting[] {
  return settingsNotMet(situationOf(request, facts, policy, now, undefined))
}

function situationOf(
  request: DecisionRequest,
  facts: Facts,
  policy: CompiledPolicy,
  now: number,
  notes: string[] | undefined,
): Situation {
  const device = viewDevice(facts.device, request.client)
  return {
    request,
    facts,
    rules: policy[request.service],
    now,
    device,
    version: versionOf(device),
    membership: undefined,
    granted: undefined,
    validUntil: Infinity,
    selfNoncompliant: undefined,
    notes,
  }
}

const undecided: Verdict = { action: 'block', reason: 'default-access', detail: '', validUntil: Infinity }

function isAsked({ asked }: Criterion, { granted }: Situation): boolean {
  switch (asked) {
    case 'always':
      return true
    case 'judged':
      return granted === undefined
    case 'admitted':
      return granted?.grants === 'admitted'
  }
}

function decision(situation: Situation, { action, reason, validUntil }: Verdict, rule: string): Decision {
  const { granted, rules, selfNoncompliant } = situation
  const end = Math.min(validUntil, granted?.validUntil ?? Infinity, situation.validUntil)
  const answer = { action, reason, rule, mode: rules.mode, validUntil: end }
  return selfNoncompliant === undefined ? answer : { ...answer, selfNoncompliant }
}

function traceStep(criterion: Criterion, verdict: Verdict | undefined, { notes }: Situation): TraceStep {
  return {
    criterion: criterion.name,
    outcome: verdict?.action ?? 'passed',
    detail: verdict?.detail ?? '',
    reads: criterion.reads,
    notes: notes?.splice(0) ?? [],
  }
}
