import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Problem } from './problem.ts'

/** Who may ask what of the admin listener. T-58 */
export interface Guard {
  /** @throws {Problem} 401, 403 or 415 */
  readonly api: (req: IncomingMessage) => void
  /** @throws {Problem} 401 or 403; the metrics token opens nothing else */
  readonly metrics: (req: IncomingMessage) => void
}

export interface GuardOptions {
  /** True where only this machine reaches the listener: then its Host must be a name of this machine. */
  readonly loopback: boolean
  readonly token: string | undefined
  readonly metricsToken: string | undefined
}

const loopbackHost = /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d{1,5})?$/i

/** Tokens are compared in constant time. */
export function createGuard({ loopback, token, metricsToken }: GuardOptions): Guard {
  const admin = token === undefined ? undefined : digest(token)
  const metrics = metricsToken === undefined ? undefined : digest(metricsToken)
  return {
    api: (req) => {
      checkHost(req, loopback)
      checkToken(req, admin === undefined ? [] : [admin])
      if (req.method !== 'GET' && req.method !== 'HEAD') checkWrite(req)
    },
    metrics: (req) => {
      checkHost(req, loopback)
      checkToken(
        req,
        [admin, metrics].filter((allowed) => allowed !== undefined),
      )
    },
  }
}

/** A name that a web page made point to this machine is not one of this machine's. */
function checkHost(req: IncomingMessage, loopback: boolean): void {
  if (loopback && !loopbackHost.test(req.headers.host ?? '')) {
    throw new Problem(403, 'Forbidden', 'the Host header must name this machine, such as 127.0.0.1')
  }
}

function checkToken(req: IncomingMessage, allowed: readonly Buffer[]): void {
  if (allowed.length === 0) return
  const given = /^Bearer (\S+)$/.exec(req.headers.authorization ?? '')?.[1]
  const presented = given === undefined ? undefined : digest(given)
  if (presented === undefined || !allowed.some((token) => timingSafeEqual(token, presented))) {
    throw new Problem(401, 'Unauthorized', 'expected Authorization: Bearer and the token of admin.tokenFile')
  }
}

/** A page of another origin can send a form, but not JSON, and a browser says where a request comes from. */
function checkWrite(req: IncomingMessage): void {
  const { origin, host } = req.headers
  if (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host)) {
    throw new Problem(403, 'Forbidden', 'writes are taken from the same origin only')
  }
  const type = req.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  if (req.method !== 'DELETE' && type !== 'application/json') {
    throw new Problem(415, 'Unsupported Media Type', 'expected Content-Type: application/json')
  }
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
