import { authenticatesConnection } from './authorization.ts'
import { EasError } from './errors.ts'
import { versionFromText, type ProtocolVersion } from './versions.ts'

/** The headers of one request, read once: what is judged, and the list that may go upstream. */
export interface RequestHeaders {
  readonly host: string | undefined
  readonly authorization: string | undefined
  readonly userAgent: string | undefined
  readonly contentType: string | undefined
  readonly forwardedFor: string | undefined
  readonly protocolVersion: ProtocolVersion | undefined
  readonly policyKey: string | undefined
  readonly acceptMultiPart: boolean
  /** Declared body length; undefined where none is declared. */
  readonly contentLength: number | undefined
  readonly chunked: boolean
  /** Allow-listed headers as name, value, name, value ..., in their own spelling. */
  readonly forwarded: readonly string[]
}

/** `forward`: goes upstream as it came. `judge`: read here and set by us, or by the HTTP client. */
type HeaderRule = 'forward' | 'judge'

/**
 * The closed world of request headers; what is not here is dropped. T-28, T-29. [MS-ASHTTP] 2.2.1.1.2 and what
 * Exchange's own rules read (X-MS-WL). Authorization goes upstream as received, NTLM and Negotiate excepted: a pooled
 * connection would serve the next request as that user. T-18
 */
const rules = new Map<string, HeaderRule>([
  ['accept', 'forward'],
  ['accept-encoding', 'forward'],
  ['accept-language', 'forward'],
  ['authorization', 'forward'],
  ['client-request-id', 'forward'],
  ['content-encoding', 'forward'],
  ['content-type', 'forward'],
  ['cookie', 'forward'],
  ['ms-asacceptmultipart', 'forward'],
  ['ms-asprotocolversion', 'forward'],
  ['return-client-request-id', 'forward'],
  ['user-agent', 'forward'],
  ['x-ms-policykey', 'forward'],
  ['x-ms-wl', 'forward'],
  ['connection', 'judge'],
  ['content-length', 'judge'],
  ['expect', 'judge'],
  ['host', 'judge'],
  ['transfer-encoding', 'judge'],
  ['x-forwarded-for', 'judge'],
])

/** Exchange's own affinity cookies; all others carry what ProxyLogon and ProxyToken were made of. T-29 */
const affinityCookies = new Set([
  'asp.net_sessionid',
  'clientid',
  'exchangecookie',
  'x-backendcookie',
  'routingkeycookie',
])

const maxHeaderLines = 100
const hostShape = /^[A-Za-z0-9._-]+(?::\d{1,5})?$|^\[[0-9A-Fa-f:.]+\](?::\d{1,5})?$/
const wholeNumber = /^(?:0|[1-9]\d{0,14})$/

/** True for a cookie that may travel between client and Exchange, by its name. */
export function isAffinityCookie(name: string): boolean {
  return affinityCookies.has(name.trim().toLowerCase())
}

/**
 * Reads the raw header lines: one value where one is expected, framing that every server reads alike, and only known
 * names for upstream. `rawHeaders` is Node's list of name, value, ... T-13, T-16, T-31, T-33, T-42, T-43
 * @throws {EasError} EAS_HEADERS_TOO_MANY, EAS_HEADER_REPEATED, EAS_HOST_INVALID, EAS_FRAMING_INVALID and field codes
 */
export function readHeaders(rawHeaders: readonly string[], httpVersion: string): RequestHeaders {
  if (rawHeaders.length > 2 * maxHeaderLines) {
    throw new EasError('EAS_HEADERS_TOO_MANY', `more than ${maxHeaderLines} header lines`)
  }
  const values = new Map<string, string>()
  const forwarded: string[] = []
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const spelled = rawHeaders[index] ?? ''
    const value = rawHeaders[index + 1] ?? ''
    const name = spelled.toLowerCase()
    const rule = rules.get(name)
    if (rule === undefined) continue
    if (values.has(name) && name !== 'x-forwarded-for') {
      throw new EasError('EAS_HEADER_REPEATED', `${name} is given twice`)
    }
    values.set(name, name === 'x-forwarded-for' && values.has(name) ? `${values.get(name)}, ${value}` : value)
    if (rule === 'forward') pushForwarded(forwarded, spelled, name, value)
  }
  checkConnection(values.get('connection'))
  return {
    host: checkHost(values.get('host')),
    authorization: values.get('authorization'),
    userAgent: values.get('user-agent'),
    contentType: values.get('content-type'),
    forwardedFor: values.get('x-forwarded-for'),
    protocolVersion: readVersion(values.get('ms-asprotocolversion')),
    policyKey: readPolicyKey(values.get('x-ms-policykey')),
    acceptMultiPart: values.get('ms-asacceptmultipart')?.toUpperCase() === 'T',
    contentLength: readContentLength(values),
    chunked: readChunked(values, httpVersion),
    forwarded,
  }
}

function pushForwarded(forwarded: string[], spelled: string, name: string, value: string): void {
  if (name === 'authorization' && authenticatesConnection(value)) return
  if (name !== 'cookie') {
    forwarded.push(spelled, value)
    return
  }
  const kept = value.split(';').filter((cookie) => isAffinityCookie(cookie.split('=', 1)[0] ?? ''))
  if (kept.length > 0) forwarded.push(spelled, kept.map((cookie) => cookie.trim()).join('; '))
}

/** A Connection header that names a header we forward asks some server on the way to drop it. T-42 */
function checkConnection(connection: string | undefined): void {
  if (connection === undefined) return
  for (const option of connection.split(',')) {
    if (rules.has(option.trim().toLowerCase())) {
      throw new EasError('EAS_FRAMING_INVALID', 'Connection names an end-to-end header')
    }
  }
}

function checkHost(host: string | undefined): string | undefined {
  if (host === undefined || hostShape.test(host)) return host
  throw new EasError('EAS_HOST_INVALID', 'Host must be one name or address with an optional port')
}

function readVersion(text: string | undefined): ProtocolVersion | undefined {
  if (text === undefined) return undefined
  const version = versionFromText(text)
  if (version === undefined) throw new EasError('EAS_VERSION_UNKNOWN', 'unknown MS-ASProtocolVersion')
  return version
}

function readPolicyKey(text: string | undefined): string | undefined {
  if (text === undefined || (/^\d{1,10}$/.test(text) && Number(text) <= 0xffffffff)) return text
  throw new EasError('EAS_POLICY_KEY_INVALID', 'X-MS-PolicyKey must be an unsigned 32-bit number')
}

function readContentLength(values: ReadonlyMap<string, string>): number | undefined {
  const text = values.get('content-length')
  if (text === undefined) return undefined
  if (!wholeNumber.test(text)) throw new EasError('EAS_FRAMING_INVALID', 'odd Content-Length')
  return Number(text)
}

function readChunked(values: ReadonlyMap<string, string>, httpVersion: string): boolean {
  const encoding = values.get('transfer-encoding')
  if (encoding === undefined) return false
  if (encoding.toLowerCase() !== 'chunked' || httpVersion !== '1.1' || values.has('content-length')) {
    throw new EasError('EAS_FRAMING_INVALID', 'expected Transfer-Encoding: chunked alone, in HTTP/1.1')
  }
  return true
}
