import { changedBy } from './changed-by.ts'
import type { CompiledPolicy } from './compile.ts'
import type { DecisionRequest, FactName } from './criterion.ts'
import { decide, type Decision, type TraceStep } from './decide.ts'
import { viewDevice } from './device-view.ts'
import type { Facts } from './facts.ts'

export type FactValue = string | number | boolean | readonly string[]

/** What somebody says of one fact. */
export interface FactWord {
  readonly value: FactValue
  /** A source of facts, several with a comma between them, or `override by NAME`. */
  readonly source: string
  /** When it was said or last confirmed, ms since the epoch; absent: not known. */
  readonly asOf?: number
}

/**
 * By the name of a fact: the word that counts, then those that contradict it. Facts of which nobody says anything are
 * absent.
 */
export type Provenance = ReadonlyMap<string, readonly [FactWord, ...FactWord[]]>

/** A word as JSON shows it: times in ISO 8601, null where a source or a time is not known. */
export interface ShownWord {
  readonly value: FactValue
  readonly source: string | null
  readonly asOf: string | null
}

/** A fact that the decision knew. */
export interface ShownFact extends ShownWord {
  readonly contradictedBy?: readonly ShownWord[]
}

/** A criterion that was asked. */
export interface ExplainedStep extends Pick<TraceStep, 'criterion' | 'outcome' | 'detail' | 'notes'> {
  /** Names of the facts that it looked at; those that are not among the `fields` were missing. */
  readonly facts: readonly string[]
}

/** The policy in force: its revision rises with each load, its digest tells two texts apart. */
export interface PolicyVersion {
  readonly revision: number
  readonly digest: string
}

/** One decision with all that led to it. JSON: times in ISO 8601. */
export interface Explained extends Pick<Decision, 'action' | 'reason' | 'rule' | 'mode'> {
  /** Why, in words. */
  readonly detail: string
  /** What would change the answer, in words. */
  readonly changedBy: string
  /** When it was made. */
  readonly at: string
  /** When time alone could change it; null: never. */
  readonly validUntil: string | null
  readonly policyRevision: number
  readonly policyDigest: string
  readonly factsRevision: number
  readonly user: string
  /** False: no directory entry resolves the login. */
  readonly known: boolean
  readonly backend: string
  readonly device: {
    readonly platform: string
    readonly osVersion: string
    readonly model: string
    readonly client: string
  }
  /** What the client said in this request; texts are cut. */
  readonly claims: {
    readonly deviceType: string | null
    readonly userAgent: string | null
    readonly protocolVersion: string | null
  }
  /** Where the record of the device is from, and when the oldest part of it was confirmed; null: not on record. */
  readonly origin: { readonly source: string; readonly asOf: string | null } | null
  /** Every fact that was known. */
  readonly fields: Readonly<Record<string, ShownFact>>
  /** Every criterion that was asked, in order: the last one that is not `passed` decided. */
  readonly trace: readonly ExplainedStep[]
}

export interface ExplainInput {
  readonly request: DecisionRequest
  readonly facts: Facts
  readonly provenance: Provenance
  readonly policy: PolicyVersion & { readonly value: CompiledPolicy }
  /** Milliseconds since the epoch. */
  readonly now: number
  /** The directory user; of a login that no entry resolves, its first name. */
  readonly user: string
  readonly backend: string
}

/** Decides once more and tells how: the same code, so that what is explained is what was done. */
export function explainDecision(input: ExplainInput): Explained {
  const { request, facts, policy, now } = input
  const trace: TraceStep[] = []
  const { action, reason, rule, mode, validUntil } = decide(request, facts, policy.value, now, trace)
  const view = viewDevice(facts.device, request.client)
  const fields = fieldsOf(input)
  return {
    action,
    reason,
    rule,
    mode,
    detail: trace.findLast(({ outcome }) => outcome !== 'passed')?.detail ?? '',
    changedBy: changedBy[reason],
    at: new Date(now).toISOString(),
    validUntil: isoTime(validUntil),
    policyRevision: policy.revision,
    policyDigest: policy.digest,
    factsRevision: facts.revision,
    user: input.user,
    known: facts.user !== undefined,
    backend: input.backend,
    device: {
      platform: view.platform,
      osVersion: cut(view.osVersion) ?? 'unknown',
      model: view.model.slice(0, maxTextLength),
      client: request.client.client,
    },
    claims: {
      deviceType: cut(request.deviceType),
      userAgent: cut(request.userAgent),
      protocolVersion: request.protocolVersion ?? null,
    },
    origin: facts.device === undefined ? null : originOf(facts.device.origin),
    fields,
    trace: trace.map(({ reads, ...step }) => ({ ...step, facts: namesOf(reads, fields) })),
  }
}

/** Clients choose some texts. T-51 */
const maxTextLength = 256

function cut(text: string | undefined): string | null {
  return text?.slice(0, maxTextLength) ?? null
}

/** What easgate remembers or finds out itself. */
const ownSource = 'easgate'

/** The facts that a criterion names as one, the first of them always shown. */
const parts: Partial<Record<FactName, readonly string[]>> = {
  groups: ['groups', 'unreadGroups'],
  override: ['override', 'overrideUntil', 'overrideExclusive', 'overrideNote', 'exclusiveAllows'],
  history: ['allowedBefore', 'firstSeenAt', 'noncompliantSince'],
}

function namesOf(reads: readonly FactName[], fields: Explained['fields']): readonly string[] {
  return reads.flatMap((read) => {
    const [first, ...others] = parts[read] ?? [read]
    return first === undefined ? [] : [first, ...others.filter((name) => name in fields)]
  })
}

const times: ReadonlySet<string> = new Set([
  'graceUntil',
  'lastCheckIn',
  'overrideUntil',
  'firstSeenAt',
  'noncompliantSince',
])

/** What the decision knew, each value with its word where somebody still says it. */
function fieldsOf({ facts, provenance }: ExplainInput): Explained['fields'] {
  const { origin, ...device } = facts.device ?? { origin: undefined }
  const ofRecord = { source: origin?.sources.join(', ') ?? null, asOf: isoTime(origin?.asOf) }
  const ofEasgate = { source: ownSource, asOf: null }
  const fields: Record<string, ShownFact> = {}
  const add = (known: Readonly<Record<string, FactValue | undefined>>, otherwise: typeof ofRecord) => {
    for (const [name, value] of Object.entries(known)) {
      if (value !== undefined) fields[name] = shownFact(name, value, provenance, otherwise)
    }
  }
  const { override, history, exclusiveAllows, unreadGroups } = facts
  add(device, ofRecord)
  add({ groups: facts.user?.groups }, ofEasgate)
  add(
    {
      unreadGroups: unreadGroups.length === 0 ? undefined : unreadGroups,
      otherOwner: facts.otherOwner,
      userHasEnrolledDevice: facts.userHasEnrolledDevice,
      sourcesComplete: facts.sourcesComplete,
      allowedBefore: history.allowedBefore,
      firstSeenAt: history.firstSeenAt,
      noncompliantSince: history.noncompliantSince,
      otherDevices: facts.otherDevices.length,
      override: override?.action,
      overrideUntil: override?.until,
      overrideExclusive: override?.exclusive,
      overrideNote: override?.note,
      exclusiveAllows:
        exclusiveAllows.length === 0 ? undefined : exclusiveAllows.map(({ deviceKey }) => deviceKey),
    },
    ofEasgate,
  )
  return fields
}

/** @param otherwise whose word it was where nobody says it any more: it changed just now */
function shownFact(
  name: string,
  value: FactValue,
  provenance: Provenance,
  otherwise: Pick<ShownWord, 'source' | 'asOf'>,
): ShownFact {
  const [word, ...others] = provenance.get(name) ?? []
  if (word === undefined || JSON.stringify(word.value) !== JSON.stringify(value)) {
    return { value: shownValue(name, value), ...otherwise }
  }
  const shown = shownWord(name, word)
  return others.length === 0
    ? shown
    : { ...shown, contradictedBy: others.map((other) => shownWord(name, other)) }
}

function shownWord(name: string, { value, source, asOf }: FactWord): ShownWord {
  return { value: shownValue(name, value), source, asOf: isoTime(asOf) }
}

function shownValue(name: string, value: FactValue): FactValue {
  return times.has(name) && typeof value === 'number' ? (isoTime(value) ?? String(value)) : value
}

function originOf({ sources, asOf }: { readonly sources: readonly string[]; readonly asOf: number }) {
  return { source: sources.join(', '), asOf: isoTime(asOf) }
}

/** Null where there is no such time: never, or a number that is no date. */
function isoTime(milliseconds: number | undefined): string | null {
  const time = new Date(milliseconds ?? NaN)
  return Number.isNaN(time.getTime()) ? null : time.toISOString()
}
