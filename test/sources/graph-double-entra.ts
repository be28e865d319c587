import { constants, createHash, randomUUID, sign, X509Certificate } from 'node:crypto'
import t from 'tap'
import rows from '../fixtures/graph-double/token-errors.json' with { type: 'json' }
import { rsaCertificate } from '../support/graph-double/rsa-certificate.ts'
import { defaults } from '../support/graph-double/scenario.ts'
import { goodForm, postForm, signIn, type Asked } from '../support/graph-double/sign-in.ts'
import { startGraphDouble } from '../support/graph-double/start-graph-double.ts'

interface EntraError {
  readonly error: string
  readonly error_description: string
  readonly error_codes: readonly number[]
}

function codeOf(answer: Asked): number | undefined {
  return (answer.json() as Partial<EntraError>).error_codes?.[0]
}

void t.test('refuses a token in the words of Entra', async (t) => {
  const secrets = [{ value: defaults.clientSecret }, { value: 'old', expired: true }]
  const double = await startGraphDouble({ apps: [{ secrets }] })
  t.teardown(double.stop)
  for (const { what, tenant, form, status, error, code } of rows) {
    await t.test(what, async (t) => {
      const answer = await postForm(double, { ...goodForm, ...form }, tenant)
      const body = answer.json() as EntraError
      t.equal(answer.status, status)
      t.match(body, { error, error_codes: [code] })
      t.match(body.error_description, new RegExp(`^AADSTS${code}: .* Trace ID: .* Timestamp: `))
    })
  }
  await t.test('and gives one for a good secret, by the name of the tenant too', async (t) => {
    for (const tenant of [defaults.tenantId, defaults.domain]) {
      const answer = await postForm(double, goodForm, tenant)
      t.match(answer.json(), {
        token_type: 'Bearer',
        expires_in: 3599,
        access_token: /^[\w-]+\.[\w-]+\.[\w-]+$/,
      })
    }
  })
})

void t.test('checks an assertion', async (t) => {
  const [good, other] = ['app', 'other'].map((name) => rsaCertificate(t.testdir(), name))
  if (good === undefined || other === undefined) {
    t.pass('skipped: no openssl here')
    return
  }
  const double = await startGraphDouble({ apps: [{ secrets: [], certificates: [good.cert] }] })
  t.teardown(double.stop)
  const { fingerprint256, raw } = new X509Certificate(good.cert)
  const nowSeconds = Math.floor(Date.now() / 1000)
  const goodHeader = {
    alg: 'PS256',
    typ: 'JWT',
    'x5t#S256': createHash('sha256').update(raw).digest('base64url'),
  }
  const goodClaims = () => ({
    aud: `${double.url}/${defaults.tenantId}/oauth2/v2.0/token`,
    iss: defaults.clientId,
    sub: defaults.clientId,
    jti: randomUUID(),
    nbf: nowSeconds,
    exp: nowSeconds + 300,
  })
  const post = (header: object, claims: object, key = good.key) => {
    const parts = [header, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.')
    const signature = sign('sha256', Buffer.from(parts), {
      key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    })
    return postForm(double, {
      grant_type: goodForm.grant_type,
      client_id: goodForm.client_id,
      scope: goodForm.scope,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: `${parts}.${signature.toString('base64url')}`,
    })
  }
  t.equal((await post(goodHeader, goodClaims())).status, 200)
  const byKid = { alg: 'PS256', kid: fingerprint256.replaceAll(':', '').toLowerCase() }
  t.equal((await post(byKid, goodClaims())).status, 200)

  const claims = goodClaims()
  await post(goodHeader, claims)
  t.equal(codeOf(await post(goodHeader, claims)), 50027, 'an id that was used')
  t.equal(codeOf(await post({ ...goodHeader, alg: 'RS256' }, goodClaims())), 700027, 'another algorithm')
  t.equal(codeOf(await post({ alg: 'PS256' }, goodClaims())), 700027, 'no key named')
  t.equal(codeOf(await post(goodHeader, goodClaims(), other.key)), 700027, 'signed by another key')
  const wrong = (changes: object) => post(goodHeader, { ...goodClaims(), ...changes })
  t.equal(codeOf(await wrong({ aud: double.url })), 700023)
  t.equal(codeOf(await wrong({ iss: randomUUID() })), 700021)
  t.equal(codeOf(await wrong({ sub: randomUUID() })), 700021)
  t.equal(codeOf(await wrong({ exp: nowSeconds - 1 })), 700024)
  t.equal(codeOf(await wrong({ nbf: nowSeconds + 900 })), 700024)
  t.equal(codeOf(await wrong({ jti: undefined })), 50027)
})

void t.test('tokens end by the clock or by order', async (t) => {
  const double = await startGraphDouble({ behaviour: { token: { lifetimeSeconds: 60 } } })
  t.teardown(double.stop)
  const path = '/v1.0/deviceManagement/managedDevices'
  const first = await signIn(double)
  t.equal((await first(path)).status, 200)
  await double.advanceClock(60)
  const late = await first(path)
  t.equal(late.status, 401)
  t.match(late.json(), { error: { code: 'InvalidAuthenticationToken', message: /expired/ } })
  t.ok(late.headers['www-authenticate'])
  const second = await signIn(double)
  await double.expireTokens()
  t.equal((await second(path)).status, 401)
  t.equal((await second(path, { headers: { authorization: '' } })).status, 401)
})

void t.test('permissions are those of the app when it got the token', async (t) => {
  const double = await startGraphDouble()
  t.teardown(double.stop)
  const before = await signIn(double)
  await double.changeApp(defaults.clientId, { permissions: [] })
  const after = await signIn(double)
  t.equal((await before('/v1.0/users')).status, 200)
  const directory = await after('/v1.0/users')
  t.equal(directory.status, 403)
  t.match(directory.json(), { error: { code: 'Authorization_RequestDenied' } })

  const message = async () => {
    const answer = await after('/v1.0/deviceManagement/managedDevices')
    t.equal(answer.status, 403)
    return (answer.json() as { error: { code: string; message: string } }).error
  }
  const forbidden = await message()
  t.equal(forbidden.code, 'Forbidden')
  t.match(JSON.parse(forbidden.message), { Message: /DeviceManagementManagedDevices\.Read\.All/ })
  await double.behave({ forbidden: 'unknown-error' })
  const unknown = await message()
  t.equal(unknown.code, 'UnknownError')
  const inner = JSON.parse(unknown.message) as { ErrorCode: string; Message: string }
  t.equal(inner.ErrorCode, 'Forbidden')
  t.match(JSON.parse(inner.Message), { Message: /DeviceManagementManagedDevices\.Read\.All/ })
})
