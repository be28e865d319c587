import type { Config } from '#config/schema.ts'
import { identifyClient } from '#eas/client/identify-client.ts'
import { deviceKey, isDeviceId } from '#eas/device-id.ts'
import { loginNames, type LoginRules } from '#eas/login.ts'
import type { Lookup } from '#directory/lookup.ts'
import { viewDevice } from '#policy/device-view.ts'
import { decide, type Decision, type TraceStep } from '#policy/decide.ts'
import type { Facts } from '#policy/facts.ts'
import type { Action } from '#policy/reasons.ts'
import type { CompiledPolicy } from '#policy/compile.ts'
import { createBackendRouter, minProtocolVersionOf, serviceOf } from '#proxy/routing.ts'
import { Problem } from './problem.ts'

/** Who is asked about; the same words as in an EAS request. */
export interface ExplainQuestion {
  readonly user: string
  readonly deviceId: string
  readonly deviceType?: string | undefined
  readonly userAgent?: string | undefined
}

/** Facts by name; times in ISO 8601. What is not known is absent, but for `source` and `asOf`, which are null then. */
export type ShownFacts = Readonly<
  Record<string, string | number | boolean | readonly string[] | null | undefined>
>

/** Why a pair gets what it gets. design.md, Fixed names */
export interface Explanation extends Pick<Decision, 'action' | 'reason' | 'rule' | 'mode'> {
  /** HTTP status of such a command below 14.0; later versions carry a refusal in a body of status 200. */
  readonly status: number
  readonly validUntil: string | null
  readonly user: string
  readonly backend: string
  readonly device: {
    readonly platform: string
    readonly osVersion: string
    readonly model: string
    readonly client: string
  }
  readonly facts: ShownFacts
  readonly trace: readonly TraceStep[]
}

export interface ExplainDeps {
  readonly loginRules: LoginRules
  readonly lookup: Pick<Lookup, 'lookup'>
  readonly config: Pick<Config, 'backends' | 'routing'>
  readonly policy: () => CompiledPolicy
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

const statusOf: Readonly<Record<Action, number>> = {
  allow: 200,
  block: 403,
  quarantine: 403,
  redirect: 403,
  unavailable: 503,
  reject: 400,
}

/** Asks the same facts, the same policy and the same code as a request would meet now. */
export function createExplain(deps: ExplainDeps): (question: ExplainQuestion) => Explanation {
  const backends = new Map(
    Object.entries(deps.config.backends).map(([name, backend]) => [
      name,
      { name, service: serviceOf(backend.kind), minProtocolVersion: minProtocolVersionOf(backend) },
    ]),
  )
  const backendOf = createBackendRouter(backends, deps.config.routing)
  return (question) => {
    checkQuestion(question)
    const { user, deviceId, deviceType, userAgent } = question
    const names = loginNames(user, deps.loginRules)
    const facts = deps.lookup.lookup(names, deviceKey(deviceId))
    const backend = backendOf(facts.user)
    const trace: TraceStep[] = []
    const { information } = facts.history
    const client = identifyClient({ deviceId, deviceType, userAgent, information })
    const request = {
      service: backend.service,
      deviceId,
      userMismatch: false,
      deviceType,
      userAgent,
      client,
      protocolVersion: undefined,
      minProtocolVersion: backend.minProtocolVersion,
    }
    const decision = decide(request, facts, deps.policy(), deps.now(), trace)
    const { action, reason, rule, mode, validUntil } = decision
    const device = viewDevice(facts.device, client)
    return {
      action,
      reason,
      rule,
      mode,
      status: statusOf[action],
      validUntil: Number.isFinite(validUntil) ? new Date(validUntil).toISOString() : null,
      user: facts.user?.user ?? names[0] ?? user,
      backend: backend.name,
      device: {
        platform: device.platform,
        osVersion: device.osVersion ?? 'unknown',
        model: device.model,
        client: client.client,
      },
      facts: factsShown(facts),
      trace,
    }
  }
}

function checkQuestion({ user, deviceId }: ExplainQuestion): void {
  const errors = []
  if (user === '') errors.push({ field: 'user', message: 'expected the name of a user' })
  if (!isDeviceId(deviceId)) {
    errors.push({
      field: 'deviceId',
      message: 'expected an EAS device id: 1 to 64 letters, digits, -, _ or .',
    })
  }
  if (errors.length > 0) throw new Problem(400, 'Bad Request', 'a parameter is missing or malformed', errors)
}

function factsShown(facts: Facts): ShownFacts {
  const { user, device, history, override, exclusiveAllows } = facts
  const { origin, ...fields } = device ?? { origin: undefined }
  return {
    ...fields,
    graceUntil: isoTime(device?.graceUntil),
    lastCheckIn: isoTime(device?.lastCheckIn),
    known: user !== undefined,
    groups: user?.groups,
    onRecord: device !== undefined,
    otherOwner: facts.otherOwner,
    allowedBefore: history.allowedBefore,
    firstSeenAt: isoTime(history.firstSeenAt),
    noncompliantSince: isoTime(history.noncompliantSince),
    override: override?.action,
    overrideUntil: isoTime(override?.until),
    overrideExclusive: override?.exclusive,
    overrideNote: override?.note,
    exclusiveAllows:
      exclusiveAllows.length === 0 ? undefined : exclusiveAllows.map(({ deviceKey }) => deviceKey),
    source: origin?.sources.join(', ') ?? null,
    asOf: isoTime(origin?.asOf) ?? null,
    revision: facts.revision,
  }
}

function isoTime(milliseconds: number | undefined): string | undefined {
  return milliseconds === undefined ? undefined : new Date(milliseconds).toISOString()
}
