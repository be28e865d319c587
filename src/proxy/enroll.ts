import type { Enrollment } from '#enrollment/enrollment.ts'
import { namedDevice, type HeldDevice } from '#enrollment/held-device.ts'
import type { Lookup } from '#directory/lookup.ts'
import type { SeenPair } from '#directory/seen-pairs.ts'
import { decide, isEnforcedRefusal, wantingSettings } from '#policy/decide.ts'
import { viewDevice } from '#policy/device-view.ts'
import type { Reason } from '#policy/reasons.ts'
import type { RouteHandler } from './act.ts'
import { readBody } from './body.ts'
import type { ActResult, Exchange, Judged } from './exchange.ts'
import type { PipelineDeps } from './pipeline.ts'
import { send } from './respond.ts'
import { seenRequest } from './seen-request.ts'

/** A code and what the page said of the device fit into it many times. */
const maxFormBytes = 1024
const formType = /^application\/x-www-form-urlencoded(?:;\s*charset=utf-8)?$/i

/** Serves the pages under `/easgate/enroll`. */
export function createEnrollRoute(enrollment: Enrollment): RouteHandler {
  return async (exchange, judged) => {
    const { request, clientAddress } = judged
    const { status, headers, body } = await enrollment({
      method: request.method,
      path: request.path,
      query: request.query,
      acceptLanguage: exchange.req.headers['accept-language'],
      address: clientAddress,
      readForm: () => formOf(exchange, judged),
    })
    send(exchange.res, status, headers, Buffer.from(body))
    return outcomeOf(status)
  }
}

async function formOf(
  { req, res, expectsContinue }: Exchange,
  { request }: Judged,
): Promise<Buffer | undefined> {
  const { headers } = request
  if (headers.contentType === undefined || !formType.test(headers.contentType)) return undefined
  if (expectsContinue) res.writeContinue()
  return readBody(req, headers, maxFormBytes)
}

function outcomeOf(status: number): ActResult {
  if (status < 400) return { status }
  return { status, action: 'reject', reason: status === 429 ? 'rate-limited' : 'route-closed' }
}

export interface StandingDeps extends Pick<PipelineDeps, 'identifyClient' | 'backendOf' | 'policy' | 'now'> {
  readonly lookup: Pick<Lookup, 'lookup'>
}

/** Only of these it can be told which settings are meant. */
const reasonsOfSettings: ReadonlySet<Reason> = new Set<Reason>([
  'noncompliant',
  'posture-unknown',
  'jailbroken',
])

/** How a pair that was seen stands now, by the same code as its next request meets; undefined where it gets mail. */
export function createStanding(deps: StandingDeps): (pair: SeenPair) => HeldDevice | undefined {
  return (pair) => {
    const facts = deps.lookup.lookup([pair.user], pair.deviceKey)
    const request = seenRequest(pair, facts, deps.identifyClient, deps.backendOf(facts.user))
    const policy = deps.policy().value
    const now = deps.now()
    const decision = decide(request, facts, policy, now)
    if (!isEnforcedRefusal(decision)) return undefined
    const { reason } = decision
    return {
      ...namedDevice(viewDevice(facts.device, request.client)),
      reason,
      wanting: reasonsOfSettings.has(reason) ? wantingSettings(request, facts, policy, now) : [],
    }
  }
}
