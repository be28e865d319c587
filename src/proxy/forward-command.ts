import { readDeviceInformation, type DeviceInformation } from '#eas/device-information.ts'
import { EasError } from '#eas/errors.ts'
import { heartbeatSeconds } from '#eas/heartbeat.ts'
import { easPath } from '#eas/route.ts'
import { isEnforcedRefusal, type Decision } from '#policy/decide.ts'
import type { Authenticator } from './authenticate.ts'
import { takeBody, type BodyLimits, type ForwardBody } from './body.ts'
import type { ActResult, Exchange, Judged } from './exchange.ts'
import { forward, type Forwarding, type ForwardRequest, type ForwardResult } from './forward.ts'
import { forwardedHeaders, type PublicSide } from './forwarded-headers.ts'
import type { OpenRequest, Parked } from './parked.ts'
import { sendMoved, sendRevocation, sendUnavailable } from './respond.ts'
import { answerResync, resyncOf } from './resync.ts'
import type { Upstreams } from './upstreams.ts'

/** What the allow path needs; one value for the life of a worker. */
export interface ForwardDeps extends PublicSide {
  readonly upstreams: Upstreams
  readonly parked: Parked
  readonly authenticator: Authenticator
  readonly limits: BodyLimits & { readonly upstreamSeconds: number; readonly requestSeconds: number }
}

/** A Ping or hanging Sync may take its heartbeat and this. */
const slackSeconds = 120
/** Longest heartbeat of Exchange and the slack, for a heartbeat that stands on the server alone (an empty Ping). */
const unknownHeartbeatSeconds = 3660

/**
 * Sends a command (or OPTIONS, bare) to the backend. It stands in the parked register from this tick on, so that a
 * change of facts ends it wherever it is.
 * @param decideAgain undefined where no change may end it: a Provision that may bring a wipe
 */
export async function forwardCommand(
  deps: ForwardDeps,
  exchange: Exchange,
  judged: Judged,
  decideAgain: (() => Decision) | undefined,
): Promise<ActResult & { readonly information?: DeviceInformation }> {
  const { res } = exchange
  const revocation = Promise.withResolvers<undefined>()
  let revoked: Decision | undefined
  let forwarding: Forwarding | undefined
  // what a body that is still being read asks for is not known
  let hangs = false
  const revoke = (decision: Decision) => {
    revoked = decision
    forwarding?.abandon()
    if (res.headersSent) res.destroy()
    else sendRevocation(res, judged.request, decision.action, hangs)
    revocation.resolve(undefined)
  }
  const open: OpenRequest | undefined = decideAgain && {
    user: judged.user,
    deviceKey: judged.identity.deviceKey,
    validUntil: judged.decision.validUntil,
    judge: () => {
      const decision = decideAgain()
      return isEnforcedRefusal(decision)
        ? { kind: 'revoked', end: () => revoke(decision) }
        : { kind: 'stays', validUntil: decision.validUntil }
    },
  }
  if (open !== undefined) deps.parked.enter(open)
  try {
    let information: DeviceInformation | undefined
    const look = (bytes: Buffer) => {
      information = readDeviceInformation(bytes)
    }
    // nobody reads on behind an answer: a body that is awaited then would never end
    const body = await Promise.race([bodyOf(deps, exchange, judged, look), revocation.promise])
    if (body !== undefined && revoked === undefined) {
      const resync = resyncOf(judged, body)
      if (resync !== undefined) {
        // nothing of it is mail: a change has nothing to end
        if (open !== undefined) deps.parked.leave(open)
        return await answerResync(deps.authenticator, exchange, judged, resync)
      }
      const request = upstreamRequest(deps, exchange, judged, body)
      hangs = request.parks && body.kind === 'whole'
      forwarding = forward(deps.upstreams, request, res)
    }
    const result = await forwarding?.result
    if (revoked !== undefined || result === undefined) {
      return { status: res.statusCode, ...(revoked && { action: revoked.action, reason: revoked.reason }) }
    }
    const settled = settle(deps, exchange, result)
    return information === undefined ? settled : { ...settled, information }
  } finally {
    if (open !== undefined) deps.parked.leave(open)
  }
}

const nothing: ForwardBody = { kind: 'whole', bytes: Buffer.alloc(0) }

function bodyOf(
  { limits }: ForwardDeps,
  { req, res, expectsContinue }: Exchange,
  { request }: Judged,
  look: (bytes: Buffer) => void,
): Promise<ForwardBody> {
  if (request.kind !== 'command') return Promise.resolve(nothing)
  if (expectsContinue) res.writeContinue()
  const looks = request.command === 'Provision' || request.command === 'Settings'
  return takeBody(req, request.headers, limits, looks ? look : undefined)
}

function upstreamRequest(
  deps: ForwardDeps,
  { peer }: Exchange,
  { request, backend, user }: Judged,
  body: ForwardBody,
): ForwardRequest {
  const { headers } = request
  const parksFor = parkedSeconds(request.command, body)
  return {
    backend,
    user,
    method: request.kind === 'options' ? 'OPTIONS' : 'POST',
    path: request.kind === 'options' || request.query === undefined ? easPath : `${easPath}?${request.query}`,
    headers: [...headers.forwarded, ...forwardedHeaders(deps, peer, headers.forwardedFor)],
    body,
    parks: parksFor !== undefined,
    answerTimeoutMs: (parksFor ?? deps.limits.upstreamSeconds) * 1000,
    clientStallMs: deps.limits.requestSeconds * 1000,
  }
}

/** How long the answer may take where the request is one that Exchange parks; undefined where it is not. */
function parkedSeconds(command: string, body: ForwardBody): number | undefined {
  if (command !== 'Ping' && command !== 'Sync') return undefined
  const seconds = body.kind === 'whole' ? heartbeatSeconds(command, body.bytes) : undefined
  if (seconds !== undefined) return Math.min(seconds + slackSeconds, unknownHeartbeatSeconds)
  // an empty body repeats a stored heartbeat; a Sync with a body and no heartbeat is answered at once
  const repeats = body.kind === 'stream' || body.bytes.length === 0
  return command === 'Ping' || repeats ? unknownHeartbeatSeconds : undefined
}

/** Gives the client an answer where the backend gave none, and says what became of the request. */
function settle({ publicUrl }: ForwardDeps, { res }: Exchange, result: ForwardResult): ActResult {
  switch (result.kind) {
    case 'answered':
    case 'cut': {
      const { server, status, upstreamMs } = result
      return { status, server: server.name, upstreamMs, proved: status !== 401 }
    }
    case 'unreachable':
      return { status: sendUnavailable(res), action: 'unavailable', reason: 'upstream-unavailable' }
    case 'failed': {
      const { error, server, timedOut } = result
      if (error instanceof EasError) throw error
      const status = sendUnavailable(res, timedOut ? 504 : 502)
      return { status, action: 'unavailable', reason: 'upstream-unavailable', server: server.name }
    }
    case 'abandoned':
      return { status: 499, ...(result.server && { server: result.server.name }) }
    case 'moved': {
      // the client comes back to us, whatever place the backend named
      const status = sendMoved(res, `${publicUrl()}${easPath}`)
      return { status, server: result.server.name, proved: true }
    }
  }
}
