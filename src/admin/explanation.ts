import type { StoredTrace } from '#directory/read-traces.ts'
import type { Explained, ExplainedStep, FactValue, ShownFact } from '#policy/explanation.ts'
import type { Action } from '#policy/reasons.ts'

/** A fact that a criterion looked at; null where it was missing. */
export interface LookedAt extends Omit<ShownFact, 'value'> {
  readonly name: string
  readonly value: FactValue | null
}

/** Facts by name; what is not known is absent, but for `source` and `asOf`, which are null then. */
export type ShownFacts = Readonly<Record<string, FactValue | null>>

/** Why a pair gets, or got, what it gets. design.md, Fixed names */
export interface Explanation extends Omit<Explained, 'known' | 'origin' | 'claims' | 'trace'> {
  /** HTTP status of such a command below 14.0; later versions carry a refusal in a body of status 200. */
  readonly status: number
  /** What the client says; `seenAt`: when it was last heard of it, null where the question said so. */
  readonly claims: Explained['claims'] & { readonly seenAt: string | null }
  readonly facts: ShownFacts
  readonly trace: readonly (Omit<ExplainedStep, 'facts'> & { readonly facts: readonly LookedAt[] })[]
}

/** Requests that were decided alike, explained when the first of them was decided. */
export interface ShownTrace extends Explanation {
  readonly requestId: string
  readonly lastRequestId: string
  /** Of an allow only those that changed the answer. */
  readonly requests: number
  readonly lastAt: string
}

const statusOf: Readonly<Record<Action, number>> = {
  allow: 200,
  block: 403,
  quarantine: 200,
  redirect: 200,
  unavailable: 503,
  reject: 400,
}

/** @param seenAt when the client was heard to say what it says */
export function shownExplanation(explained: Explained, seenAt: string | null): Explanation {
  const { known, origin, claims, trace, ...rest } = explained
  const { fields, action, factsRevision } = rest
  const values = Object.entries(fields).map(([name, { value }]) => [name, value])
  return {
    ...rest,
    status: statusOf[action],
    claims: { ...claims, seenAt },
    facts: {
      ...(Object.fromEntries(values) as ShownFacts),
      known,
      onRecord: origin !== null,
      source: origin?.source ?? null,
      asOf: origin?.asOf ?? null,
      revision: factsRevision,
    },
    trace: trace.map((step) => ({ ...step, facts: step.facts.map((name) => lookedAt(name, fields[name])) })),
  }
}

export function shownTrace({
  requestId,
  lastRequestId,
  requests,
  lastAt,
  explained,
}: StoredTrace): ShownTrace {
  return {
    ...shownExplanation(explained, explained.at),
    requestId,
    lastRequestId,
    requests,
    lastAt: new Date(lastAt).toISOString(),
  }
}

function lookedAt(name: string, fact: ShownFact | undefined): LookedAt {
  return { name, ...(fact ?? { value: null, source: null, asOf: null }) }
}
