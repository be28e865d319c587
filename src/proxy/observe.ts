import { servesMail } from '#eas/commands.ts'
import type { DeviceInformation } from '#eas/device-information.ts'
import type { Sighting } from '#directory/sightings.ts'
import { viewDevice } from '#policy/device-view.ts'
import type { Action, Reason } from '#policy/reasons.ts'
import type { Outcome } from '#telemetry/outcome.ts'
import type { ActResult, Exchange, Judged } from './exchange.ts'
import { hasMailbox } from './mailbox.ts'

/** What is known of a request that was refused before it was judged. */
export interface Unjudged {
  readonly action: Action
  readonly reason: Reason
  readonly status: number
  readonly code: string | undefined
  readonly clientAddress: string
  readonly policyRevision: number
}

/** The outcome of a judged request: the decision, and what acting on it came to. */
export function outcomeOf(exchange: Exchange, judged: Judged, result: ActResult): Outcome {
  const { request, facts, client, decision, backend } = judged
  const device = viewDevice(facts.device, client)
  return {
    requestId: exchange.requestId,
    command: request.command,
    action: result.action ?? decision.action,
    reason: result.reason ?? decision.reason,
    rule: decision.rule,
    mode: decision.mode,
    reportOnly: result.reportOnly ?? false,
    backend: backend.name,
    server: result.server,
    status: result.status,
    code: undefined,
    user: judged.user === '' ? undefined : judged.user,
    deviceId: request.deviceId,
    deviceType: request.deviceType,
    userAgent: request.headers.userAgent,
    protocolVersion: request.protocolVersion,
    platform: device.platform,
    osVersion: device.osVersion ?? 'unknown',
    model: device.model,
    client: client.client,
    clientAddress: judged.clientAddress,
    policyRevision: judged.policy.revision,
    factsRevision: facts.revision,
    durationMs: performance.now() - exchange.startedMs,
    decisionMs: judged.decisionMs,
    upstreamMs: result.upstreamMs,
  }
}

/** The outcome of a request of which nothing was judged: malformed, or a fault of ours. */
export function unjudgedOutcome(
  exchange: Pick<Exchange, 'requestId' | 'startedMs'>,
  unjudged: Unjudged,
): Outcome {
  const durationMs = performance.now() - exchange.startedMs
  return {
    requestId: exchange.requestId,
    command: 'none',
    action: unjudged.action,
    reason: unjudged.reason,
    rule: 'none',
    mode: 'enforce',
    reportOnly: false,
    backend: 'none',
    server: undefined,
    status: unjudged.status,
    code: unjudged.code,
    user: undefined,
    deviceId: undefined,
    deviceType: undefined,
    userAgent: undefined,
    protocolVersion: undefined,
    platform: 'unknown',
    osVersion: 'unknown',
    model: 'unknown',
    client: 'unknown',
    clientAddress: unjudged.clientAddress,
    policyRevision: unjudged.policyRevision,
    factsRevision: 0,
    durationMs,
    decisionMs: durationMs,
    upstreamMs: undefined,
  }
}

/** What is remembered of the pair. Without proved credentials nothing is: anybody could fill the inventory. T-56 */
export function sightingOf(
  outcome: Outcome,
  judged: Judged,
  result: ActResult & { readonly information?: DeviceInformation },
  at: number,
): Sighting | undefined {
  const { request, identity, user, decision } = judged
  if (request.kind !== 'command' || result.proved !== true || identity.deviceKey === undefined)
    return undefined
  if (user === '' || request.deviceId === undefined) return undefined
  // what we answered ourselves was no mail, whoever it was for
  const forwarded = result.server !== undefined && (outcome.action === 'allow' || outcome.reportOnly)
  return {
    user,
    deviceId: request.deviceId,
    deviceKey: identity.deviceKey,
    deviceType: request.deviceType,
    userAgent: request.headers.userAgent,
    platform: outcome.platform,
    osVersion: outcome.osVersion,
    model: outcome.model,
    client: outcome.client,
    protocolVersion: request.protocolVersion,
    command: request.command,
    backend: outcome.backend,
    action: outcome.action,
    reason: outcome.reason,
    at,
    allowed: forwarded && result.status === 200 && servesMail(request.command),
    provisionAsked: result.provisionAsked ?? false,
    ...standingOf(outcome, forwarded),
    ...(decision.selfNoncompliant !== undefined && { selfNoncompliant: decision.selfNoncompliant }),
    ...(result.information && { information: result.information }),
  }
}

/** Whether the pair is refused by now, as far as this request shows. */
function standingOf(
  { action, reportOnly, status }: Outcome,
  forwarded: boolean,
): Pick<Sighting, 'refused'> | undefined {
  if (!reportOnly && (action === 'block' || hasMailbox({ action }))) return { refused: true }
  return forwarded && status === 200 ? { refused: false } : undefined
}
