import { randomBytes } from 'node:crypto'
import { newId, Refusal, type Answer } from './answers.ts'
import { assertionError } from './client-assertion.ts'
import { entraAnswer, tokenHeaders, type EntraError } from './entra-errors.ts'
import type { App, Scenario } from './scenario.ts'

/** Who holds a token, and the permissions that the app had when it got it. */
export interface Holder {
  readonly clientId: string
  readonly permissions: readonly string[]
}

/** The token endpoint, and the tokens that it gave out. */
export interface Tokens {
  /** Answers a form posted to /{tenant}/oauth2/v2.0/token. */
  readonly give: (tenant: string, form: URLSearchParams, call: TokenCall) => Answer
  /** @throws {Refusal} 401 */
  readonly holderOf: (authorization: string | undefined, nowMs: number) => Holder
  /** No token given out so far is good any more. */
  readonly expireAll: () => void
}

export interface TokenCall {
  readonly origin: string
  readonly nowMs: number
  readonly lifetimeSeconds: number
}

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

/** `apps` may change while the double runs. */
export function createTokens({ id, domain }: Scenario['tenant'], apps: readonly App[]): Tokens {
  const given = new Map<string, Holder & { readonly expiresAtMs: number }>()
  const usedIds = new Set<string>()

  const errorOf = (tenant: string, form: URLSearchParams, { origin, nowMs }: TokenCall): EntraError | App => {
    if (![id, domain].includes(tenant.toLowerCase())) {
      const check =
        'Check to make sure you have the correct tenant ID and are signing into the correct cloud.'
      return { code: 90002, text: `Tenant '${tenant}' not found. ${check}` }
    }
    if (form.get('grant_type') !== 'client_credentials') {
      return {
        code: 70003,
        text: `The app requested an unsupported grant type '${form.get('grant_type') ?? ''}'.`,
      }
    }
    const scope = form.get('scope') ?? ''
    if (!/^https?:\/\/[^\s/]+\/\.default$/.test(scope)) {
      const text = `The provided request must include a valid 'scope' input parameter. The scope '${scope}' is not valid.`
      return { code: 70011, text }
    }
    const clientId = form.get('client_id') ?? ''
    const app = apps.find((known) => known.clientId === clientId.toLowerCase())
    if (app === undefined) {
      return {
        code: 700016,
        text: `Application with identifier '${clientId}' was not found in the directory '${domain}'.`,
      }
    }
    const assertion = form.get('client_assertion')
    if (assertion !== null) {
      if (form.get('client_assertion_type') !== assertionType) {
        return {
          code: 90014,
          text: "The required field 'client_assertion_type' is missing from the credential.",
        }
      }
      const audiences = [id, domain].map((name) => `${origin}/${name}/oauth2/v2.0/token`)
      const { certificates } = app
      const nowSeconds = nowMs / 1000
      return (
        assertionError(assertion, { certificates, audiences, clientId: app.clientId, nowSeconds, usedIds }) ??
        app
      )
    }
    const value = form.get('client_secret')
    if (value === null) {
      const text =
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
      return { code: 7000218, text }
    }
    const secret = app.secrets.find((known) => known.value === value)
    if (secret === undefined) {
      const hint =
        'Ensure the secret being sent in the request is the client secret value, not the client secret ID'
      return {
        code: 7000215,
        text: `Invalid client secret provided. ${hint}, for a secret added to app '${app.clientId}'.`,
      }
    }
    if (!secret.expired) return app
    return { code: 7000222, text: `The provided client secret keys for app '${app.clientId}' are expired.` }
  }

  return {
    give: (tenant, form, call) => {
      const app = errorOf(tenant, form, call)
      if ('code' in app) return entraAnswer(app, call.nowMs)
      const { clientId, permissions } = app
      const expiresAtMs = call.nowMs + call.lifetimeSeconds * 1000
      const token = tokenText(id, clientId, permissions, expiresAtMs)
      given.set(token, { clientId, permissions, expiresAtMs })
      const body = {
        token_type: 'Bearer',
        expires_in: call.lifetimeSeconds,
        ext_expires_in: call.lifetimeSeconds,
        access_token: token,
      }
      return { status: 200, headers: tokenHeaders, body: JSON.stringify(body) }
    },
    holderOf: (authorization, nowMs) => {
      const [, token] = /^Bearer (\S+)$/i.exec(authorization ?? '') ?? []
      if (token === undefined) throw unauthorized('Access token is empty.')
      const holder = given.get(token)
      if (holder === undefined)
        throw unauthorized('IDX14100: JWT is not well formed, or not one of this tenant.')
      if (holder.expiresAtMs <= nowMs) {
        throw unauthorized('Lifetime validation failed, the token is expired.')
      }
      return holder
    },
    expireAll: () => {
      for (const [token, holder] of given) given.set(token, { ...holder, expiresAtMs: 0 })
    },
  }
}

function unauthorized(message: string): Refusal {
  const challenge = 'Bearer realm="", authorization_uri="https://entra.invalid/common/oauth2/authorize"'
  return new Refusal(401, 'InvalidAuthenticationToken', message, { 'www-authenticate': challenge })
}

/** Looks like the JWT that it is at Microsoft; clients must not look into it. */
function tokenText(tid: string, appid: string, roles: readonly string[], expiresAtMs: number): string {
  const exp = Math.floor(expiresAtMs / 1000)
  const parts = [
    { typ: 'JWT', alg: 'RS256' },
    { aud: 'https://graph.microsoft.com', tid, appid, roles, exp, uti: newId() },
  ]
  const encoded = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  return [...encoded, randomBytes(64).toString('base64url')].join('.')
}
