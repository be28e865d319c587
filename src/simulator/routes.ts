import { setTimeout as delay } from 'node:timers/promises'
import type { Answer } from './answer.ts'
import { autodiscoverJson, autodiscoverXml } from './autodiscover.ts'
import type { ServerBehaviour } from './context.ts'
import type { Device } from './device.ts'
import { dispatch } from './dispatch.ts'
import type { ParkedCount } from './hold.ts'
import type { HttpRequest } from './http-server.ts'
import type { Account, Organization } from './organization.ts'
import { readRequestLine } from './query.ts'
import { negotiationHeaders } from './versions.ts'

/** One server with its users, as the routes need it. */
export interface Exchange {
  readonly organization: Organization
  readonly behaviour: ServerBehaviour
  /** The user whom an Authorization header proves. */
  readonly prove: (authorization: string | undefined) => Account | undefined
  readonly loginDelayMs: number
  /** Known once the server listens. */
  readonly baseUrl: () => string
  readonly parked: ParkedCount
  readonly nextKey: () => string
  readonly onWipe: (account: Account, device: Device, status: number) => void
}

const easPath = '/Microsoft-Server-ActiveSync'
/** Also the forms in Exchange's own logs (protocol.md section 1). */
const easPaths = /^\/microsoft-server-activesync(?:(?:\/proxy)?\/default\.eas|\/)?$/

/** True for the page by which load balancers ask whether the server is well. */
export function isHealthCheck(path: string): boolean {
  return path.toLowerCase() === `${easPath.toLowerCase()}/healthcheck.htm`
}

/** Answers one request: health, Autodiscover, EAS, else 404. Paths match without case (protocol.md section 1). */
export async function route(exchange: Exchange, request: HttpRequest): Promise<Answer | undefined> {
  const path = request.path.toLowerCase()
  const easUrl = exchange.baseUrl() + easPath
  if (isHealthCheck(path)) {
    const body = Buffer.from(`200 OK<br/>${request.headers.host ?? ''}`)
    return { status: 200, contentType: 'text/html', body }
  }
  if (path === '/autodiscover/autodiscover.json') {
    return autodiscoverJson(exchange.organization, request.query, easUrl)
  }
  const isAutodiscover = path === '/autodiscover/autodiscover.xml'
  if (!isAutodiscover && !easPaths.test(path)) return { status: 404 }
  const account = exchange.prove(request.headers.authorization)
  if (account === undefined) {
    // A wrong password takes its time (protocol.md section 16).
    await delay(exchange.loginDelayMs, undefined, { signal: request.gone })
    return { status: 401 }
  }
  if (isAutodiscover) return autodiscoverXml(exchange.organization, account, request.body, easUrl)
  return easAnswer(exchange, account, request)
}

function easAnswer(
  exchange: Exchange,
  account: Account,
  request: HttpRequest,
): Answer | Promise<Answer | undefined> {
  const { behaviour } = exchange
  if (request.method === 'OPTIONS') {
    const offer = negotiationHeaders(behaviour.protocolVersions)
    const headers = { Allow: 'OPTIONS,POST', Public: 'OPTIONS,POST', ...offer }
    return { status: 200, headers, contentType: 'text/html' }
  }
  if (request.method !== 'POST') return { status: 501 }
  // The user is the credential's; User= is not looked at (protocol.md section 16).
  const line = readRequestLine(request.query, request.headers)
  const device = exchange.organization.device(account, line.deviceId, line.deviceType)
  return dispatch({
    organization: exchange.organization,
    behaviour,
    account,
    device,
    request: line,
    version: line.protocolVersion,
    body: request.body,
    gone: request.gone,
    parked: exchange.parked,
    nextKey: exchange.nextKey,
    onWipe: (status) => exchange.onWipe(account, device, status),
  })
}
