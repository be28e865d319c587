import { readFileSync } from 'node:fs'
import { request } from 'undici'
import type { Config } from '#config/schema.ts'

/** The running node's admin API said no, or is not there. The message says what to do. */
export class AdminError extends Error {
  override readonly name = 'AdminError'
}

/** Calls the admin API of the node that this config starts. */
export interface AdminClient {
  /** Gives the parsed answer; undefined for 204. @throws {AdminError} */
  readonly call: (method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) => Promise<unknown>
}

export function createAdminClient(admin: Config['admin']): AdminClient {
  // a listener on all addresses is reached by loopback
  const address = admin.address.replace(/^(?:0\.0\.0\.0|\[::\]):/, '127.0.0.1:')
  const token = admin.tokenFile === undefined ? undefined : readFileSync(admin.tokenFile, 'utf8').trim()
  return {
    call: async (method, path, body) => {
      const response = await request(`http://${address}${path}`, {
        method,
        headers: {
          ...(token === undefined ? undefined : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? undefined : { 'content-type': 'application/json' }),
        },
        body: body === undefined ? null : JSON.stringify(body),
      }).catch((cause: unknown) => {
        const message = cause instanceof Error ? cause.message : String(cause)
        throw new AdminError(`no easgate answers at ${address} (${message}); start it with: npm start`, {
          cause,
        })
      })
      const text = await response.body.text()
      if (response.statusCode >= 400) throw new AdminError(problemText(text, response.statusCode))
      return text === '' ? undefined : JSON.parse(text)
    },
  }
}

function problemText(text: string, status: number): string {
  try {
    const { detail, errors } = JSON.parse(text) as {
      detail?: string
      errors?: readonly Record<string, unknown>[]
    }
    const lines = (errors ?? []).map((error) =>
      Object.entries(error)
        .map(([name, value]) => `${name}: ${String(value)}`)
        .join(', '),
    )
    return [detail ?? `status ${status}`, ...lines].join('\n  ')
  } catch {
    return `the admin listener answered with status ${status}`
  }
}
