import type { Config } from '#config/schema.ts'
import { identifyClient } from '#eas/client/identify-client.ts'
import { deviceKey, isDeviceId } from '#eas/device-id.ts'
import { loginNames, type LoginRules } from '#eas/login.ts'
import { protocolVersions, versionFromText } from '#eas/versions.ts'
import type { Lookup } from '#directory/lookup.ts'
import type { Store } from '#directory/store.ts'
import { explainDecision } from '#policy/explanation.ts'
import type { CurrentPolicy } from '#proxy/exchange.ts'
import { keepMail } from '#proxy/keep-mail.ts'
import { createBackendRouter, minProtocolVersionOf, serviceOf } from '#proxy/routing.ts'
import { shownExplanation, type Explanation } from './explanation.ts'
import { Problem } from './problem.ts'

/** What a client says of itself; the same words as in an EAS request. */
export interface Claims {
  readonly deviceType?: string | undefined
  readonly userAgent?: string | undefined
  readonly protocolVersion?: string | undefined
}

/** Who is asked about. Without any claim, the client says what it said when it was last seen. */
export interface ExplainQuestion extends Claims {
  readonly user: string
  readonly deviceId: string
}

/** @throws {Problem} 400 with each parameter that is missing or malformed */
export type Explain = (question: ExplainQuestion) => Explanation

export interface ExplainDeps {
  readonly loginRules: LoginRules
  readonly lookup: Pick<Lookup, 'lookupAnew'>
  readonly store: Pick<Store, 'device' | 'provenance'>
  readonly config: Pick<Config, 'backends' | 'routing'>
  readonly policy: () => CurrentPolicy
  /** See `keepMail`. */
  readonly quarantineHeldSince: () => number | undefined
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Asks the same facts, the same policy and the same code as a request would meet now. */
export function createExplain(deps: ExplainDeps): Explain {
  const { store } = deps
  const backends = new Map(
    Object.entries(deps.config.backends).map(([name, backend]) => [
      name,
      { name, service: serviceOf(backend.kind), minProtocolVersion: minProtocolVersionOf(backend) },
    ]),
  )
  const backendOf = createBackendRouter(backends, deps.config.routing)

  return (question) => {
    checkQuestion(question)
    const { deviceId } = question
    const names = loginNames(question.user, deps.loginRules)
    const key = deviceKey(deviceId)
    const facts = deps.lookup.lookupAnew(names, key)
    const user = facts.user?.user ?? names[0] ?? question.user
    const seen = isSilent(question) ? store.device(user, deviceId)?.seen : undefined
    const { deviceType, userAgent, protocolVersion } = seen ?? question
    const backend = backendOf(facts.user)
    const explained = explainDecision({
      request: {
        service: backend.service,
        deviceId,
        userMismatch: false,
        deviceType,
        userAgent,
        client: identifyClient({ deviceId, deviceType, userAgent, information: facts.history.information }),
        protocolVersion: protocolVersion === undefined ? undefined : versionFromText(protocolVersion),
        minProtocolVersion: backend.minProtocolVersion,
      },
      facts,
      provenance: store.provenance(user, key),
      policy: deps.policy(),
      now: deps.now(),
      user,
      backend: backend.name,
    })
    const kept = keepMail(explained, facts, deps.quarantineHeldSince())
    return shownExplanation(kept, seen === undefined ? null : new Date(seen.lastAt).toISOString())
  }
}

function isSilent({ deviceType, userAgent, protocolVersion }: Claims): boolean {
  return deviceType === undefined && userAgent === undefined && protocolVersion === undefined
}

/** @throws {Problem} 400 */
export function checkQuestion({ user, deviceId, protocolVersion }: ExplainQuestion): void {
  const errors = []
  if (user === '') errors.push({ field: 'user', message: 'expected the name of a user' })
  if (!isDeviceId(deviceId)) {
    errors.push({
      field: 'deviceId',
      message: 'expected an EAS device id: 1 to 64 letters, digits, -, _ or .',
    })
  }
  if (protocolVersion !== undefined && versionFromText(protocolVersion) === undefined) {
    errors.push({ field: 'protocolVersion', message: `expected one of ${protocolVersions.join(', ')}` })
  }
  if (errors.length > 0) throw new Problem(400, 'Bad Request', 'a parameter is missing or malformed', errors)
}
