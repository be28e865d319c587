import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { createGuard } from '#admin/guard.ts'
import { createAdminServer, StreamedAnswer, type ApiRoutes } from '#admin/server.ts'
import { startAdmin } from '../support/admin-node.ts'

const problemType = 'application/problem+json'

const problem400 = { type: 'about:blank', title: 'Bad Request', status: 400 }

void t.test('health needs no token, no name and tells nothing', async (t) => {
  const node = await startAdmin(t, { token: 'secret', metricsToken: 'scrape' })
  for (const host of ['127.0.0.1', 'a-load-balancer.example']) {
    const health = await node.call('GET', '/healthz', { headers: { host } })
    t.strictSame([health.status, health.text], [200, 'ok\n'])
    for (const [readiness, status] of [
      ['ready', 200],
      ['degraded', 200],
      ['not ready', 503],
    ] as const) {
      node.shown.readiness = readiness
      const answer = await node.call('GET', '/readyz', { headers: { host } })
      t.strictSame([answer.status, answer.text], [status, `${readiness}\n`])
    }
  }
  const head = await node.call('HEAD', '/healthz')
  t.strictSame([head.status, head.text], [200, ''])
})

void t.test('a refusal is a problem document', async (t) => {
  const node = await startAdmin(t, { token: 'secret', metricsToken: 'scrape' })
  const none = await node.call('GET', '/api/devices')
  t.equal(none.status, 401)
  t.equal(none.headers['content-type'], problemType)
  t.equal(none.headers['www-authenticate'], 'Bearer')
  t.match(none.json(), { status: 401, title: 'Unauthorized', type: 'about:blank' })
  const rebound = await node.call('GET', '/metrics', { headers: { host: 'rebind.example' } })
  t.strictSame([rebound.status, rebound.headers['content-type']], [403, problemType])
  const form = await node.call('POST', '/api/facts', {
    headers: { authorization: 'Bearer secret', 'content-type': 'text/plain' },
    body: '{}',
  })
  t.strictSame([form.status, form.headers['content-type']], [415, problemType])
})

void t.test('the metrics token opens /metrics and nothing else', async (t) => {
  const node = await startAdmin(t, { token: 'secret', metricsToken: 'scrape' })
  const headers = { authorization: 'Bearer scrape' }
  const metrics = await node.call('GET', '/metrics', { headers })
  t.equal(metrics.status, 200)
  t.equal(metrics.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  for (const target of [
    '/api/devices',
    '/api/explain?user=a&deviceId=b',
    '/',
    '/metrics/',
    '/api/../metrics',
  ]) {
    t.equal((await node.call('GET', target, { headers })).status, 401, target)
  }
})

void t.test('only the routes are there, as they are spelled', async (t) => {
  const node = await startAdmin(t)
  for (const [method, target] of [
    ['GET', '/'],
    ['GET', '/nothing'],
    ['GET', '//'],
    ['GET', '//healthz'],
    ['GET', '/Healthz'],
    ['GET', '/healthz/'],
    ['GET', '/api/../healthz'],
    ['GET', '/%2e%2e/healthz'],
    ['GET', '/api/devices/../explain?user=a&deviceId=b'],
    ['GET', 'http://127.0.0.1/healthz'],
    ['GET', '/api/devicesX'],
    ['GET', '/api/facts'],
    ['POST', '/healthz'],
    ['POST', '/metrics'],
    ['POST', '/api/devices'],
    ['PATCH', '/api/facts'],
    ['OPTIONS', '*'],
    ['TRACE', '/api/devices'],
  ] as const) {
    const answer = await node.call(method, target, { headers: { 'content-type': 'application/json' } })
    t.strictSame([answer.status, answer.headers['content-type']], [404, problemType], `${method} ${target}`)
  }
  t.strictSame(node.errors, [])
})

void t.test('HEAD is GET without the body', async (t) => {
  const node = await startAdmin(t)
  const get = await node.call('GET', '/api/devices')
  const head = await node.call('HEAD', '/api/devices')
  t.strictSame([head.status, head.text], [200, ''])
  t.equal(head.headers['content-length'], get.headers['content-length'])
})

void t.test('segments are decoded once, each for itself', async (t) => {
  const segments: (readonly string[])[] = []
  const routes: ApiRoutes = new Map([
    [
      'GET /api/echo/*',
      (request) => {
        segments.push(request.segments)
        return {}
      },
    ],
  ])
  const server = createAdminServer({
    host: '127.0.0.1',
    port: 0,
    guard: createGuard({ loopback: true, token: undefined, metricsToken: undefined }),
    routes,
    readiness: () => 'ready',
    metrics: async () => '',
    log: { error: () => undefined },
  })
  const port = await server.start()
  t.teardown(() => server.close())
  const status = async (target: string) => {
    const socket = connect(port, '127.0.0.1')
    socket.end(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    return (await text(socket)).split(' ')[1]
  }
  for (const [target, expected] of [
    ['/api/echo/alice@example.com/Appl1', ['alice@example.com', 'Appl1']],
    ['/api/echo/DOM%5Calice/a%2Fb', ['DOM\\alice', 'a/b']],
    ['/api/echo/%2561/%C3%BC', ['%61', 'ü']],
    ['/api/echo/../..', ['..', '..']],
    ['/api/echo/', ['']],
    ['/api/echo/a//b', ['a', '', 'b']],
    ['/api/echo/a+b?x=/y', ['a+b']],
  ] as const) {
    t.equal(await status(target), '200', target)
    t.strictSame(segments.pop(), expected, target)
  }
  for (const target of ['/api/echo/%', '/api/echo/%zz', '/api/echo/%C3', '/api/echo/a/%E0%80%AF']) {
    t.equal(await status(target), '400', target)
  }
  t.equal(await status('/api/echo'), '404')
})

void t.test('a body that is no JSON is a fault of the caller', async (t) => {
  const node = await startAdmin(t)
  for (const body of ['', '{', 'nonsense', '{"user":"a"}x', '\u{feff}{}', "{'user':'a'}"]) {
    const answer = await node.call('POST', '/api/facts', {
      headers: { 'content-type': 'application/json' },
      body,
    })
    t.equal(answer.status, 400, JSON.stringify(body))
    t.match(answer.json(), { ...problem400, detail: /^the body is not JSON/ })
  }
  const latin1 = await node.call('POST', '/api/facts', { body: Buffer.from('{"user":"jörg"}', 'latin1') })
  t.strictSame([latin1.status, latin1.json()], [400, { ...problem400, detail: 'the body is not UTF-8' }])
  t.strictSame(node.errors, [])
})

void t.test('a body that is too large is refused with an answer', async (t) => {
  const node = await startAdmin(t)
  const body = JSON.stringify([{ user: 'a'.repeat(5_000_000) }])
  for (const headers of [{ 'content-length': `${body.length}` }, { 'transfer-encoding': 'chunked' }]) {
    const answer = await node.call('POST', '/api/facts', { headers, body })
    t.equal(answer.status, 413)
    t.match(answer.json(), { detail: 'at most 4194304 bytes are taken' })
  }
  t.equal((await node.call('POST', '/api/facts', { body: [{ user: 'new@example.com' }] })).status, 200)
  t.strictSame(node.errors, [])
})

void t.test('a client that leaves in the middle of its body is no fault of ours', async (t) => {
  const node = await startAdmin(t)
  const socket = connect(node.port, '127.0.0.1')
  socket.write(
    'POST /api/facts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
  )
  await once(socket, 'connect')
  t.equal((await node.call('GET', '/healthz')).status, 200)
  socket.destroy()
  await once(socket, 'close')
  t.equal((await node.call('GET', '/healthz')).status, 200)
  t.strictSame(node.errors, [])
})

void t.test('a fault of ours is logged and not told', async (t) => {
  const node = await startAdmin(t)
  const fault = new Error('internals')
  node.shown.metrics = () => Promise.reject(fault)
  const failed = await node.call('GET', '/metrics')
  t.strictSame([failed.status, failed.headers['content-type']], [500, problemType])
  t.notMatch(failed.text, 'internals')
  t.strictSame(node.errors, [{ err: fault }])
})

void t.test('a store that cannot be used is told as such, and logged', async (t) => {
  const node = await startAdmin(t)
  node.store.close()
  const answer = await node.call('POST', '/api/facts', { body: { user: 'alice@example.com' } })
  t.equal(answer.status, 503)
  t.match(answer.json(), { title: 'Service Unavailable', detail: /the store .* is closed/ })
  t.match(node.errors, [{ err: { code: 'STORE_CLOSED' } }])
})

void t.test('nothing of an answer is kept or guessed at', async (t) => {
  const node = await startAdmin(t)
  for (const target of ['/healthz', '/metrics', '/api/devices', '/nothing']) {
    const { headers } = await node.call('GET', target)
    t.match(headers, { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }, target)
  }
  await node.call('POST', '/api/facts', { body: { user: 'alice@example.com', deviceId: 'Appl1' } })
  const gone = await node.call('DELETE', '/api/facts/alice@example.com/Appl1')
  t.strictSame([gone.status, gone.text, gone.headers['content-length']], [204, '', undefined])
})

void t.test('a port that is taken is told', async (t) => {
  const node = await startAdmin(t)
  const second = createAdminServer({
    host: '127.0.0.1',
    port: node.port,
    guard: createGuard({ loopback: true, token: undefined, metricsToken: undefined }),
    routes: new Map(),
    readiness: () => 'ready',
    metrics: async () => '',
    log: { error: () => undefined },
  })
  await t.rejects(second.start(), { code: 'EADDRINUSE' })
  await second.close()
})

/** A listener with one route, `GET /api/stream`, that answers with these chunks. */
async function startStream(t: Test, chunks: (signal: AbortSignal) => AsyncGenerator<string>) {
  const errors: unknown[] = []
  const server = createAdminServer({
    host: '127.0.0.1',
    port: 0,
    guard: createGuard({ loopback: true, token: undefined, metricsToken: undefined }),
    routes: new Map([['GET /api/stream', ({ signal }) => new StreamedAnswer('text/csv', chunks(signal))]]),
    readiness: () => 'ready',
    metrics: async () => '',
    log: { error: (fields: unknown) => errors.push(fields) },
  })
  const url = `http://127.0.0.1:${await server.start()}/api/stream`
  t.teardown(() => server.close())
  return { url, errors }
}

void t.test(
  'an answer that is streamed comes as it is made; one that fails on the way is cut off',
  async (t) => {
    const { url, errors } = await startStream(t, async function* () {
      yield 'one\n'
      yield 'two\n'
    })
    const answer = await fetch(url)
    t.strictSame([answer.status, answer.headers.get('content-type')], [200, 'text/csv'])
    t.equal(await answer.text(), 'one\ntwo\n')
    t.strictSame(errors, [])

    const broken = await startStream(t, async function* () {
      yield 'one\n'
      throw new Error('the walk broke')
    })
    const cut = await fetch(broken.url)
    t.equal(cut.status, 200)
    await t.rejects(cut.text(), 'the client sees that it is not whole')
    t.match(broken.errors, [{ err: { message: 'the walk broke' } }])
  },
)

void t.test('who leaves a streamed answer ends what makes it, and is no fault', async (t) => {
  const ended = Promise.withResolvers<boolean>()
  const { url, errors } = await startStream(t, async function* (signal) {
    try {
      for (;;) yield 'line\n'.repeat(1000)
    } finally {
      ended.resolve(signal.aborted)
    }
  })
  const leaving = new AbortController()
  const answer = await fetch(url, { signal: leaving.signal })
  await answer.body?.getReader().read()
  leaving.abort()
  t.equal(await ended.promise, true)
  t.strictSame(errors, [])
})
