import type { IncomingHttpHeaders } from 'node:http'

/** These belong to one connection. RFC 9110 7.6.1; T-36, T-37, T-42 */
const hopByHop = new Set([
  'connection',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * Request headers that make IIS or Exchange read another request, another client or another user than the one that
 * came: they are for servers to tell each other. T-28, T-29, T-43
 */
const spoken = [
  /^x-original-/,
  /^x-rewrite-/,
  /^x-(?:http-)?method/,
  /^(?:x-)?forwarded/,
  /^(?:x-real|x-client|x-cluster-client|client|true-client)-ip$/,
  /^x-arr-/,
  /^x-be/,
  /^x-anonresource/,
  /^x-(?:common)?accesstoken/,
  /^x-is(?:from)?cafe/,
  /^x-(?:source)?cafe/,
  /^x-rps-cat$/,
  /^(?:x-)?msexch/,
]

/** IIS takes `_` for `-`, so a name with anything but letters, digits and `-` may be another one there. T-16 */
const plainName = /^[a-z0-9-]+$/

/** Cookies that name the server a front end shall ask, or stand for its trust. T-29 */
const steeringCookie =
  /(?:^|,)\s*(?:x-beresource|x-anonresource|x-anonresource-backend|securitytoken)\s*(?:=|,|$)/i

/** Names of internal machines, and the way round this proxy. */
const internal =
  /^(?:server|x-powered-by|x-aspnet.*|x-(?:be|fe|targetbe)server|x-calculated.*|x-diaginfo|x-ms-location)$/

/** `rawHeaders` as Node gives them: name, value, ... */
type RawHeaders = readonly string[]

/**
 * The request headers of a passthrough route that go upstream, repeated ones as they came. Framing is kept, and is one
 * that `eas/` let through.
 * @param ours headers that we set, Host among them; they take the place of what came under their names
 */
export function passthroughRequestHeaders(rawHeaders: RawHeaders, ours: RawHeaders): IncomingHttpHeaders {
  const headers = new Map<string, string | string[]>()
  const dropped = connectionNamed(rawHeaders)
  for (const [spelled, value] of pairs(rawHeaders)) {
    const name = spelled.toLowerCase()
    if (name === 'transfer-encoding') headers.set(name, 'chunked')
    else if (name === 'cookie') addCookies(headers, value)
    else if (passes(name) && !dropped.has(name)) add(headers, name, value)
  }
  for (const [name, value] of pairs(ours)) headers.set(name.toLowerCase(), value)
  return Object.fromEntries(headers)
}

function passes(name: string): boolean {
  return plainName.test(name) && !hopByHop.has(name) && !spoken.some((pattern) => pattern.test(name))
}

function add(headers: Map<string, string | string[]>, name: string, value: string): void {
  const before = headers.get(name)
  headers.set(name, before === undefined ? value : [before, value].flat())
}

function addCookies(headers: Map<string, string | string[]>, value: string): void {
  const kept = value.split(';').filter((cookie) => !steeringCookie.test(cookie))
  if (kept.length > 0) headers.set('cookie', kept.map((cookie) => cookie.trim()).join('; '))
}

/**
 * The response headers that go to the client, by name. A `Location` that names a server of ours by its inner address is
 * given our own.
 * @param publicLocation gives the public spelling of a URL
 */
export function passthroughResponseHeaders(
  rawHeaders: RawHeaders,
  publicLocation: (url: string) => string,
): IncomingHttpHeaders {
  const headers = new Map<string, string | string[]>()
  const dropped = connectionNamed(rawHeaders)
  for (const [spelled, value] of pairs(rawHeaders)) {
    const name = spelled.toLowerCase()
    if (hopByHop.has(name) || dropped.has(name) || internal.test(name)) continue
    add(headers, name, name === 'location' ? publicLocation(value) : value)
  }
  return Object.fromEntries(headers)
}

function connectionNamed(rawHeaders: RawHeaders): Set<string> {
  return new Set(
    pairs(rawHeaders)
      .filter(([name]) => name.toLowerCase() === 'connection')
      .flatMap(([, value]) => value.split(','))
      .map((option) => option.trim().toLowerCase()),
  )
}

function pairs(rawHeaders: RawHeaders): [name: string, value: string][] {
  return Array.from({ length: rawHeaders.length / 2 }, (_, index) => [
    rawHeaders[2 * index] ?? '',
    rawHeaders[2 * index + 1] ?? '',
  ])
}
