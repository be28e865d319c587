import type { ClientClaims, ClientIdentity } from '#eas/client/identify-client.ts'
import { EasError } from '#eas/errors.ts'
import { identify, type CertificateUser, type Identity } from '#eas/identify.ts'
import type { LoginRules } from '#eas/login.ts'
import { parseRequest, type EasRequest } from '#eas/parse.ts'
import type { QueryParser } from '#eas/query.ts'
import type { Lookup } from '#directory/lookup.ts'
import type { Sighting } from '#directory/sightings.ts'
import { decide, type Decision } from '#policy/decide.ts'
import type { Facts } from '#policy/facts.ts'
import type { CompiledPolicy } from '#policy/compile.ts'
import type { Logger } from '#telemetry/log.ts'
import type { Outcome } from '#telemetry/outcome.ts'
import { act, type ActDeps } from './act.ts'
import type { AddressBook } from './edge/client-address.ts'
import type { Exchange, Judged } from './exchange.ts'
import { outcomeOf, sightingOf, unjudgedOutcome } from './observe.ts'
import { sendMalformed, sendUnavailable } from './respond.ts'
import { routeDecision, type BackendRouter } from './routing.ts'
import type { Backend } from './upstreams.ts'

/** All that a request meets on its way; one value for the life of a worker. */
export interface PipelineDeps {
  /** Shared over requests: the same phone sends the same query. */
  readonly readQuery: QueryParser
  readonly loginRules: LoginRules
  readonly identifyClient: (claims: ClientClaims) => ClientIdentity
  readonly certificateOf: (exchange: Exchange) => CertificateUser | undefined
  readonly lookup: Pick<Lookup, 'lookup' | 'resolveUser'>
  readonly backendOf: BackendRouter<Backend>
  readonly passthroughPrefixes: readonly string[]
  /** The policy in force now; its revision rises with each load. */
  readonly policy: () => { readonly value: CompiledPolicy; readonly revision: number }
  readonly addresses: AddressBook
  readonly act: ActDeps
  readonly observe: (outcome: Outcome, sighting: Sighting | undefined) => void
  readonly log: Pick<Logger, 'error'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Walks one request from its head to its outcome; never throws. */
export type Pipeline = (exchange: Exchange) => Promise<void>

/** The six steps. Each is one call; what goes wrong in any of them is caught here. */
export function createPipeline(deps: PipelineDeps): Pipeline {
  return async function walk(exchange) {
    const policy = deps.policy()
    let judged: Judged | undefined
    try {
      const request = parse(deps, exchange)
      const identity = identify(request, deps.loginRules, deps.certificateOf(exchange))
      const knowledge = lookUp(deps, request, identity)
      const decision = judge(deps, request, identity, knowledge)
      const decisionMs = performance.now() - exchange.startedMs
      const clientAddress = deps.addresses.clientAddress(exchange.peer, request.headers.forwardedFor)
      const first = { request, identity, ...knowledge, decision, clientAddress, decisionMs }
      judged = first
      const result = await act(deps.act, exchange, first, (options) => judgeAgain(deps, first, options))
      judged = result.judged ?? first
      const outcome = outcomeOf(exchange, judged, result, policy.revision)
      deps.observe(outcome, sightingOf(outcome, judged, result, deps.now()))
    } catch (error) {
      deps.observe(failed(deps, exchange, judged, error, policy.revision), undefined)
    }
  }
}

function parse({ readQuery }: PipelineDeps, { req }: Exchange): EasRequest {
  const { method = '', url: target = '', httpVersion, rawHeaders } = req
  return parseRequest({ method, target, httpVersion, rawHeaders }, readQuery)
}

/** What is known of the pair, and where the mailbox is. */
interface Knowledge {
  readonly facts: Facts
  /** By what this request says, and what the device once said in Settings or Provision. */
  readonly client: ClientIdentity
  readonly backend: Backend
  readonly user: string
}

function lookUp(deps: PipelineDeps, request: EasRequest, identity: Identity): Knowledge {
  // autodiscover.json carries no credential: the address asked about says only where to ask
  const names = request.kind === 'autodiscover-json' ? (identity.otherNames[0] ?? []) : identity.names
  const facts = deps.lookup.lookup(names, identity.deviceKey)
  const client = deps.identifyClient({ ...identity.claims, information: facts.history.information })
  return { facts, client, backend: deps.backendOf(facts.user), user: facts.user?.user ?? names[0] ?? '' }
}

function judge(
  deps: PipelineDeps,
  request: EasRequest,
  identity: Identity,
  { facts, client, backend }: Knowledge,
): Decision {
  const byRoute = routeDecision(request, identity.names.length > 0, deps.passthroughPrefixes)
  if (byRoute !== undefined) return byRoute
  const question = {
    service: backend.service,
    deviceId: request.deviceId,
    userMismatch: namesAnother(deps, facts, identity),
    deviceType: request.deviceType,
    userAgent: request.headers.userAgent,
    client,
    protocolVersion: request.protocolVersion,
    minProtocolVersion: backend.minProtocolVersion,
  }
  return decide(question, facts, deps.policy().value, deps.now())
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
    const knowledge = lookUp(deps, request, identity)
    const facts = absenceProves ? knowledge.facts : { ...knowledge.facts, sourcesComplete: false }
    return { ...judged, ...knowledge, decision: judge(deps, request, identity, { ...knowledge, facts }) }
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

function failed(
  deps: PipelineDeps,
  exchange: Exchange,
  judged: Judged | undefined,
  error: unknown,
  policyRevision: number,
): Outcome {
  const told = tell(deps, exchange, error)
  if (judged === undefined) {
    return unjudgedOutcome(exchange, { ...told, clientAddress: exchange.peer, policyRevision })
  }
  return { ...outcomeOf(exchange, judged, told, policyRevision), code: told.code }
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
