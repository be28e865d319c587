import { deviceKey } from '#eas/device-id.ts'
import type { LoginRules } from '#eas/login.ts'
import type { StoredTrace } from '#directory/read-traces.ts'
import type { Store } from '#directory/store.ts'
import { reasons } from '#policy/reasons.ts'
import { ownerOf } from './device-override.ts'
import { checkQuestion, type Explain, type ExplainQuestion } from './explain.ts'
import { shownTrace, type Explanation, type ShownTrace } from './explanation.ts'
import { Problem } from './problem.ts'

/** A request as its log line tells of it. */
export interface AskedRequest {
  readonly requestId: string
  readonly policyRevision?: string | undefined
  readonly factsRevision?: string | undefined
  readonly reason?: string | undefined
}

/**
 * Why one request was answered as it was: the explanation that was kept of it, or one made of what is known now.
 * `movedOn`: policy or facts are others by now; null where the revisions of the request were not told.
 */
export type RequestExplanation =
  | (ShownTrace & { readonly recomputed: false })
  | (Explanation & {
      readonly requestId: string
      readonly recomputed: true
      readonly movedOn: boolean | null
    })

export interface TraceDeps {
  readonly store: Store
  readonly loginRules: LoginRules
  readonly explain: Explain
}

/** What is kept of a device, the one that came last first. @throws {Problem} 404 where nothing is known of it */
export function listTraces(deps: TraceDeps, user: string, deviceId: string) {
  const owner = ownerOf(deps, user)
  const device = deps.store.device(owner, deviceId)
  if (device === undefined) {
    throw new Problem(404, 'Not Found', 'this device is neither on record nor was it seen')
  }
  const traces = deps.store.traces(owner, device.deviceKey).map(shownTrace)
  return { user: device.user, deviceId: device.deviceId, traces }
}

/** @throws {Problem} 400 with each parameter that is malformed */
export function explainRequest(
  deps: TraceDeps,
  question: ExplainQuestion,
  asked: AskedRequest,
): RequestExplanation {
  checkQuestion(question)
  checkRequest(asked)
  const owner = ownerOf(deps, question.user)
  const stored = traceOf(deps.store.traces(owner, deviceKey(question.deviceId)), asked)
  if (stored !== undefined) return { ...shownTrace(stored), recomputed: false }
  const explanation = deps.explain(question)
  const { requestId } = asked
  return { ...explanation, requestId, recomputed: true, movedOn: hasMovedOn(explanation, asked) }
}

/** By its id; the requests between the first and the last of a trace by that they were decided as it tells. */
function traceOf(traces: readonly StoredTrace[], asked: AskedRequest): StoredTrace | undefined {
  const { requestId, reason } = asked
  return (
    traces.find((trace) => trace.requestId === requestId || trace.lastRequestId === requestId) ??
    traces.find(({ explained }) => reason === explained.reason && hasMovedOn(explained, asked) === false)
  )
}

/** Null where it is not told what the revisions were. */
function hasMovedOn(
  now: Pick<Explanation, 'policyRevision' | 'factsRevision'>,
  { policyRevision, factsRevision }: AskedRequest,
): boolean | null {
  if (policyRevision === undefined || factsRevision === undefined) return null
  return Number(policyRevision) !== now.policyRevision || Number(factsRevision) !== now.factsRevision
}

function checkRequest({ requestId, policyRevision, factsRevision, reason }: AskedRequest): void {
  const errors = []
  if (!/^[\da-z]{1,32}-[\da-z]{1,32}$/.test(requestId)) {
    errors.push({ field: 'requestId', message: 'expected the requestId of a log line, such as 1f2e3d4c-5b' })
  }
  for (const [field, revision] of Object.entries({ policyRevision, factsRevision })) {
    if (revision !== undefined && !/^\d{1,15}$/.test(revision)) {
      errors.push({ field, message: `expected the ${field} of a log line, a whole number` })
    }
  }
  if ((policyRevision === undefined) !== (factsRevision === undefined)) {
    const field = policyRevision === undefined ? 'policyRevision' : 'factsRevision'
    errors.push({ field, message: 'expected: the two revisions go together' })
  }
  if (reason !== undefined && !reasons.some((known) => known === reason)) {
    errors.push({ field: 'reason', message: `there is no reason ${reason}` })
  }
  if (errors.length > 0) throw new Problem(400, 'Bad Request', 'a parameter is malformed', errors)
}
