import { constants, createPrivateKey, randomUUID, sign, X509Certificate, type KeyObject } from 'node:crypto'
import { GraphError, reasonOf } from './graph-error.ts'

/** What an assertion says and is signed with. */
export interface AssertionInput {
  readonly certificatePem: string
  readonly keyPem: string
  readonly clientId: string
  /** URL of the token endpoint. */
  readonly audience: string
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Entra takes an assertion for at most this long; clocks may differ by the leeway. */
const lifetimeSeconds = 600
const leewaySeconds = 60

/**
 * The JWT by which an app proves that it holds the key of its certificate: PS256, the certificate named by its SHA-256
 * thumbprint. RFC 7523 3, RFC 7515 4.1.8
 * @throws {GraphError} CREDENTIAL_UNREADABLE
 */
export function createAssertion({ certificatePem, keyPem, clientId, audience, now }: AssertionInput): string {
  const { key, thumbprint } = readPair(certificatePem, keyPem)
  const issuedAt = Math.floor(now / 1000)
  const header = { alg: 'PS256', typ: 'JWT', 'x5t#S256': thumbprint }
  const claims = {
    aud: audience,
    iss: clientId,
    sub: clientId,
    jti: randomUUID(),
    iat: issuedAt,
    nbf: issuedAt - leewaySeconds,
    exp: issuedAt + lifetimeSeconds,
  }
  const signed = `${encoded(header)}.${encoded(claims)}`
  const signature = sign('sha256', Buffer.from(signed), {
    key,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  })
  return `${signed}.${signature.toString('base64url')}`
}

function encoded(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

function readPair(
  certificatePem: string,
  keyPem: string,
): { readonly key: KeyObject; readonly thumbprint: string } {
  let certificate: X509Certificate
  let key: KeyObject
  try {
    certificate = new X509Certificate(certificatePem)
    key = createPrivateKey(keyPem)
  } catch (cause) {
    throw new GraphError(
      'CREDENTIAL_UNREADABLE',
      `the client certificate or its key is no PEM: ${reasonOf(cause)}`,
      {
        cause,
      },
    )
  }
  if (key.asymmetricKeyType !== 'rsa') {
    throw new GraphError('CREDENTIAL_UNREADABLE', 'the key of the client certificate is not an RSA key')
  }
  if (!certificate.checkPrivateKey(key)) {
    throw new GraphError('CREDENTIAL_UNREADABLE', 'clientKeyFile is not the key of clientCertificateFile')
  }
  const thumbprint = Buffer.from(certificate.fingerprint256.replaceAll(':', ''), 'hex').toString('base64url')
  return { key, thumbprint }
}
