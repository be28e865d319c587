import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { request } from 'undici'
import type { BackendConfig } from '#config/schema.ts'
import type { Server } from '#proxy/upstreams.ts'
import { certificateMaker } from '../support/certificates.ts'
import { rawUpstream, recordingUpstream, type Reply } from '../support/recording-upstream.ts'
import { testUpstreams, type TestUpstreams } from '../support/test-upstreams.ts'

const servers = ['http://mail1.example.com', 'https://mail2.example.com:8443', 'https://mail3.example.com']
const users = Array.from({ length: 300 }, (_, number) => `user${number}@example.com`)

void t.test('a server is named by host and port', async (t) => {
  const { backend } = testUpstreams(t, servers)
  t.strictSame(
    backend.servers.map(({ name, origin }) => [name, origin]),
    [
      ['mail1.example.com:80', servers[0]],
      ['mail2.example.com:8443', servers[1]],
      ['mail3.example.com:443', servers[2]],
    ],
  )
})

void t.test('a user meets the same server each time, and users are spread', async (t) => {
  const { upstreams, backend } = testUpstreams(t, servers)
  const homes = new Map<string, number>()
  for (const user of users) {
    const order = upstreams.serversFor(backend, user)
    t.equal(order.length, 3)
    if (upstreams.serversFor(backend, user)[0] !== order[0]) t.fail('not the same server')
    const name = order[0]?.name ?? ''
    homes.set(name, (homes.get(name) ?? 0) + 1)
  }
  t.equal(homes.size, 3)
  for (const count of homes.values()) t.ok(count > 60 && count < 140, `${count} of 300 users`)
})

void t.test('another process sends the user to the same server', async (t) => {
  const one = testUpstreams(t, servers)
  const two = testUpstreams(t, servers.toReversed())
  for (const user of users) {
    const homes = [one, two].map(({ upstreams, backend }) => upstreams.serversFor(backend, user)[0]?.name)
    if (homes[0] !== homes[1]) t.fail(user)
  }
  t.pass('whatever the order of the servers in the config')
})

void t.test('a server that goes moves only its own users, and they come back', async (t) => {
  const { upstreams, backend } = testUpstreams(t, servers)
  const homes = () => users.map((user) => upstreams.serversFor(backend, user)[0])
  const before = homes()
  const [gone] = backend.servers
  if (gone === undefined) throw new Error('no server')
  upstreams.dialFailed(backend, gone, new Error('refused'))
  for (const [index, home] of homes().entries()) {
    if (home === gone) t.fail('still sent there')
    if (before[index] !== gone && home !== before[index]) t.fail('moved without need')
  }
  gone.healthy = true
  t.strictSame(
    homes().map((home) => home?.name),
    before.map((home) => home?.name),
  )
})

void t.test('finds the server that a URL points to, among all backends', async (t) => {
  const { upstreams, backend } = testUpstreams(t, servers)
  const found = (url: string) => upstreams.serverOf(url)?.server.name
  t.equal(found('https://mail2.example.com:8443/Microsoft-Server-ActiveSync?x'), 'mail2.example.com:8443')
  t.equal(found('https://MAIL3.example.com:443/x'), 'mail3.example.com:443')
  t.equal(upstreams.serverOf('http://mail1.example.com')?.backend, backend)
  for (const url of [
    'https://mail1.example.com/',
    'http://mail2.example.com:8443/',
    'https://mail3.example.com:444/',
    'https://mail3.example.com.evil.example/',
    'https://mail3.example.com@evil.example/',
    '/Microsoft-Server-ActiveSync',
    'nonsense',
    '',
  ])
    t.equal(found(url), undefined, url)
})

// --- health checks

/** The value of easgate_upstream_healthy of each server. */
async function gauge({ metrics }: TestUpstreams): Promise<(number | undefined)[]> {
  return (await metrics.upstreamHealthy.get()).values.map(({ value }) => value)
}

/** Upstreams whose seconds pass when the test says so. */
function stoppedClock(t: Test, urls: readonly string[], settings?: Partial<BackendConfig>) {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const opened = testUpstreams(t, urls, settings)
  return {
    ...opened,
    /** Lets seconds pass; each check that they start is awaited by its own effect. */
    pass: (seconds: number) => mock.timers.tick(seconds * 1000),
    server: (index: number): Server => {
      const server = opened.backend.servers[index]
      if (server === undefined) throw new Error('no server')
      return server
    },
  }
}

/** Resolves once `holds`: what is awaited is an answer on a socket, so turns of the loop are given to it. */
async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error('it did not come to be')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

void t.test('an ejected server comes back by the check of the next second', async (t) => {
  const upstream = await recordingUpstream(t)
  const opened = stoppedClock(t, [upstream.url])
  const { upstreams, backend, pass, server, lines } = opened
  t.strictSame(await gauge(opened), [1])
  upstreams.dialFailed(backend, server(0), new Error('connection refused'))
  upstreams.dialFailed(backend, server(0), new Error('connection refused'))
  t.equal(server(0).healthy, false)
  t.strictSame(await gauge(opened), [0])
  t.strictSame(upstreams.serversFor(backend, 'alice'), [], 'all down')
  pass(1)
  await until(() => server(0).healthy)
  t.strictSame(await gauge(opened), [1])
  t.equal(upstreams.serversFor(backend, 'alice').length, 1)
  t.match(lines, [
    { level: 40, msg: 'server ejected', backend: 'main', server: server(0).name, why: 'connection refused' },
    { level: 30, msg: 'server is back', why: 'health check' },
  ])
  t.equal(lines.length, 2, 'a change is told once')
  t.strictSame(
    [upstream.healthChecks[0]?.method, upstream.healthChecks[0]?.url],
    ['GET', '/Microsoft-Server-ActiveSync/healthcheck.htm'],
  )
  t.equal(upstream.healthChecks[0]?.headers.authorization, undefined)
})

void t.test(
  'a healthy server is checked every healthSeconds, and ejected by the second failure',
  async (t) => {
    const upstream = await recordingUpstream(t)
    const { pass, server, lines } = stoppedClock(t, [upstream.url], { healthSeconds: 3 })
    pass(2)
    t.equal(upstream.healthChecks.length, 0)
    pass(1)
    await until(() => upstream.healthChecks.length === 1)
    await upstream.stop()
    // once for each period, when the check before has ended
    await until(() => (pass(3), lines.length > 0))
    t.equal(server(0).healthy, false)
    t.match(lines[0], { msg: 'server ejected', why: /ECONNREFUSED/ })
  },
)

void t.test('one failed check is not an outage', async (t) => {
  let fails = 1
  let checks = 0
  const upstream = await rawUpstream(t, (socket) => {
    socket.on('data', () => {
      checks++
      const status = fails-- > 0 ? '500 Oops' : '200 OK'
      socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
    })
  })
  const { pass, server, lines } = stoppedClock(t, [upstream.url], { healthSeconds: 1 })
  await until(() => (pass(1), checks === 3))
  fails = 1
  await until(() => (pass(1), checks === 6))
  t.equal(server(0).healthy, true)
  t.strictSame(lines, [])
})

/** What a check makes of an answer to an ejected server. */
async function returns(t: Test, settings: Partial<BackendConfig>, head: string): Promise<boolean> {
  let checked = ''
  const upstream = await rawUpstream(t, (socket) => {
    socket.on('data', (chunk: Buffer) => {
      checked = chunk.toString()
      socket.end(`HTTP/1.1 ${head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
    })
  })
  const { upstreams, backend, pass, server, lines } = stoppedClock(t, [upstream.url], settings)
  upstreams.dialFailed(backend, server(0), new Error('test'))
  pass(1)
  await until(() => checked !== '')
  // the second check starts only when the first has ended
  checked = ''
  await until(() => (pass(1), checked !== '' || server(0).healthy))
  mock.timers.reset()
  return lines.length === 2
}

void t.test(
  'a check knows the server by its kind: healthcheck.htm is 200, an unauthenticated OPTIONS 401',
  async (t) => {
    const onPremises = { kind: 'exchange-on-premises' } as const
    const online = { kind: 'exchange-online' } as const
    const cases: readonly (readonly [Partial<BackendConfig>, string, boolean])[] = [
      [onPremises, '200 OK', true],
      [onPremises, '401 Unauthorized', false],
      [onPremises, '503 Unavailable', false],
      [onPremises, '302 Found', false],
      [{ ...onPremises, health: 'options' }, '401 Unauthorized', true],
      [{ ...onPremises, health: 'options' }, '200 OK', false],
      [{ ...onPremises, health: 'options' }, '500 Oops', false],
      [online, '401 Unauthorized', true],
      [online, '200 OK', false],
      [{ ...online, health: 'healthcheck' }, '200 OK', true],
    ]
    for (const [settings, head, expected] of cases) {
      t.equal(await returns(t, settings, head), expected, `${JSON.stringify(settings)} ${head}`)
    }
  },
)

const unauthorized: Reply = (_request, res) => void res.writeHead(401, { 'Content-Length': 0 }).end()

void t.test('the check of an Exchange 2010 or Online is a bare OPTIONS', async (t) => {
  const upstream = await recordingUpstream(t, unauthorized)
  const { upstreams, backend, pass, server } = stoppedClock(t, [upstream.url], { kind: 'exchange-online' })
  upstreams.dialFailed(backend, server(0), new Error('test'))
  pass(1)
  await until(() => server(0).healthy)
  const [check] = upstream.requests
  t.strictSame([check?.method, check?.url], ['OPTIONS', '/Microsoft-Server-ActiveSync'])
  t.strictSame(Object.keys(check?.headers ?? {}).toSorted(), ['connection', 'host'])
})

void t.test('an answer of 5xx to a command ejects nobody: one database may be offline', async (t) => {
  const upstream = await recordingUpstream(t, (_request, res) => void res.writeHead(503).end())
  const { pass, server, lines } = stoppedClock(t, [upstream.url], { healthSeconds: 1 })
  for (let number = 0; number < 5; number++) {
    const { body } = await server(0).pool.request({ method: 'POST', path: '/', body: 'x' })
    await body.dump()
  }
  pass(1)
  await until(() => upstream.healthChecks.length === 1)
  t.equal(server(0).healthy, true)
  t.strictSame(lines, [])
})

void t.test('checks do not overlap, and end with the upstreams', async (t) => {
  let checks = 0
  const upstream = await rawUpstream(t, (socket) => void socket.on('data', () => checks++))
  const { upstreams, pass } = stoppedClock(t, [upstream.url], { healthSeconds: 1 })
  pass(1)
  await until(() => checks === 1)
  pass(10)
  await upstreams.close()
  pass(10)
  t.equal(upstream.connections(), 1)
})

// --- TLS

void t.test('a server is who its certificate says, by the CA of the config (T-60)', async (t) => {
  const maker = certificateMaker()
  if (maker === undefined) {
    t.pass('no openssl here: certificates cannot be made')
    return
  }
  t.teardown(maker.remove)
  const authority = maker.make({ subject: ['CN=test CA'] })
  const certificate = maker.make({
    subject: ['CN=mail'],
    alternatives: ['DNS.1=localhost'],
    issuer: authority,
  })
  const server = createServer({ key: certificate.key, cert: certificate.cert }, (_req, res) =>
    res.end('hello'),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  t.teardown(() => server.closeAllConnections())
  const { port } = server.address() as AddressInfo
  const ask = async (host: string, settings: Partial<BackendConfig>) => {
    const { backend } = testUpstreams(t, [`https://${host}:${port}`], settings)
    const dispatcher = backend.servers[0]?.pool
    if (dispatcher === undefined) throw new Error('no server')
    const { body } = await request(`https://${host}:${port}/`, { dispatcher })
    return body.text()
  }
  t.equal(await ask('localhost', { caFile: authority.certFile }), 'hello')
  await t.rejects(ask('localhost', {}), { code: /SELF_SIGNED|UNABLE_TO/ }, 'an unknown CA')
  await t.rejects(
    ask('127.0.0.1', { caFile: authority.certFile }),
    { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    'a name that the certificate does not have',
  )
})
