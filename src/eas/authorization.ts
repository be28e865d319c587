import { EasError } from './errors.ts'
import { decodeUtf8, hasControl } from './text.ts'

/**
 * What the Authorization header claims. `probe` carries no usable credential: no header, an empty `Bearer` (how
 * clients with modern authentication find the authority), or a scheme that authenticates the connection (NTLM,
 * Negotiate), which a pooled upstream connection must never carry. T-16, T-18
 */
export type Credentials =
  | { readonly kind: 'basic'; readonly authorization: string; readonly logins: readonly string[] }
  | { readonly kind: 'bearer'; readonly authorization: string; readonly logins: readonly string[] }
  | { readonly kind: 'probe'; readonly authorization: string | undefined }

const connectionSchemes = /^(?:NTLM|Negotiate)(?: |$)/i
const asciiControl = /[^\x20-\x7e\x80-\xff]/
const token68 = /^[A-Za-z0-9\-._~+/]+=*$/

/** True for a scheme that authenticates the connection, not the request. It must never go upstream: T-18 */
export function authenticatesConnection(header: string): boolean {
  return connectionSchemes.test(header)
}

/**
 * Reads an Authorization header. `logins` holds the login as each possible reading gives it: Basic credentials may be
 * UTF-8 or Latin-1, and a server behind may take the other.
 * @throws {EasError} EAS_AUTHORIZATION_INVALID, EAS_BEARER_UNREADABLE, EAS_BEARER_CONFLICT
 */
export function parseAuthorization(header: string | undefined): Credentials {
  if (header === undefined) return { kind: 'probe', authorization: undefined }
  if (header === 'Bearer') return { kind: 'probe', authorization: header }
  if (authenticatesConnection(header)) return { kind: 'probe', authorization: undefined }
  if (header.startsWith('Basic ')) {
    return { kind: 'basic', authorization: header, logins: basicLogins(header.slice(6)) }
  }
  if (header.startsWith('Bearer ')) {
    return { kind: 'bearer', authorization: header, logins: [bearerLogin(header.slice(7))] }
  }
  throw new EasError('EAS_AUTHORIZATION_INVALID', 'expected "Basic " or "Bearer " and one credential')
}

function basicLogins(credential: string): string[] {
  const bytes = Buffer.from(credential, 'base64')
  if (bytes.toString('base64') !== credential) {
    throw new EasError('EAS_AUTHORIZATION_INVALID', 'the Basic credential is not canonical base64')
  }
  const latin1 = bytes.toString('latin1')
  const readings = [latin1]
  // every byte below 80: both readings are the same text
  if (/[\u0080-\u00ff]/.test(latin1)) {
    const asUtf8 = decodeUtf8(bytes)
    if (asUtf8 !== undefined) readings.unshift(asUtf8)
  }
  const logins = readings.map((reading) => {
    const colon = reading.indexOf(':')
    return colon > 0 ? reading.slice(0, colon) : ''
  })
  // C1 controls are ordinary bytes of a UTF-8 text read as Latin-1, and letters of a Windows-1252 password
  const [login = ''] = logins
  if (asciiControl.test(latin1) || hasControl(login) || logins.some(isNoLogin)) {
    throw new EasError(
      'EAS_AUTHORIZATION_INVALID',
      'expected base64 of user:password without control characters',
    )
  }
  return logins
}

function isNoLogin(login: string): boolean {
  return login === '' || login.length > 320
}

/** The claims of an access token that name its user. A token is verified by the backend, or by keys where configured. T-19 */
function bearerLogin(token: string): string {
  if (!token68.test(token)) throw new EasError('EAS_AUTHORIZATION_INVALID', 'malformed Bearer token')
  const parts = token.split('.')
  let claims: unknown
  try {
    claims =
      parts.length === 3 ? JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString('utf8')) : undefined
  } catch {
    claims = undefined
  }
  if (typeof claims !== 'object' || claims === null) {
    throw new EasError('EAS_BEARER_UNREADABLE', 'the token is no JWT, so it names no user')
  }
  const named = new Map(Object.entries(claims))
  const users = new Set<string>()
  for (const claim of ['upn', 'unique_name', 'preferred_username']) {
    const value: unknown = named.get(claim)
    if (value === undefined) continue
    if (typeof value !== 'string' || value === '' || value.length > 320 || hasControl(value)) {
      throw new EasError('EAS_BEARER_UNREADABLE', `the claim ${claim} is not a user name`)
    }
    users.add(value.toLowerCase())
  }
  const [user, ...others] = users
  if (user === undefined) throw new EasError('EAS_BEARER_UNREADABLE', 'the token names no user')
  if (others.length > 0)
    throw new EasError('EAS_BEARER_CONFLICT', 'two claims of the token name different users')
  return user
}
