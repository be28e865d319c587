import { constants, generateKeyPairSync, verify, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { createAssertion } from '#sources/intune/client-assertion.ts'
import { rsaCertificate, skipWithoutOpenssl } from '../../support/rsa-certificate.ts'

function pemOf(t: Test) {
  const { keyFile, certificateFile } = rsaCertificate(t)
  return { keyPem: readFileSync(keyFile, 'utf8'), certificatePem: readFileSync(certificateFile, 'utf8') }
}

const shared = {
  clientId: '5c1d2b8a-0e57-4f5e-8a3d-2f0c9b7e4d21',
  audience: 'https://login.example/t/oauth2/v2.0/token',
  now: 1_700_000_000_000,
}

const skip = skipWithoutOpenssl

void t.test('an assertion names app, endpoint and certificate, and is signed PS256', { skip }, async (t) => {
  const pair = pemOf(t)
  const [header = '', claims = '', signature = ''] = createAssertion({ ...pair, ...shared }).split('.')
  const certificate = new X509Certificate(pair.certificatePem)
  const thumbprint = Buffer.from(certificate.fingerprint256.replaceAll(':', ''), 'hex').toString('base64url')
  t.strictSame(JSON.parse(Buffer.from(header, 'base64url').toString()), {
    alg: 'PS256',
    typ: 'JWT',
    'x5t#S256': thumbprint,
  })
  t.match(JSON.parse(Buffer.from(claims, 'base64url').toString()), {
    aud: shared.audience,
    iss: shared.clientId,
    sub: shared.clientId,
    jti: /^[0-9a-f-]{36}$/,
    iat: 1_700_000_000,
    nbf: 1_699_999_940,
    exp: 1_700_000_600,
  })
  const key = {
    key: certificate.publicKey,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  }
  t.ok(verify('sha256', Buffer.from(`${header}.${claims}`), key, Buffer.from(signature, 'base64url')))
})

void t.test('no two assertions are alike', { skip }, async (t) => {
  const pair = pemOf(t)
  t.not(createAssertion({ ...pair, ...shared }), createAssertion({ ...pair, ...shared }))
})

void t.test('a pair that cannot be used is told', { skip }, async (t) => {
  const pair = pemOf(t)
  const pem = {
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  } as const
  const other = generateKeyPairSync('rsa', { modulusLength: 2048, ...pem })
  const curve = generateKeyPairSync('ec', { namedCurve: 'P-256', ...pem })
  const refused = (parts: Partial<typeof pair>, message: RegExp) =>
    t.throws(() => createAssertion({ ...pair, ...shared, ...parts }), {
      code: 'CREDENTIAL_UNREADABLE',
      message,
    })
  refused({ keyPem: other.privateKey }, /not the key of clientCertificateFile/)
  refused({ keyPem: curve.privateKey }, /not an RSA key/)
  refused({ keyPem: 'x' }, /no PEM/)
  refused({ certificatePem: 'x' }, /no PEM/)
})
