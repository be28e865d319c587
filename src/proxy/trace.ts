import type { ProvenanceReader } from '#directory/provenance.ts'
import type { Sighting } from '#directory/sightings.ts'
import type { TraceBatch } from '#directory/traces.ts'
import type { DecisionRequest } from '#policy/criterion.ts'
import { explainDecision } from '#policy/explanation.ts'
import { isRefusal } from '#policy/reasons.ts'
import type { Logger } from '#telemetry/log.ts'
import type { Judged } from './exchange.ts'

/** Where explanations go, and where the words that they quote come from. */
export interface Tracing {
  readonly batch: Pick<TraceBatch, 'add'>
  readonly provenance: ProvenanceReader['provenance']
}

/** Remembers why a pair was answered as it was, where that is worth remembering; never throws. */
export type Tracer = (judged: Judged, sighting: Sighting, requestId: string) => void

/** @param questionOf what was asked of the policy */
export function createTracer(
  { batch, provenance }: Tracing,
  questionOf: (judged: Judged) => DecisionRequest,
  log: Pick<Logger, 'error'>,
): Tracer {
  return (judged, { user, deviceKey, at }, requestId) => {
    if (!isWorthTracing(judged)) return
    const { facts, policy, decidedAt, backend, decision } = judged
    const { action, reason, rule } = decision
    const { revision: policyRevision, digest: policyDigest } = policy
    const identity = { action, reason, rule, policyRevision, policyDigest, factsRevision: facts.revision }
    try {
      batch.add({
        user,
        deviceKey,
        requestId,
        at,
        identity,
        explain: () => ({
          ...explainDecision({
            request: questionOf(judged),
            facts,
            provenance: provenance(user, deviceKey),
            policy,
            now: decidedAt,
            user,
            backend: backend.name,
          }),
          // what the policy says of it may be held
          action,
          rule,
        }),
      })
    } catch (error) {
      log.error({ err: error, requestId }, 'a decision could not be explained')
    }
  }
}

/**
 * Every refusal, and an allow where the pair was answered otherwise when it was last seen. What no criterion decided
 * has no explanation.
 */
function isWorthTracing({ facts, decision }: Judged): boolean {
  const { action, reason, rule } = decision
  if (isRefusal(action)) return rule !== 'none'
  const last = facts.lastAnswer
  return last !== undefined && (last.action !== action || last.reason !== reason)
}
