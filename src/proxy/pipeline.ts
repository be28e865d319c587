import type { ClientClaims, ClientIdentity } from '#eas/client/identify-client.ts'
import { EasError } from '#eas/errors.ts'
import { identify, type CertificateUser, type Identity } from '#eas/identify.ts'
import type { LoginRules } from '#eas/login.ts'
import { parseRequest, type EasRequest } from '#eas/parse.ts'
import type { QueryParser } from '#eas/query.ts'
import type { Lookup } from '#directory/lookup.ts'
import type { Sighting } from '#directory/sightings.ts'
import type { DecisionRequest } from '#policy/criterion.ts'
import { decide, type Decision } from '#policy/decide.ts'
import type { Facts } from '#policy/facts.ts'
import type { Logger } from '#telemetry/log.ts'
import type { Outcome } from '#telemetry/outcome.ts'
import { act, type ActDeps } from './act.ts'
import type { AddressBook } from './edge/client-address.ts'
import type { CurrentPolicy, Exchange, Judged } from './exchange.ts'
import { outcomeOf, sightingOf, unjudgedOutcome } from './observe.ts'
import { keepMail } from './keep-mail.ts'
import { sendMalformed, sendUnavailable } from './respond.ts'
import { routeDecision, type BackendRouter } from './routing.ts'
import { createTracer, type Tracing } from './trace.ts'
import type { Backend } from './upstreams.ts'

/** All that a request meets on its way; one value for the life of a worker. */
export interface PipelineDeps {
  /** Shared over requests: the same phone sends the same query. */
  readonly readQuery: QueryParser
  readonly loginRules: LoginRules
  readonly identifyClient: (claims: ClientClaims) => ClientIdentity
  readonly certificateOf: (exchange: Exchange) => CertificateUser | undefined
  readonly lookup: Pick<Lookup, 'lookup' | 'lookupAnew' | 'resolveUser'>
  readonly backendOf: BackendRouter<Backend>
  readonly passthroughPrefixes: readonly string[]
  /** The policy in force now; its revision rises with each load. */
  readonly policy: () => CurrentPolicy
  /** See `keepMail`. */
  readonly quarantineHeldSince: () => number | undefined
  readonly addresses: AddressBook
  readonly act: ActDeps
  readonly observe: (outcome: Outcome, sighting: Sighting | undefined) => void
  readonly tracing: Tracing
  readonly log: Pick<Logger, 'error'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Walks one request from its head to its outcome; never throws. */
export type Pipeline = (exchange: Exchange) => Promise<void>

/** The six steps. Each is one call; what goes wrong in any of them is caught here. */
export function createPipeline(deps: PipelineDeps): Pipeline {
  const trace = createTracer(deps.tracing, (judged) => questionOf(deps, judged), deps.log)
  return async function walk(exchange) {
    let judged: Judged | undefined
    try {
      const request = parse(deps, exchange)
      const identity = identify(request, deps.loginRules, deps.certificateOf(exchange))
      const judgement = judge(deps, lookUp(deps, request, identity))
      const decisionMs = performance.now() - exchange.startedMs
      const clientAddress = deps.addresses.clientAddress(exchange.peer, request.headers.forwardedFor)
      const first = { ...judgement, clientAddress, decisionMs }
      judged = first
      const result = await act(deps.act, exchange, first, (options) => judgeAgain(deps, first, options))
      judged = result.judged ?? first
      const outcome = outcomeOf(exchange, judged, result)
      const sighting = sightingOf(outcome, judged, result, deps.now())
      deps.observe(outcome, sighting)
      if (sighting !== undefined) trace(judged, sighting, exchange.requestId)
    } catch (error) {
      deps.observe(failed(deps, exchange, judged, error), undefined)
    }
  }
}

function parse({ readQuery }: PipelineDeps, { req }: Exchange): EasRequest {
  const { method = '', url: target = '', httpVersion, rawHeaders } = req
  return parseRequest({ method, target, httpVersion, rawHeaders }, readQuery)
}

/** A request with what is known of its pair, and where the mailbox is. */
type Known = Pick<Judged, 'request' | 'identity' | 'facts' | 'client' | 'backend' | 'user'>

function lookUp(
  deps: PipelineDeps,
  request: EasRequest,
  identity: Identity,
  how: 'lookup' | 'lookupAnew' = 'lookup',
): Known {
  // autodiscover.json carries no credential: the address asked about says only where to ask
  const names = request.kind === 'autodiscover-json' ? (identity.otherNames[0] ?? []) : identity.names
  const facts = deps.lookup[how](names, identity.deviceKey)
  const client = deps.identifyClient({ ...identity.claims, information: facts.history.information })
  const user = facts.user?.user ?? names[0] ?? ''
  return { request, identity, facts, client, backend: deps.backendOf(facts.user), user }
}

/** A question with its answer. */
type Answered = Known & Pick<Judged, 'decision' | 'policy' | 'decidedAt'>

/** Facts that look too old are read once more before they are: their source may have confirmed them since. */
function judge(deps: PipelineDeps, known: Known): Answered {
  const answered = judgeOnce(deps, known)
  if (answered.decision.reason !== 'facts-stale') return answered
  const anew = lookUp(deps, known.request, known.identity, 'lookupAnew')
  const sourcesComplete = known.facts.sourcesComplete && anew.facts.sourcesComplete
  return judgeOnce(deps, { ...anew, facts: { ...anew.facts, sourcesComplete } })
}

function judgeOnce(deps: PipelineDeps, known: Known): Answered {
  const policy = deps.policy()
  const decidedAt = deps.now()
  const { request, identity, facts } = known
  const decision =
    routeDecision(request, identity.names.length > 0, deps.passthroughPrefixes) ??
    keepMail(
      decide(questionOf(deps, known), facts, policy.value, decidedAt),
      facts,
      deps.quarantineHeldSince(),
    )
  return { ...known, decision, policy, decidedAt }
}

function questionOf(
  deps: PipelineDeps,
  { request, identity, facts, client, backend }: Known,
): DecisionRequest {
  return {
    service: backend.service,
    deviceId: request.deviceId,
    userMismatch: namesAnother(deps, facts, identity),
    deviceType: request.deviceType,
    userAgent: request.headers.userAgent,
    client,
    protocolVersion: request.protocolVersion,
    minProtocolVersion: backend.minProtocolVersion,
  }
}

/** No answer is a refusal: what stays open beside it would be an allow. T-54 */
const undecided: Decision = {
  action: 'unavailable',
  reason: 'source-unavailable',
  rule: 'none',
  mode: 'enforce',
  validUntil: Infinity,
}

/** The same question later, with the facts and the policy of then. */
function judgeAgain(
  deps: PipelineDeps,
  judged: Judged,
  { absenceProves }: { readonly absenceProves: boolean } = { absenceProves: true },
): Judged {
  const { request, identity } = judged
  try {
    const now = lookUp(deps, request, identity)
    const known = absenceProves ? now : { ...now, facts: { ...now.facts, sourcesComplete: false } }
    return { ...judged, ...judge(deps, known) }
  } catch (error) {
    deps.log.error({ err: error }, 'an open request could not be judged again')
    return { ...judged, decision: undecided }
  }
}

/** True where `User=`, a second reading of the credential or a certificate names another known person. T-15 */
function namesAnother(deps: PipelineDeps, { user }: Facts, { otherNames }: Identity): boolean {
  if (user === undefined) return false
  return otherNames.some((names) => {
    const other = names[0] === user.user ? user.user : deps.lookup.resolveUser(names)
    return other !== undefined && other !== user.user
  })
}

function failed(deps: PipelineDeps, exchange: Exchange, judged: Judged | undefined, error: unknown): Outcome {
  const told = tell(deps, exchange, error)
  if (judged === undefined) {
    const policyRevision = deps.policy().revision
    return unjudgedOutcome(exchange, { ...told, clientAddress: exchange.peer, policyRevision })
  }
  return { ...outcomeOf(exchange, judged, told), code: told.code }
}

/** Answers what could not be acted upon: the client's fault by its code, ours by a 503. */
function tell({ log }: PipelineDeps, { res, requestId }: Exchange, error: unknown) {
  if (error instanceof EasError) {
    const status = sendMalformed(res, error)
    return { action: 'reject', reason: 'malformed-request', status, code: error.code } as const
  }
  log.error({ err: error, requestId }, 'a request failed by a fault of easgate')
  const status = sendUnavailable(res)
  return { action: 'unavailable', reason: 'source-unavailable', status, code: undefined } as const
}
