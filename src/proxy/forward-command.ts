import { readDeviceInformation, type DeviceInformation } from '#eas/device-information.ts'
import { EasError } from '#eas/errors.ts'
import { heartbeatSeconds } from '#eas/heartbeat.ts'
import { easPath } from '#eas/route.ts'
import type { Decision } from '#policy/decide.ts'
import { takeBody, type BodyLimits, type ForwardBody } from './body.ts'
import type { AddressBook } from './client-address.ts'
import type { ActResult, Exchange, Judged } from './exchange.ts'
import { forward, forwardTo, type Forwarding, type ForwardRequest, type ForwardResult } from './forward.ts'
import type { OpenRequest, Parked } from './parked.ts'
import { sendMalformed, sendMoved, sendRevocation, sendUnavailable } from './respond.ts'
import type { Upstreams } from './upstreams.ts'

/** What the allow path needs; one value for the life of a worker. */
export interface ForwardDeps {
  readonly upstreams: Upstreams
  readonly parked: Parked
  readonly addresses: AddressBook
  readonly limits: BodyLimits & { readonly upstreamSeconds: number }
  /** Origin under which phones reach us. */
  readonly publicUrl: () => string
  readonly secure: boolean
}

/** A Ping or hanging Sync may take its heartbeat and this. */
const slackSeconds = 120
/** Longest heartbeat of Exchange and the slack, for a heartbeat that stands on the server alone (an empty Ping). */
const unknownHeartbeatSeconds = 3660

/**
 * Sends an allowed command (or OPTIONS, bare) to the backend. It stands in the parked register from this tick on, so
 * that a change of facts ends it wherever it is.
 */
export async function forwardCommand(
  deps: ForwardDeps,
  exchange: Exchange,
  judged: Judged,
  decideAgain: () => Decision,
): Promise<ActResult & { readonly information?: DeviceInformation }> {
  const { res } = exchange
  let revoked: Decision | undefined
  let forwarding: Forwarding | undefined
  const open: OpenRequest = {
    user: judged.user,
    deviceKey: judged.identity.deviceKey,
    validUntil: judged.decision.validUntil,
    decideAgain,
    end: (decision) => {
      revoked = decision
      forwarding?.abandon()
      if (res.headersSent) res.destroy()
      else sendRevocation(res, judged.request, decision.action)
    },
  }
  deps.parked.enter(open)
  try {
    let information: DeviceInformation | undefined
    const body = await bodyOf(deps, exchange, judged, (bytes) => {
      information = readDeviceInformation(bytes)
    })
    if (revoked === undefined)
      forwarding = forward(deps.upstreams, upstreamRequest(deps, exchange, judged, body), res)
    const result = await forwarding?.result
    if (revoked !== undefined || result === undefined) {
      return { status: res.statusCode, ...(revoked && { action: revoked.action, reason: revoked.reason }) }
    }
    const settled = await settle(deps, exchange, judged, body, result)
    return information === undefined ? settled : { ...settled, information }
  } finally {
    deps.parked.leave(open)
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
    headers: [
      ...headers.forwarded,
      'X-Forwarded-For',
      deps.addresses.forwardedFor(peer, headers.forwardedFor),
      'X-Forwarded-Proto',
      deps.secure ? 'https' : 'http',
      ...(headers.host === undefined ? [] : ['X-Forwarded-Host', headers.host]),
    ],
    body,
    parks: parksFor !== undefined,
    answerTimeoutMs: (parksFor ?? deps.limits.upstreamSeconds) * 1000,
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
async function settle(
  deps: ForwardDeps,
  exchange: Exchange,
  judged: Judged,
  body: ForwardBody,
  result: ForwardResult,
): Promise<ActResult> {
  const { res } = exchange
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
      if (error instanceof EasError) {
        return {
          status: sendMalformed(res, error),
          action: 'reject',
          reason: 'malformed-request',
          server: server.name,
        }
      }
      const status = sendUnavailable(res, timedOut ? 504 : 502)
      return { status, action: 'unavailable', reason: 'upstream-unavailable', server: server.name }
    }
    case 'abandoned':
      return { status: 499, ...(result.server && { server: result.server.name }) }
    case 'moved':
      return moved(deps, exchange, judged, body, result)
  }
}

/**
 * A 451: the mailbox is better served elsewhere. Where that is a server of ours, the request goes there (a 451 was not
 * acted upon, so it may be sent again); else the client is asked to come back to us.
 */
async function moved(
  deps: ForwardDeps,
  exchange: Exchange,
  judged: Judged,
  body: ForwardBody,
  { server, location }: Extract<ForwardResult, { kind: 'moved' }>,
): Promise<ActResult> {
  const target = location === undefined ? undefined : deps.upstreams.serverOf(location)
  if (target !== undefined && target.server !== server && body.kind === 'whole') {
    const request = { ...upstreamRequest(deps, exchange, judged, body), backend: target.backend }
    const result = await forwardTo(target.server, request, exchange.res)
    if (result.kind !== 'moved') return settle(deps, exchange, judged, body, result)
  }
  return {
    status: sendMoved(exchange.res, `${deps.publicUrl()}${easPath}`),
    server: server.name,
    proved: true,
  }
}
