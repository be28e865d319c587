import { backoffMs, type Backoff } from '../backoff.ts'
import { createBreaker } from '../breaker.ts'
import { createBudget, type Budget, type BudgetLimit, type Priority } from './budget.ts'
import type { Clock } from '../clock.ts'
import { isObject, type JsonObject } from './fields.ts'
import type { GraphCall, GraphService } from './graph-calls.ts'
import { GraphError, isOutage, isPassing, reasonOf, shown } from './graph-error.ts'
import type { Tokens } from './token.ts'
import type { HttpAnswer, Transport } from './transport.ts'

/** One question to Graph. */
export interface GraphRequest {
  readonly call: GraphCall
  /** Absolute: made by `urlOf`, or a link of Graph's own, unchanged. */
  readonly url: string
  readonly priority: Priority
  readonly signal: AbortSignal
  /** Sent as JSON, by POST. */
  readonly body?: JsonObject
}

/** Asks Graph within its limits, and again where it may help. */
export interface GraphClient {
  /** The JSON object that Graph answers. @throws {GraphError}; the signal's reason */
  ask(request: GraphRequest): Promise<JsonObject>
  /** The URL of a path below the version, such as `/users`; parameters are encoded here. */
  urlOf(path: string, parameters?: Readonly<Record<string, string>>): string
}

export interface GraphClientOptions {
  /** Origin, such as https://graph.microsoft.com. */
  readonly graphUrl: string
  readonly clientId: string
  readonly tokens: Tokens
  readonly transport: Pick<Transport, 'send'>
  readonly clock: Clock
  readonly random: () => number
  /** Milliseconds since the epoch, for a Retry-After that is a date. */
  readonly now: () => number
}

/** The documented limits; of the directory's, which grows with the tenant, the smallest. facts.md 5, Throttling */
const limits: Readonly<Record<GraphService, BudgetLimit>> = {
  intune: { units: 2000, windowMs: 20_000 },
  directory: { units: 3500, windowMs: 10_000 },
}
/** How often a call is tried. Who waits for a look-up is better told at once. */
const attempts: Readonly<Record<Priority, number>> = { high: 2, low: 5 }
const pause: Backoff = { firstMs: 1000, maxMs: 30_000 }
/** For a service that throttles without saying for how long. */
const throttlePause: Backoff = { firstMs: 4000, maxMs: 120_000 }
/** Graph's word on how long to wait is heeded up to this. T-55 */
const maxRetryAfterMs = 600_000
/** From this share of its limit on, the directory warns. */
const warningShare = 0.8
const easeOffMs = 2000

export function createGraphClient(options: GraphClientOptions): GraphClient {
  const { graphUrl, clientId, tokens, transport, clock, random, now } = options
  const breaker = createBreaker({
    now: () => clock.now(),
    random,
    meaningOf: (error) => {
      if (isOutage(error)) return 'outage'
      return error instanceof GraphError ? 'answer' : 'nothing'
    },
    // who throttles is heeded by the budgets
    retryAfterMs: () => undefined,
    refusal: (outage) =>
      new GraphError('GRAPH_PAUSED', `Graph is not asked for a while: ${reasonOf(outage)}`),
  })
  const budgets: Readonly<Record<GraphService, Budget>> = {
    intune: createBudget(limits.intune, clock),
    directory: createBudget(limits.directory, clock),
  }
  /** Answers in a row that said that a service is asked too much. */
  const throttledInARow: Record<GraphService, number> = { intune: 0, directory: 0 }

  async function attempt({ call, url, priority, signal, body }: GraphRequest): Promise<JsonObject> {
    const token = await tokens.token(signal)
    const answer = await transport.send({
      method: body === undefined ? 'GET' : 'POST',
      url,
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        'x-ms-throttle-priority': priority,
        ...(body === undefined ? undefined : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? undefined : { body: JSON.stringify(body) }),
      signal,
    })
    heedWarning(call.service, answer)
    if (answer.status === 401) tokens.discard(token)
    if (answer.status !== 200) throw answerError(answer, call)
    throttledInARow[call.service] = 0
    return objectOf(answer)
  }

  function heedWarning(service: GraphService, { headers }: HttpAnswer): void {
    if (Number(headers['x-ms-throttle-limit-percentage'] ?? 0) >= warningShare) {
      budgets[service].easeOff(easeOffMs)
    }
  }

  function answerError(answer: HttpAnswer, { subject, permissions }: GraphCall): GraphError {
    const { status } = answer
    const retryAfterMs = retryAfterOf(answer)
    const { code, message } = errorIn(answer)
    const told = shown([code, message].filter((part) => part !== '').join(': ')) || 'no reason given'
    if (status === 429 || (status === 503 && retryAfterMs !== undefined)) {
      return new GraphError('GRAPH_THROTTLED', `Graph is asked too much for ${subject}`, { retryAfterMs })
    }
    if (status >= 500)
      return new GraphError('GRAPH_UNAVAILABLE', `Graph answered ${status} for ${subject} (${told})`)
    if (code === 'syncStateNotFound' || code === 'resyncRequired' || status === 410) {
      return new GraphError('GRAPH_GONE', `Graph has forgotten what it told of ${subject} (${told})`)
    }
    switch (status) {
      case 401:
        return new GraphError('GRAPH_UNAUTHORIZED', `Graph does not take the token for ${subject} (${told})`)
      case 403:
        return new GraphError(
          'GRAPH_FORBIDDEN',
          `Graph refuses ${subject}: grant the application permission ${permissions.join(' and ')} to app ` +
            `${clientId} in Entra, with admin consent (${told})`,
        )
      case 404:
        // of anything else that answers 404, a gateway say, nothing follows for the record
        if (/notfound$/i.test(code)) {
          return new GraphError('GRAPH_NOT_FOUND', `Graph has none of these ${subject} (${told})`)
        }
        return new GraphError(
          'GRAPH_BAD_ANSWER',
          `what answers in the place of Graph has no ${subject} (${told})`,
        )
      default:
        return new GraphError('GRAPH_REFUSED', `Graph answered ${status} for ${subject} (${told})`)
    }
  }

  function retryAfterOf({ headers }: HttpAnswer): number | undefined {
    const value = headers['retry-after']
    if (typeof value !== 'string') return undefined
    const ms = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now()
    return Number.isNaN(ms) ? undefined : Math.min(maxRetryAfterMs, Math.max(0, ms))
  }

  /** Nobody asks the service before it wants to be asked again, look-ups neither. */
  function heedThrottle(service: GraphService, { retryAfterMs }: GraphError): void {
    const inARow = ++throttledInARow[service]
    budgets[service].pause(retryAfterMs ?? backoffMs(throttlePause, inARow, random))
  }

  return {
    async ask(request) {
      const { call, priority, signal } = request
      for (let tried = 1; ; tried++) {
        await budgets[call.service].take(call.units, priority, signal)
        try {
          return await breaker.run(() => attempt(request))
        } catch (error) {
          if (!isPassing(error)) throw error
          if (error.code === 'GRAPH_THROTTLED') heedThrottle(call.service, error)
          if (tried === attempts[priority]) throw error
          if (error.code === 'GRAPH_THROTTLED' || error.code === 'GRAPH_UNAUTHORIZED') continue
          await clock.sleep(backoffMs(pause, tried, random), signal)
        }
      }
    },

    urlOf(path, parameters = {}) {
      const query = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
      return `${graphUrl}/v1.0${path}${query.length === 0 ? '' : `?${query.join('&')}`}`
    },
  }
}

function objectOf({ headers, body }: HttpAnswer): JsonObject {
  const type = headers['content-type']
  if (typeof type !== 'string' || !/^application\/json\s*(?:;|$)/i.test(type)) {
    throw new GraphError('GRAPH_BAD_ANSWER', 'what answers in the place of Graph gives no JSON')
  }
  let value: unknown
  try {
    value = JSON.parse(body.toString())
  } catch (cause) {
    throw new GraphError('GRAPH_BAD_ANSWER', 'an answer of Graph is no whole JSON', { cause })
  }
  if (!isObject(value)) throw new GraphError('GRAPH_BAD_ANSWER', 'an answer of Graph is no object')
  return value
}

/** The error that Graph tells; Intune wraps its own, as JSON text, in the message. */
function errorIn({ body }: HttpAnswer): { readonly code: string; readonly message: string } {
  const { error } = parsed(body.toString())
  const { code, message } = isObject(error) ? error : {}
  const inner = typeof message === 'string' ? parsed(message) : {}
  const innermost = parsed(textOf(inner['Message']))
  return {
    code: textOf(inner['ErrorCode']) || textOf(code),
    // what follows is for Microsoft's support
    message: (textOf(innermost['Message']) || textOf(inner['Message']) || textOf(message)).replace(
      / - Operation ID .*$/s,
      '',
    ),
  }
}

function parsed(text: string): JsonObject {
  if (!text.trimStart().startsWith('{')) return {}
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : {}
  } catch {
    return {}
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
