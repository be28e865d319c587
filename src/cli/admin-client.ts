import { request } from 'undici'
import { z } from 'zod'
import { readToken } from '#admin/token.ts'
import type { Config } from '#config/schema.ts'

/** The running node's admin API said no, or is not there. The message says what to do. */
export class AdminError extends Error {
  override readonly name = 'AdminError'
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** Calls the admin API of the node that this config starts. */
export interface AdminClient {
  /** Gives the parsed answer; undefined for 204. @throws {AdminError} */
  readonly call: (method: Method, path: string, body?: unknown) => Promise<unknown>
}

/** @throws {ConfigError} where the token cannot be read */
export function createAdminClient(admin: Config['admin']): AdminClient {
  // a listener on all addresses is reached by loopback
  const address = admin.address.replace(/^(?:0\.0\.0\.0|\[::\]):/, '127.0.0.1:')
  const token = readToken(admin, 'tokenFile')
  return {
    call: async (method, path, body) => {
      const { status, text } = await send(`http://${address}${path}`, method, token, body).catch((cause) => {
        throw new AdminError(
          `no easgate answers at ${address} (${reasonOf(cause)}); start it with: npm start`,
          {
            cause,
          },
        )
      })
      const answer = text === '' ? undefined : parsed(text)
      if (status >= 400) throw new AdminError(problemText(answer, status))
      if (answer === notJson) throw new AdminError(`${address} is not the admin listener of an easgate`)
      return answer
    },
  }
}

async function send(url: string, method: Method, token: string | undefined, body: unknown) {
  const response = await request(url, {
    method,
    headers: {
      ...(token === undefined ? undefined : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? undefined : { 'content-type': 'application/json' }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  })
  return { status: response.statusCode, text: await response.body.text() }
}

/** The code says it where there is no text, as when every address of a name was tried in vain. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  return cause.message === '' && 'code' in cause ? String(cause.code) : cause.message
}

const notJson = Symbol('not JSON')

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return notJson
  }
}

/** The detail of a problem document, and each fault on a line of its own. RFC 9457 */
function problemText(answer: unknown, status: number): string {
  const { detail, errors } = problemSchema.safeParse(answer).data ?? {}
  const lines = (errors ?? []).map((error) =>
    Object.entries(error)
      .map(([name, value]) => `${name}: ${String(value)}`)
      .join(', '),
  )
  return [detail ?? `the admin listener answered with status ${status}`, ...lines].join('\n  ')
}

const problemSchema = z.object({
  detail: z.string(),
  errors: z.array(z.record(z.string(), z.unknown())).optional(),
})
