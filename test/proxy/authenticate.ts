import t, { type Test } from 'tap'
import { createAuthenticator, type AuthenticatorOptions, type ProofRequest } from '#proxy/authenticate.ts'
import {
  recordingUpstream,
  refusingUrls,
  type RecordingUpstream,
  type Reply,
} from '../support/recording-upstream.ts'
import { testUpstreams } from '../support/test-upstreams.ts'

const basic = (password: string) => `Basic ${Buffer.from(`alice:${password}`).toString('base64')}`

const challenges = [
  'Negotiate',
  'NTLM',
  'Basic realm="mail"',
  'Bearer authorization_uri="https://login.example.com/"',
]

/** The password `right` is right, `slow` is right after a while, everything else is wrong. */
const login: Reply = ({ headers: { authorization } }, res) => {
  if (authorization === basic('right')) res.writeHead(200).end()
  else res.writeHead(401, { 'WWW-Authenticate': challenges }).end()
}

async function authenticator(
  t: Test,
  {
    reply = login,
    servers = [],
    ...options
  }: Partial<AuthenticatorOptions> & {
    readonly reply?: Reply
    readonly servers?: readonly string[]
  } = {},
) {
  const upstream = await recordingUpstream(t, reply)
  const { upstreams, backend } = testUpstreams(t, [...servers, upstream.url])
  const { prove, probe } = createAuthenticator(upstreams, { proofSeconds: 10, ...options })
  const request = (authorization: string | undefined, fields: Partial<ProofRequest> = {}): ProofRequest => ({
    backend,
    user: 'alice@example.com',
    authorization,
    userAgent: 'Apple-iPhone15C2/2105.219',
    ...fields,
  })
  return { upstream, backend, request, prove, probe }
}

function headersOf({ requests }: RecordingUpstream, index: number): string[] {
  return Object.entries(requests[index]?.headers ?? {})
    .map(([name, value]) => `${name}: ${String(value)}`)
    .toSorted()
}

void t.test('asks by a bare OPTIONS with Host, Authorization and User-Agent alone', async (t) => {
  const { upstream, backend, request, prove } = await authenticator(t)
  t.strictSame(await prove(request(basic('right'))), { kind: 'proved' })
  const [asked] = upstream.requests
  t.strictSame([asked?.method, asked?.url], ['OPTIONS', '/Microsoft-Server-ActiveSync'])
  t.strictSame(headersOf(upstream, 0), [
    `authorization: ${basic('right')}`,
    'connection: keep-alive',
    `host: ${backend.servers[0]?.name}`,
    'user-agent: Apple-iPhone15C2/2105.219',
  ])
})

void t.test('a client without User-Agent is asked for without one', async (t) => {
  const { upstream, request, prove } = await authenticator(t)
  await prove(request(basic('right'), { userAgent: undefined }))
  t.equal(upstream.requests[0]?.headers['user-agent'], undefined)
})

void t.test('a 401 gives the challenges without NTLM and Negotiate (T-18)', async (t) => {
  const { request, prove } = await authenticator(t)
  t.strictSame(await prove(request(basic('wrong'))), {
    kind: 'refused',
    challenges: ['Basic realm="mail"', 'Bearer authorization_uri="https://login.example.com/"'],
  })
})

void t.test('any other answer proves nothing', async (t) => {
  for (const status of [302, 400, 403, 404, 449, 451, 456, 500, 503]) {
    const { request, prove } = await authenticator(t, {
      reply: (_request, res) => void res.writeHead(status).end(),
    })
    t.strictSame(await prove(request(basic('right'))), { kind: 'unknown' }, String(status))
  }
  const { request, prove } = await authenticator(t, { reply: (_request, res) => void res.destroy() })
  t.strictSame(await prove(request(basic('right'))), { kind: 'unknown' }, 'a broken connection')
})

void t.test('204 is as good as 200', async (t) => {
  const { request, prove } = await authenticator(t, {
    reply: (_request, res) => void res.writeHead(204).end(),
  })
  t.strictSame(await prove(request(basic('right'))), { kind: 'proved' })
})

void t.test('no answer within proofSeconds proves nothing', async (t) => {
  const { request, prove } = await authenticator(t, { reply: () => undefined, proofSeconds: 0.05 })
  t.strictSame(await prove(request(basic('right'))), { kind: 'unknown' })
})

void t.test('another server is asked where one is dead', async (t) => {
  const { upstream, request, prove } = await authenticator(t, { servers: refusingUrls })
  for (const user of ['a', 'b', 'c', 'd']) {
    t.strictSame(await prove(request(basic('right'), { user })), { kind: 'proved' })
  }
  t.equal(upstream.requests.length, 4)
})

void t.test('a proof is remembered for 10 minutes, and no longer', async (t) => {
  let clock = 1000
  const { upstream, request, prove } = await authenticator(t, { clock: { now: () => clock } })
  await prove(request(basic('right')))
  clock += 10 * 60 * 1000
  await prove(request(basic('right')))
  t.equal(upstream.requests.length, 1)
  clock += 1
  await prove(request(basic('right')))
  t.equal(upstream.requests.length, 2)
})

void t.test('a use of a proof does not make it last longer', async (t) => {
  let clock = 1000
  const { upstream, request, prove } = await authenticator(t, { clock: { now: () => clock } })
  for (let minute = 0; minute <= 20; minute++) {
    await prove(request(basic('right')))
    clock += 60_001
  }
  t.equal(upstream.requests.length, 3)
})

void t.test('a proof is of one credential, user and backend', async (t) => {
  const { upstream, request, prove } = await authenticator(t)
  await prove(request(basic('right')))
  await prove(request(basic('right'), { user: 'bob@example.com' }))
  t.equal(upstream.requests.length, 2)
  t.equal((await prove(request(basic('wrong')))).kind, 'refused')
  const [other] = testUpstreams(t, [upstream.url]).upstreams.backends.values()
  if (other === undefined) throw new Error('no backend')
  await prove(request(basic('right'), { backend: { ...other, name: 'other' } }))
  t.equal(upstream.requests.length, 4)
})

void t.test('a refusal is not remembered: the same password may be right a moment later', async (t) => {
  let changed = false
  const { request, prove } = await authenticator(t, {
    reply: (_request, res) => void res.writeHead(changed ? 200 : 401).end(),
  })
  t.equal((await prove(request(basic('new')))).kind, 'refused')
  changed = true
  t.equal((await prove(request(basic('new')))).kind, 'proved')
})

void t.test('what was not answered is not remembered', async (t) => {
  let status = 503
  const { request, prove } = await authenticator(t, {
    reply: (_request, res) => void res.writeHead(status).end(),
  })
  t.equal((await prove(request(basic('right')))).kind, 'unknown')
  status = 200
  t.equal((await prove(request(basic('right')))).kind, 'proved')
})

void t.test('many requests of one credential are one question (T-50)', async (t) => {
  const open = Promise.withResolvers<void>()
  const { upstream, request, prove } = await authenticator(t, {
    reply: async (received, res) => {
      await open.promise
      await login(received, res)
    },
  })
  const right = Array.from({ length: 20 }, () => prove(request(basic('right'))))
  const wrong = Array.from({ length: 20 }, () => prove(request(basic('wrong'))))
  await upstream.request(1)
  open.resolve()
  t.strictSame([...new Set((await Promise.all(right)).map(({ kind }) => kind))], ['proved'])
  t.strictSame([...new Set((await Promise.all(wrong)).map(({ kind }) => kind))], ['refused'])
  t.equal(upstream.requests.length, 2)
})

void t.test('a slow login does not hold up a fast one (protocol.md 16)', async (t) => {
  const open = Promise.withResolvers<void>()
  const { upstream, request, prove } = await authenticator(t, {
    reply: async (received, res) => {
      if (received.headers.authorization === basic('slow')) await open.promise
      await login(received, res)
    },
  })
  const slow = Array.from({ length: 30 }, (_, number) =>
    prove(request(basic('slow'), { user: `user${number}` })),
  )
  await upstream.request(29)
  t.equal((await prove(request(basic('right')))).kind, 'proved')
  open.resolve()
  t.strictSame([...new Set((await Promise.all(slow)).map(({ kind }) => kind))], ['refused'])
})

void t.test('a flood of other logins does not take the answer from who waits for it', async (t) => {
  const open = Promise.withResolvers<void>()
  const { request, prove } = await authenticator(t, {
    max: 3,
    reply: async (received, res) => {
      await open.promise
      await login(received, res)
    },
  })
  const first = prove(request(basic('right')))
  const flood = Array.from({ length: 10 }, (_, number) => prove(request(basic(`wrong${number}`))))
  open.resolve()
  t.equal((await first).kind, 'proved')
  t.strictSame([...new Set((await Promise.all(flood)).map(({ kind }) => kind))], ['refused'])
})

void t.test('a probe asks each time, with what the client gave', async (t) => {
  const { upstream, request, probe } = await authenticator(t)
  for (const authorization of [undefined, undefined, 'Bearer']) {
    t.equal((await probe(request(authorization))).kind, 'refused')
  }
  t.strictSame(
    upstream.requests.map(({ headers }) => headers.authorization),
    [undefined, undefined, 'Bearer'],
  )
})
