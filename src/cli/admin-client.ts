import { createInterface } from 'node:readline'
import { request } from 'undici'
import { z } from 'zod'
import { readToken } from '#admin/token.ts'
import type { Config } from '#config/schema.ts'

/** The running node's admin API said no, or is not there. The message says what to do. */
export class AdminError extends Error {
  override readonly name = 'AdminError'
  /** HTTP status of the answer; undefined where none came. */
  readonly status: number | undefined

  constructor(message: string, { status, ...options }: ErrorOptions & { readonly status?: number } = {}) {
    super(message, options)
    this.status = status
  }
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** Calls the admin API of the node that this config starts. */
export interface AdminClient {
  /** Gives the parsed answer; undefined for 204. @throws {AdminError} */
  readonly call: (method: Method, path: string, body?: unknown) => Promise<unknown>
  /** Gives an answer that is no JSON, line by line, as it comes. @throws {AdminError} */
  readonly lines: (method: Method, path: string, body?: unknown) => AsyncGenerator<string>
}

/** A walk over a million devices is answered at its end. */
const answerTimeoutMs = 15 * 60_000

/** @throws {ConfigError} where the token cannot be read */
export function createAdminClient(admin: Config['admin']): AdminClient {
  // a listener on all addresses is reached by loopback
  const address = admin.address.replace(/^(?:0\.0\.0\.0|\[::\]):/, '127.0.0.1:')
  const token = readToken(admin, 'tokenFile')

  const away = (cause: unknown) =>
    new AdminError(`no easgate answers at ${address} (${reasonOf(cause)}); start it with: npm start`, {
      cause,
    })

  /** Gives the body of a good answer. */
  async function send(method: Method, path: string, body: unknown) {
    const answer = await request(`http://${address}${path}`, {
      method,
      headers: {
        ...(token === undefined ? undefined : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? undefined : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      headersTimeout: answerTimeoutMs,
      bodyTimeout: answerTimeoutMs,
    }).catch((cause: unknown) => {
      throw away(cause)
    })
    const { statusCode: status } = answer
    if (status < 400) return answer.body
    const text = await textOf(answer.body)
    throw new AdminError(problemText(parsed(text), status), { status })
  }

  const textOf = (body: { readonly text: () => Promise<string> }) =>
    body.text().catch((cause: unknown) => {
      throw away(cause)
    })

  return {
    call: async (method, path, body) => {
      const text = await textOf(await send(method, path, body))
      const answer = text === '' ? undefined : parsed(text)
      if (answer === notJson) throw new AdminError(`${address} is not the admin listener of an easgate`)
      return answer
    },
    lines: async function* (method, path, body) {
      const input = await send(method, path, body)
      try {
        yield* createInterface({ input })
      } catch (cause) {
        throw away(cause)
      }
    },
  }
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
