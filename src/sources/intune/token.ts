import { readFileSync } from 'node:fs'
import { backoffMs, type Backoff } from '../backoff.ts'
import { createAssertion } from './client-assertion.ts'
import type { Clock } from '../clock.ts'
import { abortable } from './abortable.ts'
import { tokenError, type AppIdentity } from './entra-errors.ts'
import { isObject } from './fields.ts'
import { GraphError, reasonOf } from './graph-error.ts'
import type { HttpAnswer, Transport } from './transport.ts'

/** What proves that it is the app that asks. Files are read anew for each token, so that a secret can be changed. */
export type Credential =
  | { readonly kind: 'secret'; readonly file: string }
  | { readonly kind: 'certificate'; readonly certificateFile: string; readonly keyFile: string }

export interface TokensOptions extends AppIdentity {
  /** Origin of the token endpoint, such as https://login.microsoftonline.com. */
  readonly authorityUrl: string
  /** Origin of Graph: what the token is for. */
  readonly graphUrl: string
  readonly credential: Credential
  readonly transport: Pick<Transport, 'send'>
  readonly clock: Clock
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly random: () => number
}

/** Access tokens of the app, by the client credentials flow. */
export interface Tokens {
  /** A token that is good now. One is asked for at a time, whoever waits. @throws {GraphError} TOKEN_REFUSED, … */
  token(signal: AbortSignal): Promise<string>
  /** Graph does not take this token: the next call asks for another. */
  discard(token: string): void
}

interface Token {
  readonly text: string
  /** Monotonic, ms: from then on a new one is asked for beside it, ... */
  readonly renewAt: number
  /** ... and from then on it is not used. */
  readonly expiresAt: number
}

const requestTimeoutMs = 15_000
/** A token is renewed when this much of its life is left, but not before four fifths of it are over. */
const earlyMs = 300_000
/** Bounds what an answer may say of the life of a token. T-55 */
const maxLifeMs = 24 * 60 * 60 * 1000
/** Entra is not asked over and over for what it has just refused. */
const pause: Backoff = { firstMs: 1000, maxMs: 60_000 }
const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export function createTokens(options: TokensOptions): Tokens {
  const { clock, random } = options
  let held: Token | undefined
  let flight: Promise<Token> | undefined
  let failures = 0
  let refusal: { readonly error: unknown; readonly until: number } | undefined

  async function renew(): Promise<Token> {
    if (refusal !== undefined && clock.now() < refusal.until) throw refusal.error
    try {
      held = await request(options)
      failures = 0
      refusal = undefined
      return held
    } catch (error) {
      failures++
      refusal = { error, until: clock.now() + backoffMs(pause, failures, random) }
      throw error
    }
  }

  function inFlight(): Promise<Token> {
    if (flight !== undefined) return flight
    const started = renew()
    const over = (): void => {
      flight = undefined
    }
    started.then(over, over)
    flight = started
    return started
  }

  return {
    async token(signal) {
      const now = clock.now()
      if (held === undefined || now >= held.expiresAt) return (await abortable(inFlight(), signal)).text
      // the old one is good meanwhile, also where no new one is to be had
      if (now >= held.renewAt) inFlight().catch(() => undefined)
      return held.text
    },
    discard(token) {
      if (held?.text === token) held = undefined
    },
  }
}

async function request(options: TokensOptions): Promise<Token> {
  const { authorityUrl, tenantId, graphUrl, transport, clock } = options
  const url = `${authorityUrl}/${encodeURIComponent(tenantId)}/oauth2/v2.0/token`
  const form = new URLSearchParams({
    client_id: options.clientId,
    grant_type: 'client_credentials',
    scope: `${graphUrl}/.default`,
    ...proof(options, url),
  })
  const askedAt = clock.now()
  const signal = AbortSignal.timeout(requestTimeoutMs)
  const headers = { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' }
  const sent = transport.send({ method: 'POST', url, headers, body: form.toString(), signal })
  const answer = await sent.catch((error: unknown) => {
    if (!signal.aborted) throw error
    throw new GraphError('GRAPH_UNREACHABLE', `${authorityUrl} does not answer`, { cause: error })
  })
  const body = jsonOf(answer)
  if (answer.status !== 200) throw tokenError(answer.status, body, options)
  const { access_token: text, expires_in: seconds } = isObject(body) ? body : {}
  if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text) || typeof seconds !== 'number') {
    throw new GraphError('GRAPH_BAD_ANSWER', `what ${authorityUrl} gives is no token`)
  }
  const lifeMs = Math.min(maxLifeMs, Math.max(0, seconds * 1000))
  return {
    text,
    renewAt: askedAt + Math.max(lifeMs * 0.8, lifeMs - earlyMs),
    expiresAt: askedAt + lifeMs,
  }
}

/** The fields of the form that prove who asks. */
function proof({ credential, clientId, now }: TokensOptions, audience: string): Record<string, string> {
  if (credential.kind === 'secret') return { client_secret: readSecret(credential.file) }
  const assertion = createAssertion({
    certificatePem: readText(credential.certificateFile),
    keyPem: readText(credential.keyFile),
    clientId,
    audience,
    now: now(),
  })
  return { client_assertion_type: assertionType, client_assertion: assertion }
}

function readSecret(file: string): string {
  const secret = readText(file).trim()
  if (secret === '') throw new GraphError('CREDENTIAL_UNREADABLE', `${file} is empty`)
  return secret
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new GraphError('CREDENTIAL_UNREADABLE', `cannot read ${file}: ${reasonOf(cause)}`, { cause })
  }
}

function jsonOf({ body }: HttpAnswer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}
