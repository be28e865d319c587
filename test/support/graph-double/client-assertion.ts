import { constants, verify, X509Certificate } from 'node:crypto'
import type { EntraError } from './entra-errors.ts'

/** What an assertion must name. */
export interface Expected {
  /** PEM of the certificates that the app has. */
  readonly certificates: readonly string[]
  /** URL of the token endpoint. */
  readonly audiences: readonly string[]
  readonly clientId: string
  readonly nowSeconds: number
  /** Of the assertions taken before. */
  readonly usedIds: Set<string>
}

const skewSeconds = 300

/** Checks a JWT signed PS256 with the key of a certificate; gives what is wrong with it. RFC 7523, RFC 7515 */
export function assertionError(assertion: string, expected: Expected): EntraError | undefined {
  const { certificates, audiences, clientId, nowSeconds, usedIds } = expected
  const [headerPart = '', claimsPart = '', signature, ...rest] = assertion.split('.')
  const [header, claims] = [jsonOf(headerPart), jsonOf(claimsPart)]
  if (header === undefined || claims === undefined || signature === undefined || rest.length > 0) {
    return { code: 50027, text: 'JWT token is invalid or malformed.' }
  }
  if (header['alg'] !== 'PS256' || (header['typ'] !== undefined && header['typ'] !== 'JWT')) {
    return {
      code: 700027,
      text: 'Client assertion contains an invalid signature. [Reason - The algorithm is not allowed.]',
    }
  }
  const certificate = certificates
    .map((pem) => new X509Certificate(pem))
    .find((known) => isNamed(known, header))
  if (certificate === undefined) {
    return {
      code: 700027,
      text: 'Client assertion contains an invalid signature. [Reason - The key was not found.]',
    }
  }
  const key = {
    key: certificate.publicKey,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  }
  const signed = Buffer.from(`${headerPart}.${claimsPart}`)
  if (!verify('sha256', signed, key, Buffer.from(signature, 'base64url'))) {
    const text =
      'Client assertion contains an invalid signature. [Reason - The provided signature value did not match.]'
    return { code: 700027, text }
  }
  const { aud, iss, sub, jti, exp, nbf } = claims
  if (typeof aud !== 'string' || !audiences.includes(aud)) {
    return { code: 700023, text: 'Client assertion audience claim does not match Realm issuer.' }
  }
  if (iss !== clientId || sub !== clientId) {
    return {
      code: 700021,
      text: "Client assertion application identifier doesn't match 'client_id' parameter.",
    }
  }
  const isStarted = nbf === undefined || (typeof nbf === 'number' && nbf <= nowSeconds + skewSeconds)
  if (typeof exp !== 'number' || exp <= nowSeconds || !isStarted) {
    return { code: 700024, text: 'Client assertion is not within its valid time range.' }
  }
  if (typeof jti !== 'string' || jti === '' || usedIds.has(jti)) {
    return { code: 50027, text: "JWT token is invalid or malformed: 'jti' is missing or was used before." }
  }
  usedIds.add(jti)
  return undefined
}

/** By the thumbprint of SHA-256 in x5t#S256, or one in hex as `kid`. */
function isNamed(certificate: X509Certificate, header: Readonly<Record<string, unknown>>): boolean {
  const { fingerprint, fingerprint256 } = certificate
  if (header['x5t#S256'] !== undefined) {
    return header['x5t#S256'] === Buffer.from(hex(fingerprint256), 'hex').toString('base64url')
  }
  const { kid } = header
  return typeof kid === 'string' && [hex(fingerprint), hex(fingerprint256)].includes(kid.toUpperCase())
}

function hex(fingerprint: string): string {
  return fingerprint.replaceAll(':', '')
}

function jsonOf(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : undefined
  } catch {
    return undefined
  }
}
