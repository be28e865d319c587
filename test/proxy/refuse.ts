import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { commandNames } from '#eas/commands.ts'
import { decodeWbxml } from '#eas/wbxml/decode.ts'
import type { FactsRecord } from '#directory/record.ts'
import type { Sighting } from '#directory/sightings.ts'
import { basic, command, requestBytes, send, wbxml, type Sent } from '../support/eas-request.ts'
import { sighting } from '../support/directory-store.ts'
import { wireClient, type WireAnswer } from '../support/http-answer.ts'
import { largeLength, writeLarge } from '../support/large-body.ts'
import { recordingUpstream, usualReply, type Reply } from '../support/recording-upstream.ts'
import { folderSyncRequest, textAt } from '../support/simulated-phone.ts'
import { testProxy, type TestProxySettings } from '../support/test-proxy.ts'

const alice = { user: 'alice@example.com', enrolled: true, registered: true } as const
const blocked: FactsRecord = { ...alice, deviceId: 'BLOCKED', complianceState: 'noncompliant' }
const allowed: FactsRecord = { ...alice, deviceId: 'ALLOWED', complianceState: 'compliant' }
const wiped: FactsRecord = { ...allowed, deviceId: 'WIPED', wipePending: true }
const bob: FactsRecord = { ...alice, user: 'bob@example.com', deviceId: 'BOBS', complianceState: 'compliant' }

const challenges = [
  'Negotiate, NTLM, Basic realm="mail"',
  'Bearer authorization_uri="https://login.example.com/"',
]
const passedChallenges = ['Basic realm="mail"', 'Bearer authorization_uri="https://login.example.com/"']

/** Knows the password `demo`; 401 to all else. */
const login: Reply = (request, res) => {
  const { authorization = '' } = request.headers
  const credential = Buffer.from(authorization.replace('Basic ', ''), 'base64').toString()
  if (credential.endsWith(':demo')) return usualReply(request, res)
  res.writeHead(401, { 'WWW-Authenticate': challenges, 'X-Powered-By': 'ASP.NET' }).end()
}

async function enforcing(t: Test, settings: Partial<TestProxySettings> & { readonly reply?: Reply } = {}) {
  const { reply = login, ...rest } = settings
  const upstream = await recordingUpstream(t, reply)
  const proxy = await testProxy(t, {
    servers: [upstream.url],
    policy: {},
    facts: [blocked, allowed, wiped, bob],
    ...rest,
  })
  /** What reached the backend beside the proofs. */
  const forwarded = () => upstream.requests.filter(({ method }) => method !== 'OPTIONS').map(({ url }) => url)
  return { upstream, proxy, forwarded }
}

const version = (text: string) => ['MS-ASProtocolVersion: ' + text]
const brief = ({ status, body }: WireAnswer) => [status, body.toString('hex')]

interface Refusals {
  readonly bodies: Readonly<Record<string, Readonly<Record<'129' | '142', string>>>>
}
const { bodies } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/proxy/refusals.json'), 'utf8'),
) as Refusals
const folderSync129 = bodies['FolderSync']?.['129'] ?? ''
const folderSync142 = bodies['FolderSync']?.['142'] ?? ''

// --- what is told

void t.test(
  'a refused device gets nothing from Exchange, by any command, at any version (T-01, T-10)',
  async (t) => {
    const { proxy, forwarded, upstream } = await enforcing(t)
    for (const name of commandNames) {
      const now = await send(t, proxy, { query: command(name, 'BLOCKED'), headers: version('16.1') })
      const hex = bodies[name]?.['129']
      t.strictSame(brief(now), hex === undefined ? [403, ''] : [200, hex], name)
      const old = await send(t, proxy, { query: command(name, 'BLOCKED') })
      t.strictSame(brief(old), [403, ''], `${name} without a version`)
    }
    t.strictSame(forwarded(), [])
    t.equal(upstream.requests.length, 1, 'one proof serves for all')
    for (const outcome of proxy.outcomes) {
      t.match(outcome, {
        action: 'block',
        reason: 'noncompliant',
        rule: 'compliance',
        mode: 'enforce',
        server: undefined,
      })
    }
  },
)

void t.test('an unknown device and a blocked one look alike to who cannot log in (T-20)', async (t) => {
  const { proxy, forwarded } = await enforcing(t)
  const answers: unknown[] = []
  for (const deviceId of ['UNKNOWN', 'BLOCKED', 'WIPED', 'BOBS']) {
    const answer = await send(t, proxy, {
      query: command('FolderSync', deviceId),
      authorization: basic('alice', 'wrong'),
      headers: version('16.1'),
    })
    answers.push([
      answer.status,
      answer.body.toString(),
      answer.headerLines.filter((line) => !line.startsWith('Date:')),
    ])
  }
  for (const answer of answers) t.strictSame(answer, answers[0])
  t.strictSame(answers[0], [
    401,
    '',
    [
      ...passedChallenges.map((challenge) => `WWW-Authenticate: ${challenge}`),
      'Content-Length: 0',
      'Cache-Control: private',
      'Connection: keep-alive',
      'Keep-Alive: timeout=120',
    ],
  ])
  for (const outcome of proxy.outcomes) {
    t.match(outcome, { action: 'reject', reason: 'credentials-refused', status: 401 })
  }
  t.strictSame(
    proxy.sightings,
    [undefined, undefined, undefined, undefined],
    'nothing is remembered of them (T-56)',
  )
  t.strictSame(forwarded(), [])
})

void t.test('where the backend proves nothing, no refusal is told either', async (t) => {
  for (const status of [500, 503, 302, 404]) {
    const { proxy } = await enforcing(t, { reply: (_request, res) => void res.writeHead(status).end() })
    const answer = await send(t, proxy, { query: command('FolderSync', 'BLOCKED'), headers: version('16.1') })
    t.strictSame([answer.status, answer.header('retry-after')], [503, '60'])
    t.match(await proxy.outcome(0), { action: 'unavailable', reason: 'upstream-unavailable', status: 503 })
    t.equal(proxy.sightings[0], undefined)
  }
})

void t.test('a corrected password passes at once', async (t) => {
  const { proxy } = await enforcing(t)
  const attempt = (password: string) =>
    send(t, proxy, {
      query: command('FolderSync', 'BLOCKED'),
      authorization: basic('alice', password),
      headers: version('16.1'),
    })
  t.equal((await attempt('wrong')).status, 401)
  t.equal((await attempt('demo')).status, 200)
  t.equal(
    (await attempt('wrong')).status,
    401,
    'and what is remembered of the right one is not of the wrong one',
  )
})

void t.test('an unknown device of a known user gets the quarantine mailbox', async (t) => {
  const { proxy, forwarded } = await enforcing(t)
  const folderSync = { query: command('FolderSync', 'UNKNOWN'), headers: version('14.1') }
  const { body } = await send(t, proxy, { ...folderSync, body: wbxml(folderSyncRequest('0')) })
  t.equal(textAt(decodeWbxml(body), 'FolderHierarchy:Status'), '1')
  t.match(await proxy.outcome(0), { action: 'quarantine', reason: 'not-enrolled', status: 200 })
  t.strictSame(forwarded(), [])
})

void t.test('the id of another user is refused (T-14)', async (t) => {
  const { proxy, forwarded } = await enforcing(t)
  await send(t, proxy, { query: command('FolderSync', 'BOBS'), headers: version('14.1') })
  t.match(await proxy.outcome(0), { reason: 'owner-mismatch' })
  t.strictSame(forwarded(), [])
})

void t.test('before the sources were read, an unknown device is asked to come back (T-57)', async (t) => {
  const upstream = await recordingUpstream(t, login)
  const proxy = await testProxy(t, { servers: [upstream.url], policy: {} })
  const answer = await send(t, proxy, { query: command('FolderSync', 'ANY'), headers: version('14.1') })
  t.strictSame([answer.status, answer.header('retry-after')], [503, '60'])
  t.match(await proxy.outcome(0), { action: 'unavailable', reason: 'source-unavailable' })
})

void t.test('a credential and a User= of two known people are refused, after the proof (T-15)', async (t) => {
  const { proxy, forwarded } = await enforcing(t)
  const sent: Sent = { query: command('FolderSync', 'ALLOWED', 'bob'), headers: version('14.1') }
  t.equal((await send(t, proxy, sent)).status, 400)
  t.match(await proxy.outcome(0), { action: 'reject', reason: 'user-mismatch', status: 400 })
  t.equal((await send(t, proxy, { ...sent, authorization: basic('alice', 'wrong') })).status, 401)
  t.strictSame(forwarded(), [])
})

void t.test('a refusal of a large upload reaches the client that is still sending (T-36)', async (t) => {
  const { proxy, forwarded } = await enforcing(t)
  const client = await wireClient(t, proxy.port)
  client.write(
    requestBytes({
      query: command('SendMail', 'BLOCKED'),
      headers: [...version('16.1'), `Content-Length: ${largeLength}`],
    }),
  )
  writeLarge(client.socket)
  const answer = await client.answer()
  t.equal(answer.body.toString('hex'), bodies['SendMail']?.['129'])
  t.equal(answer.header('connection'), 'close')
  await client.ended
  t.strictSame(forwarded(), [])
})

void t.test('a refused request is not told to go on with its body (T-36)', async (t) => {
  const { proxy } = await enforcing(t)
  const client = await wireClient(t, proxy.port)
  const headers = [...version('16.1'), 'Expect: 100-continue', 'Content-Length: 1000']
  client.write(requestBytes({ query: command('SendMail', 'BLOCKED'), headers }))
  const answer = await client.answer()
  t.equal(answer.status, 200, 'no 100 before it')
  t.equal(answer.body.toString('hex'), bodies['SendMail']?.['129'])
})

void t.test('a small refused body leaves the connection for the next request', async (t) => {
  const { proxy } = await enforcing(t)
  const client = await wireClient(t, proxy.port)
  for (const deviceId of ['BLOCKED', 'ALLOWED', 'BLOCKED']) {
    client.write(
      requestBytes({ query: command('FolderSync', deviceId), headers: version('16.1'), body: 'body' }),
    )
    const answer = await client.answer()
    t.equal(answer.body.toString('hex') === folderSync129, deviceId === 'BLOCKED', 'each is decided (T-38)')
  }
})

// --- no credential

void t.test(
  'without a usable credential the backend is asked, and its challenges are relayed (T-16)',
  async (t) => {
    const { proxy, upstream, forwarded } = await enforcing(t)
    const cases = [
      [null, undefined],
      ['Authorization: Bearer', 'Bearer'],
      // these authenticate a connection, and ours to the backend serve many users: T-18
      ['Authorization: NTLM TlRMTVNTUAABAAAA', undefined],
      ['Authorization: Negotiate YIIJ', undefined],
    ] as const
    for (const [index, [authorization, passed]] of cases.entries()) {
      const answer = await send(t, proxy, { query: command('Sync', 'ALLOWED'), authorization, body: 'body' })
      t.equal(answer.status, 401)
      t.strictSame(
        answer.headerLines.filter((line) => line.startsWith('WWW-Authenticate')),
        passedChallenges.map((challenge) => `WWW-Authenticate: ${challenge}`),
      )
      const asked = upstream.requests[index]
      t.strictSame([asked?.method, asked?.url], ['OPTIONS', '/Microsoft-Server-ActiveSync'])
      t.equal(asked?.headers.authorization, passed)
      t.match(proxy.outcomes[index], { action: 'reject', reason: 'credentials-refused', status: 401 })
    }
    t.strictSame(forwarded(), [])
  },
)

void t.test('OPTIONS without a credential is relayed likewise', async (t) => {
  const { proxy } = await enforcing(t)
  const answer = await send(t, proxy, { method: 'OPTIONS', authorization: null })
  t.equal(answer.status, 401)
  t.equal(answer.header('www-authenticate'), passedChallenges.join(', '))
})

void t.test('nobody is let in by a backend that asks no credential', async (t) => {
  const { proxy } = await enforcing(t, { reply: usualReply })
  const answer = await send(t, proxy, { query: command('Sync', 'ALLOWED'), authorization: null })
  t.equal(answer.status, 503)
  t.match(await proxy.outcome(0), { action: 'unavailable', reason: 'upstream-unavailable' })
})

// --- Provision

void t.test('Provision of a pair that never had mail is answered by us', async (t) => {
  const { proxy, forwarded } = await enforcing(t)
  const ask = (deviceId: string) =>
    send(t, proxy, { query: command('Provision', deviceId), headers: version('14.1') })
  t.strictSame(brief(await ask('BLOCKED')), [200, bodies['Provision']?.['129']])
  const quarantined = await ask('UNKNOWN')
  t.equal(textAt(decodeWbxml(quarantined.body), 'Provision:Status'), '2', 'as a mailbox would')
  t.strictSame(forwarded(), [])
})

/** That Exchange served this pair mail. */
function served(deviceId: string, fields: Partial<Sighting> = {}): Sighting {
  return sighting({ deviceId, deviceKey: deviceId.toLowerCase(), allowed: true, at: Date.now(), ...fields })
}

void t.test(
  'Provision of a pair that had mail, or is to be wiped, reaches Exchange: a wipe may wait there',
  async (t) => {
    const { proxy, forwarded } = await enforcing(t)
    await proxy.store.recordSightings([served('BLOCKED')])
    for (const deviceId of ['BLOCKED', 'WIPED']) {
      const query = command('Provision', deviceId)
      t.equal((await send(t, proxy, { query, headers: version('14.1') })).status, 200)
      t.equal(forwarded().at(-1), `/Microsoft-Server-ActiveSync?${query}`)
    }
    t.match(proxy.outcomes, [
      { action: 'block', reason: 'noncompliant', command: 'Provision', status: 200 },
      { action: 'block', reason: 'wipe-pending', command: 'Provision', status: 200 },
    ])
    t.equal(proxy.sightings[0]?.allowed, false, 'and is no mail')
  },
)

void t.test('Provision in the name of another is not let through by that (T-15)', async (t) => {
  const { proxy, forwarded } = await enforcing(t)
  await proxy.store.recordSightings([served('ALLOWED')])
  const answer = await send(t, proxy, {
    query: command('Provision', 'ALLOWED', 'bob'),
    headers: version('14.1'),
  })
  t.equal(answer.status, 400)
  t.strictSame(forwarded(), [])
})

void t.test('a Provision that may bring a wipe is not ended by a change', async (t) => {
  const begun = Promise.withResolvers<void>()
  const { proxy, upstream } = await enforcing(t, {
    reply: async (request, res) => {
      await begun.promise
      await usualReply(request, res)
    },
  })
  await proxy.store.recordSightings([served('BLOCKED'), served('ALLOWED')])
  const answers = ['BLOCKED', 'ALLOWED'].map((deviceId) =>
    send(t, proxy, { query: command('Provision', deviceId), headers: version('14.1') }),
  )
  await upstream.request(1)
  await proxy.know({ ...allowed, complianceState: 'noncompliant' })
  proxy.setPolicy({})
  begun.resolve()
  for (const answer of await Promise.all(answers))
    t.equal(answer.header('content-type'), 'application/vnd.ms-sync.wbxml')
  t.equal((await proxy.metrics.revocations.get()).values[0]?.value, 0)
})

// --- asked to provision

void t.test('a refused pair that holds mail is asked to provision once, then at most daily', async (t) => {
  let now = Date.now()
  const { proxy } = await enforcing(t, { now: () => now })
  await proxy.store.recordSightings([served('BLOCKED'), served('OLD')])
  const ask = async (headers = version('14.1'), deviceId = 'BLOCKED') =>
    brief(await send(t, proxy, { query: command('FolderSync', deviceId), headers }))
  t.strictSame(await ask(), [200, folderSync142])
  t.strictSame(await ask(), [200, folderSync129])
  now += 24 * 60 * 60 * 1000 - 1
  t.strictSame(await ask(), [200, folderSync129])
  now += 1
  t.strictSame(await ask(), [200, folderSync142])
  t.strictSame(await ask([], 'OLD'), [449, ''], 'below 14.0 by HTTP')
  t.not((await ask([], 'OLD'))[0], 449, 'and then its quarantine begins')
  t.strictSame(
    proxy.sightings.map((seen) => seen?.provisionAsked),
    [true, false, false, true, true, false],
  )
  for (const outcome of proxy.outcomes) t.match(outcome, { action: /block|quarantine/ })
})

void t.test('what another worker asked, as the store tells, is not asked again', async (t) => {
  const { proxy } = await enforcing(t)
  await proxy.store.recordSightings([served('BLOCKED', { provisionAsked: true })])
  const answer = await send(t, proxy, { query: command('FolderSync', 'BLOCKED'), headers: version('14.1') })
  t.strictSame(brief(answer), [200, folderSync129])
})

void t.test('a pair to be wiped is asked, one that never had mail is not', async (t) => {
  const { proxy } = await enforcing(t)
  const ask = async (deviceId: string) =>
    brief(await send(t, proxy, { query: command('FolderSync', deviceId), headers: version('14.1') }))
  t.strictSame(await ask('WIPED'), [200, folderSync142])
  t.strictSame(await ask('BLOCKED'), [200, folderSync129])
})

void t.test('who cannot log in takes no turn', async (t) => {
  const { proxy } = await enforcing(t)
  await proxy.store.recordSightings([served('BLOCKED')])
  const query = command('FolderSync', 'BLOCKED')
  await send(t, proxy, { query, authorization: basic('alice', 'wrong'), headers: version('14.1') })
  t.strictSame(brief(await send(t, proxy, { query, headers: version('14.1') })), [200, folderSync142])
})

void t.test('what is not the device’s own fault asks nothing of it', async (t) => {
  const unknownState: FactsRecord = { ...alice, deviceId: 'ODD', complianceState: 'unknown' }
  const { proxy } = await enforcing(t, { facts: [unknownState] })
  await proxy.store.recordSightings([served('ODD')])
  const answer = await send(t, proxy, { query: command('FolderSync', 'ODD'), headers: version('14.1') })
  t.equal(answer.status, 503, 'it keeps its mail and comes back')
  t.match(await proxy.outcome(0), { action: 'unavailable', reason: 'compliance-unknown' })
})
