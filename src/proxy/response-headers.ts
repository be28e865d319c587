import type { IncomingHttpHeaders } from 'node:http'
import { isAffinityCookie } from '#eas/headers.ts'
import { passableChallenges } from './challenges.ts'

/**
 * The closed world of response headers, in the spelling that goes out. Left out on purpose: X-MS-Location (leads round
 * the proxy), Server and X-*Server (names of internal machines), hop-by-hop headers.
 */
const passed = new Map([
  ['allow', 'Allow'],
  ['cache-control', 'Cache-Control'],
  ['client-request-id', 'client-request-id'],
  ['content-disposition', 'Content-Disposition'],
  ['content-encoding', 'Content-Encoding'],
  ['content-length', 'Content-Length'],
  ['content-type', 'Content-Type'],
  ['ms-asprotocolcommands', 'MS-ASProtocolCommands'],
  ['ms-asprotocolrevisions', 'MS-ASProtocolRevisions'],
  ['ms-asprotocolversions', 'MS-ASProtocolVersions'],
  ['ms-server-activesync', 'MS-Server-ActiveSync'],
  ['public', 'Public'],
  ['request-id', 'request-id'],
  ['retry-after', 'Retry-After'],
  ['vary', 'Vary'],
  ['x-ms-asthrottle', 'X-MS-ASThrottle'],
  ['x-ms-credential-service-url', 'X-MS-Credential-Service-Url'],
  ['x-ms-credentials-expire', 'X-MS-Credentials-Expire'],
  ['x-ms-rp', 'X-MS-RP'],
])

/** What of a backend's head goes to the client, as name, value, ... T-29 */
export function responseHeaders(headers: IncomingHttpHeaders): string[] {
  const list: string[] = []
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined) continue
    const spelling = passed.get(name)
    if (spelling !== undefined) {
      list.push(spelling, typeof value === 'string' ? value : value.join(', '))
    } else if (name === 'set-cookie') {
      for (const cookie of typeof value === 'string' ? [value] : value) {
        if (isAffinityCookie(cookie.split('=', 1)[0] ?? '')) list.push('Set-Cookie', cookie)
      }
    } else if (name === 'www-authenticate') {
      for (const challenge of passableChallenges(value)) list.push('WWW-Authenticate', challenge)
    }
  }
  return list
}
