import { request, type Dispatcher } from 'undici'
import { defaults } from './scenario.ts'
import type { GraphDouble } from './start-graph-double.ts'

/** An answer of the double. */
export interface Asked {
  readonly status: number
  readonly headers: Dispatcher.ResponseData['headers']
  readonly text: string
  /** @throws where it is no JSON */
  readonly json: () => unknown
}

export interface AskOptions {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: unknown
}

/** Calls Graph with a token; a path, or a link as Graph gave it. */
export type Ask = (pathOrLink: string, options?: AskOptions) => Promise<Asked>

/** A good form for the token endpoint of a scenario that names no app. */
export const goodForm = {
  grant_type: 'client_credentials',
  client_id: defaults.clientId,
  client_secret: defaults.clientSecret,
  scope: 'https://graph.microsoft.com/.default',
} as const

/** Posts a form to the token endpoint. */
export async function postForm(
  { url }: GraphDouble,
  form: Readonly<Record<string, string>>,
  tenant: string = defaults.tenantId,
): Promise<Asked> {
  const answer = await request(`${url}/${tenant}/oauth2/v2.0/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  })
  return asked(answer)
}

/** Gets a token and gives what calls Graph with it: for tests of the double itself. */
export async function signIn(double: GraphDouble): Promise<Ask> {
  const { access_token: token } = (await postForm(double, goodForm)).json() as { access_token: string }
  return async (pathOrLink, { method = 'GET', headers = {}, body } = {}) => {
    const url = pathOrLink.startsWith('/') ? double.url + pathOrLink : pathOrLink
    const answer = await request(url, {
      method,
      headers: { authorization: `Bearer ${token}`, ...headers },
      body: body === undefined ? null : JSON.stringify(body),
    })
    return asked(answer)
  }
}

async function asked({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<Asked> {
  const text = await body.text()
  return { status: statusCode, headers, text, json: () => JSON.parse(text) as unknown }
}
