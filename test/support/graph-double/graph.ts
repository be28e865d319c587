import type { IncomingHttpHeaders } from 'node:http'
import { errorAnswer, Refusal, unknownErrorAnswer, type Answer, type Service } from './answers.ts'
import { entraAnswer } from './entra-errors.ts'
import { createFaults, type FaultKind, type NextFault } from './faults.ts'
import { holds } from './permissions.ts'
import { readQuery } from './query.ts'
import { costOf, findRoute, type Route } from './routes.ts'
import { behaviourSchema, type Behaviour, type RouteName, type Scenario } from './scenario.ts'
import { createTenant, type Tenant } from './tenant.ts'
import { createThrottle, type Throttle } from './throttle.ts'
import { createTokens, type Tokens } from './tokens.ts'

/** One request, with its body read. */
export interface GraphRequest {
  readonly method: string
  readonly path: string
  /** The part of the URL after `?`, as it came. */
  readonly search: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** Of this answer, as its headers tell. */
  readonly requestId: string
}

/** Entra and Graph of one tenant, without their sockets. */
export interface Graph {
  readonly scenario: Scenario
  readonly tenant: Tenant
  readonly tokens: Tokens
  readonly behaviour: () => Behaviour
  /** Replaces whole sections. @throws {ZodError} */
  readonly behave: (changes: Readonly<Record<string, unknown>>) => void
  /** Every delta token given out so far is void. */
  readonly expireDeltaTokens: () => void
  /** ms since the epoch, by the clock of the double. */
  readonly nowMs: () => number
  readonly advanceClock: (seconds: number) => void
  readonly routeOf: (method: string, path: string) => RouteName
  readonly nextFault: NextFault
  readonly answer: (request: GraphRequest, origin: string) => Answer
  /** The answer to a fault of kind status. */
  readonly failure: (fault: Extract<FaultKind, { kind: 'status' }>, request: GraphRequest) => Answer
}

const tokenPath = /^\/([^/]+)\/oauth2\/v2\.0\/token$/

export function createGraph(scenario: Scenario): Graph {
  const tenant = createTenant(scenario)
  const tokens = createTokens(scenario.tenant, scenario.apps)
  const userCount = tenant.tables.users.end()
  let { behaviour } = scenario
  let throttle: Throttle = createThrottle(behaviour.throttle, userCount)
  let nextFault: NextFault = createFaults(behaviour.faults)
  let deltaEpoch = 0
  let clockOffsetMs = 0
  if (behaviour.index === 'frozen') tenant.memberships.freeze()

  const nowMs = () => Date.now() + clockOffsetMs
  const give = ({ path, body }: GraphRequest, origin: string): Answer => {
    const [, name = ''] = tokenPath.exec(path) ?? []
    const { lifetimeSeconds } = behaviour.token
    return tokens.give(decodeURIComponent(name), new URLSearchParams(body), {
      origin,
      nowMs: nowMs(),
      lifetimeSeconds,
    })
  }

  const answerRoute = (
    request: GraphRequest,
    origin: string,
    route: Route,
    ids: readonly string[],
  ): Answer => {
    const { path, search, headers, body } = request
    const holder = tokens.holderOf(headers.authorization, nowMs())
    const query = readQuery(path, search)
    const call = {
      service: route.service,
      clientId: holder.clientId,
      tenantId: scenario.tenant.id,
      cost: costOf(route, query),
    }
    const verdict = throttle.judge(call, nowMs())
    if (verdict.refusedBy !== undefined) {
      const { retryAfterSeconds } = verdict
      const told = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
      throw new Refusal(429, 'TooManyRequests', 'Too many requests.', { ...verdict.headers, ...told })
    }
    requirePermissions(route, holder.permissions)
    const answer = route.answer({
      route: route.name,
      scenario,
      behaviour,
      tenant,
      deltaEpoch,
      origin,
      path,
      ids,
      query,
      isAdvanced: headers['consistencylevel'] === 'eventual' && query.count,
      permissions: holder.permissions,
      body: body === '' ? undefined : jsonOf(body),
    })
    return { ...answer, headers: { ...answer.headers, ...verdict.headers } }
  }

  return {
    scenario,
    tenant,
    tokens,
    behaviour: () => behaviour,
    behave: (changes) => {
      behaviour = behaviourSchema.parse({ ...behaviour, ...changes })
      if (changes['throttle'] !== undefined) throttle = createThrottle(behaviour.throttle, userCount)
      if (changes['faults'] !== undefined) nextFault = createFaults(behaviour.faults)
      if (changes['index'] === 'frozen') tenant.memberships.freeze()
      if (changes['index'] === 'current') tenant.memberships.thaw()
    },
    expireDeltaTokens: () => void deltaEpoch++,
    nowMs,
    advanceClock: (seconds) => {
      clockOffsetMs += seconds * 1000
    },
    routeOf: (method, path) =>
      method === 'POST' && tokenPath.test(path) ? 'token' : (routeAt(method, path)?.route.name ?? 'other'),
    nextFault: (route) => nextFault(route),
    answer: (request, origin) => {
      const { method, path, requestId } = request
      if (method === 'POST' && tokenPath.test(path)) return give(request, origin)
      const found = routeAt(method, path)
      try {
        if (found === undefined) {
          throw new Refusal(400, 'BadRequest', `Resource not found for the segment '${path}'.`)
        }
        return answerRoute(request, origin, found.route, found.ids)
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        const service = found?.route.service ?? 'directory'
        const isOtherShape = behaviour.forbidden === 'unknown-error' && service === 'intune'
        if (error.status === 403 && isOtherShape) return unknownErrorAnswer(error, requestId)
        return errorAnswer(error, serviceOf(error, service), requestId)
      }
    },
    failure: ({ status, retryAfterSeconds }, { method, path, requestId }) => {
      const told = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
      if (method === 'POST' && tokenPath.test(path)) {
        const text = 'A transient error has occurred. Please try again.'
        const answer = entraAnswer({ code: 90033, text }, nowMs(), status)
        return { ...answer, headers: { ...answer.headers, ...told } }
      }
      const refusal = new Refusal(
        status,
        codes[status] ?? 'InternalServerError',
        'An error has occurred.',
        told,
      )
      return errorAnswer(refusal, routeAt(method, path)?.route.service ?? 'directory', requestId)
    },
  }
}

const codes: Readonly<Record<number, string>> = {
  401: 'InvalidAuthenticationToken',
  403: 'Forbidden',
  404: 'ResourceNotFound',
  410: 'syncStateNotFound',
  429: 'TooManyRequests',
  503: 'ServiceUnavailable',
  504: 'GatewayTimeout',
}

/** A bad token never gets as far as Intune. */
function serviceOf({ status }: Refusal, service: Service): Service {
  return status === 401 ? 'directory' : service
}

function routeAt(method: string, path: string): ReturnType<typeof findRoute> {
  try {
    return findRoute(method, path)
  } catch {
    // escapes that are none
    return undefined
  }
}

/** @throws {Refusal} 403 in the words of the service */
function requirePermissions({ service, permissions }: Route, held: readonly string[]): void {
  const missing = permissions.find((wanted) => !holds(held, wanted))
  if (missing === undefined) return
  if (service === 'directory') {
    throw new Refusal(
      403,
      'Authorization_RequestDenied',
      'Insufficient privileges to complete the operation.',
    )
  }
  const needed = `Application must have one of the following scopes: ${missing.join(', ')}`
  throw new Refusal(403, 'Forbidden', `Application is not authorized to perform this operation. ${needed}`)
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body) as unknown
  } catch {
    throw new Refusal(400, 'BadRequest', 'Unable to read JSON request payload.')
  }
}
