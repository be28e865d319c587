import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemClock, type Clock } from '#sources/clock.ts'
import { reasonOf } from '#sources/intune/graph-error.ts'
import { createTokens, type TokensOptions } from '#sources/intune/token.ts'
import { createTransport, type HttpRequest } from '#sources/intune/transport.ts'
import { defaults, type ScenarioInput } from '../../support/graph-double/scenario.ts'
import { startGraphDouble } from '../../support/graph-double/start-graph-double.ts'
import { manualClock } from '../../support/manual-clock.ts'
import { rsaCertificate, skipWithoutOpenssl, temporaryFolder } from '../../support/rsa-certificate.ts'

const { signal } = new AbortController()

async function entra(t: Test, scenario: ScenarioInput = {}, options: Partial<TokensOptions> = {}) {
  const file = join(temporaryFolder(t), 'secret')
  writeFileSync(file, `${defaults.clientSecret}\n`)
  const double = await startGraphDouble(scenario)
  const transport = createTransport()
  t.teardown(async () => {
    await transport.close()
    await double.stop()
  })
  const tokens = createTokens({
    tenantId: defaults.tenantId,
    clientId: defaults.clientId,
    graphUrl: double.url,
    authorityUrl: double.url,
    credential: { kind: 'secret', file },
    transport,
    clock: systemClock,
    now: Date.now,
    random: () => 0,
    ...options,
  })
  return { double, tokens, file }
}

interface TokenAnswer {
  readonly status: number
  readonly body: unknown
}

/** A token endpoint that answers as the test says, with a clock that it moves. */
function scripted(t: Test, answers: readonly (() => TokenAnswer | Promise<TokenAnswer>)[], clock: Clock) {
  const file = join(temporaryFolder(t), 'secret')
  writeFileSync(file, 'secret')
  const asked: HttpRequest[] = []
  const waiting = answers.values()
  const tokens = createTokens({
    tenantId: 'contoso.example',
    clientId: defaults.clientId,
    graphUrl: 'https://graph.example',
    authorityUrl: 'https://login.example',
    credential: { kind: 'secret', file },
    transport: {
      send: async (request) => {
        asked.push(request)
        const { status, body } = (await waiting.next().value?.()) ?? { status: 500, body: {} }
        return { status, headers: {}, body: Buffer.from(JSON.stringify(body)) }
      },
    },
    clock,
    now: () => 0,
    random: () => 1,
  })
  return { tokens, asked, ask: () => tokens.token(signal) }
}

const good =
  (token: string, seconds = 3600) =>
  () => ({
    status: 200,
    body: { token_type: 'Bearer', expires_in: seconds, access_token: token },
  })
const refused = () => ({
  status: 401,
  body: { error: 'invalid_client', error_description: 'AADSTS7000215: no.', error_codes: [7000215] },
})

void t.test('a secret gives a token, asked for once however many wait', async (t) => {
  const { double, tokens } = await entra(t)
  const [one, other] = await Promise.all([tokens.token(signal), tokens.token(signal)])
  t.equal(one, other)
  t.match(one, /^[\w-]+\.[\w-]+\.[\w-]+$/)
  t.equal(await tokens.token(signal), one)
  t.equal((await double.counts()).routes.token?.requests, 1)
})

void t.test('a certificate gives a token', { skip: skipWithoutOpenssl }, async (t) => {
  const { keyFile, certificateFile } = rsaCertificate(t)
  const credential = { kind: 'certificate', certificateFile, keyFile } as const
  const certificates = [readFileSync(certificateFile, 'utf8')]
  const { tokens } = await entra(t, { apps: [{ certificates, secrets: [] }] }, { credential })
  t.ok(await tokens.token(signal))
  const unknown = await entra(t, { apps: [{ certificates: [], secrets: [] }] }, { credential })
  await t.rejects(unknown.tokens.token(signal), {
    code: 'TOKEN_REFUSED',
    message: /does not know the certificate: upload the one of clientCertificateFile/,
  })
})

void t.test('each thing that Entra refuses is told with what to do', async (t) => {
  const cases: readonly (readonly [ScenarioInput, Partial<TokensOptions>, RegExp])[] = [
    [{}, { tenantId: 'other.example' }, /no tenant other\.example: check tenantId.*\(AADSTS90002/],
    [{}, { clientId: 'a0000000-0000-4000-8000-000000000001' }, /no app a0000000.*check clientId/],
    [{ apps: [{ secrets: [{ value: 'other' }] }] }, {}, /wrong: put the secret's value, not its id/],
    [
      { apps: [{ secrets: [{ value: defaults.clientSecret, expired: true }] }] },
      {},
      /has expired: make a new one/,
    ],
  ]
  for (const [scenario, options, message] of cases) {
    const { tokens } = await entra(t, scenario, options)
    await t.rejects(tokens.token(signal), { code: 'TOKEN_REFUSED', message }, String(message))
    const told = await tokens.token(signal).catch(reasonOf)
    t.notMatch(told, /Trace ID|Q~double/)
  }
})

void t.test('a secret that cannot be read is told, and read again when it is there', async (t) => {
  const clock = manualClock()
  const { tokens, file } = await entra(t, {}, { clock })
  rmSync(file)
  await t.rejects(tokens.token(signal), { code: 'CREDENTIAL_UNREADABLE', message: /cannot read .*secret/ })
  writeFileSync(file, ' \n')
  await clock.advance(60_000)
  await t.rejects(tokens.token(signal), { code: 'CREDENTIAL_UNREADABLE', message: /is empty/ })
  writeFileSync(file, defaults.clientSecret)
  await clock.advance(60_000)
  t.ok(await tokens.token(signal))
})

void t.test('what is asked for is a token for Graph, by the client credentials flow', async (t) => {
  const { ask, asked } = scripted(t, [good('T')], manualClock())
  await ask()
  t.match(asked[0], { method: 'POST', url: 'https://login.example/contoso.example/oauth2/v2.0/token' })
  t.strictSame(Object.fromEntries(new URLSearchParams(asked[0]?.body)), {
    client_id: defaults.clientId,
    grant_type: 'client_credentials',
    scope: 'https://graph.example/.default',
    client_secret: 'secret',
  })
})

void t.test('a token is renewed before it ends, and used until then', async (t) => {
  const clock = manualClock()
  const { ask, asked } = scripted(t, [good('one'), good('two')], clock)
  t.equal(await ask(), 'one')
  await clock.advance(3_299_000)
  t.equal(await ask(), 'one')
  t.equal(asked.length, 1)
  await clock.advance(2000)
  t.equal(await ask(), 'one', 'the new one is asked for beside it')
  await clock.advance(0)
  t.equal(await ask(), 'two')
})

void t.test('a token of a short life is not renewed over and over', async (t) => {
  const clock = manualClock()
  const { ask, asked } = scripted(t, [good('one', 60), good('two', 60)], clock)
  await ask()
  await clock.advance(47_000)
  await ask()
  t.equal(asked.length, 1)
})

void t.test('where no new one is to be had, the old one serves until it ends', async (t) => {
  const clock = manualClock()
  const { ask } = scripted(t, [good('one'), refused, good('two')], clock)
  await ask()
  await clock.advance(3_500_000)
  t.equal(await ask(), 'one')
  await clock.advance(0)
  t.equal(await ask(), 'one')
  await clock.advance(100_000)
  t.equal(await ask(), 'two')
})

void t.test('Entra is not asked again at once for what it has refused', async (t) => {
  const clock = manualClock()
  const { ask, asked } = scripted(t, [refused, refused, good('one')], clock)
  await t.rejects(ask(), { code: 'TOKEN_REFUSED' })
  await t.rejects(ask(), { code: 'TOKEN_REFUSED' })
  t.equal(asked.length, 1)
  await clock.advance(1000)
  await t.rejects(ask())
  await clock.advance(1999)
  await t.rejects(ask())
  t.equal(asked.length, 2, 'the pause doubles')
  await clock.advance(1)
  t.equal(await ask(), 'one')
})

void t.test('a discarded token is not used again, a newer one is', async (t) => {
  const { tokens, ask } = scripted(t, [good('one'), good('two')], manualClock())
  await ask()
  tokens.discard('one')
  t.equal(await ask(), 'two')
  tokens.discard('one')
  t.equal(await ask(), 'two')
})

void t.test('an answer that is no token is no token', async (t) => {
  for (const body of [{}, { access_token: 'a b', expires_in: 60 }, { access_token: 'a' }, [], 'x', null]) {
    const { ask } = scripted(t, [() => ({ status: 200, body })], manualClock())
    await t.rejects(ask(), { code: 'GRAPH_BAD_ANSWER' })
  }
  const { ask } = scripted(t, [() => ({ status: 503, body: {} })], manualClock())
  await t.rejects(ask(), { code: 'GRAPH_UNAVAILABLE' })
})

void t.test('who waits for a token can give up, the others get it', async (t) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { tokens } = scripted(t, [() => promise.then(good('one'))], manualClock())
  const abort = new AbortController()
  const given = tokens.token(abort.signal)
  const other = tokens.token(signal)
  abort.abort(new Error('too late'))
  await t.rejects(given, /too late/)
  resolve()
  t.equal(await other, 'one')
})
