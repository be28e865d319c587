import type { ClientIdentity } from '#eas/client/identify-client.ts'
import type { Version } from '#eas/client/os-version.ts'
import type { ProtocolVersion } from '#eas/versions.ts'
import type { CompiledRules } from './compile.ts'
import type { DeviceView } from './device-view.ts'
import type { DeviceFacts, Facts } from './facts.ts'
import type { Membership } from './groups.ts'
import type { Action, Reason } from './reasons.ts'
import type { Service } from './schema.ts'

/** What of a request the decision reads. Pure values; the caller has parsed and identified already. */
export interface DecisionRequest {
  readonly service: Service
  /** Absent on OPTIONS and Autodiscover, which are judged by the user alone. */
  readonly deviceId: string | undefined
  /** Credential and `User=` (or a second reading of the credential) name two known people. T-15 */
  readonly userMismatch: boolean
  readonly deviceType: string | undefined
  readonly userAgent: string | undefined
  /** Who the client is by its own claims. */
  readonly client: ClientIdentity
  /** Absent where the request names none. */
  readonly protocolVersion: ProtocolVersion | undefined
  /** The oldest version that the backend serves. */
  readonly minProtocolVersion: ProtocolVersion
}

/** All that a criterion may look at, and what it may leave for those after it. */
export interface Situation {
  readonly request: DecisionRequest
  readonly facts: Facts
  readonly rules: CompiledRules
  /** Milliseconds since the epoch. */
  readonly now: number
  /** What the record and, where it is silent, the client say of the device. */
  readonly device: DeviceView
  /** Its OS version in the numbers that the system uses itself; undefined where it is not known. */
  readonly version: Version | undefined
  /** In which of the policy's groups the user is; made when the first criterion asks. */
  membership: Membership | undefined
  /** The allow that stands unless a criterion after it refuses. */
  granted: Verdict | undefined
  /** The first instant at which one of the criteria asked so far would answer otherwise. */
  validUntil: number
  /** What our own compliance policies found, where they were asked. */
  selfNoncompliant: boolean | undefined
  /** Present where somebody reads the trace: what a criterion looked at within itself, rule by rule. */
  readonly notes: string[] | undefined
}

/** A criterion's answer where it decides. */
export interface Verdict {
  readonly action: Action
  readonly reason: Reason
  /** What was looked at, in words for explain; holds no secret. */
  readonly detail: string
  /** First instant at which time alone could change the answer, ms since the epoch; Infinity where none. */
  readonly validUntil: number
  /** The rule of the policy file that decided, where a criterion has several. */
  readonly rule?: string
  /**
   * The verdict is an allow that later criteria may still take back. `outside`: conditional access does not judge this
   * user; `admitted`: it lets the device in.
   */
  readonly grants?: 'outside' | 'admitted'
}

/** A fact by the name that explain shows. */
export type FactName =
  | keyof DeviceFacts
  | 'groups'
  | 'override'
  | 'history'
  | 'otherDevices'
  | 'otherOwner'
  | 'userHasEnrolledDevice'

/** One question of the flow. `judge` gives undefined where it does not decide; it is total. */
export interface Criterion {
  readonly name: string
  /** `judged`: asked until an allow is granted; `admitted`: asked of who conditional access let in. */
  readonly asked: 'always' | 'judged' | 'admitted'
  /** The facts that it looks at. */
  readonly reads: readonly FactName[]
  readonly judge: (situation: Situation) => Verdict | undefined
}

/** A verdict that time alone does not change. */
export function verdict(action: Action, reason: Reason, detail: string): Verdict {
  return { action, reason, detail, validUntil: Infinity }
}

/** A verdict that ends at a time, where one is given. */
export function lasting(answer: Verdict, until: number | undefined): Verdict {
  return until === undefined ? answer : { ...answer, validUntil: until }
}

/** An allow that later criteria may take back. */
export function grant(
  grants: 'outside' | 'admitted',
  reason: Reason,
  detail: string,
  validUntil = Infinity,
): Verdict {
  return { action: 'allow', reason, detail, validUntil, grants }
}

/** A time in words for explain; a careless source may give one that no calendar has. */
export function timeText(at: number): string {
  return Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : 'a time that no calendar has'
}

/** Notes that the answer ends at `at`, although the criterion that says so does not decide. */
export function endsAt(situation: Situation, at: number): void {
  if (at < situation.validUntil) situation.validUntil = at
}

/**
 * A refusal for a cause that is not the device's own: a phone that holds real mail is asked to come back, since the
 * quarantine mailbox would make it drop its copy. design.md, What a refused device gets
 */
export function notItsFault({ facts }: Situation, refusal: Verdict): Verdict {
  if (refusal.action === 'allow' || refusal.action === 'block') return refusal
  return facts.history.allowedBefore ? { ...refusal, action: 'unavailable' } : refusal
}

/**
 * Where a fact is missing before every source was read once: that proves nothing. The policy may let in only devices
 * of which nothing at all is on record. T-57
 */
export function sourcesUnread(situation: Situation): Verdict {
  const { unknownDevice } = situation.rules.onSourceUnavailable
  const detail = 'a fact is missing, and not every source was read completely yet'
  if (unknownDevice === 'allow' && situation.facts.device === undefined) {
    return grant('admitted', 'source-unavailable', detail)
  }
  const action = unknownDevice === 'allow' ? 'unavailable' : unknownDevice
  return notItsFault(situation, verdict(action, 'source-unavailable', detail))
}
