import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Writable } from 'node:stream'
import t, { type Test } from 'tap'
import { readHeaders } from '#eas/headers.ts'
import { takeBody } from '#proxy/body.ts'
import { forward, type Forwarding, type ForwardRequest, type ForwardResult } from '#proxy/forward.ts'
import { sendUnavailable } from '#proxy/respond.ts'
import { listen, wireClient, type WireAnswer, type WireClient } from '../support/http-answer.ts'
import {
  answerRaw,
  rawUpstream,
  recordingUpstream,
  refusingUrls,
  type Reply,
} from '../support/recording-upstream.ts'
import { testUpstreams, type TestUpstreams } from '../support/test-upstreams.ts'

/** A listener that forwards whatever comes, and keeps what became of it. */
interface Front extends TestUpstreams {
  readonly port: number
  readonly forwardings: readonly Forwarding[]
  /** Resolves with the result of the request of that number, from 0. */
  readonly result: (index: number) => Promise<ForwardResult>
}

const limits = { bufferedBodyBytes: 65_536, maxBodyBytes: 2 ** 30 }

async function front(
  t: Test,
  servers: readonly string[],
  differences: Partial<ForwardRequest> = {},
): Promise<Front> {
  const opened = testUpstreams(t, servers)
  const { upstreams, backend } = opened
  const forwardings: Forwarding[] = []
  const awaited = new Map<number, (result: Promise<ForwardResult>) => void>()
  const port = await listen(t, async (req, res) => {
    const body = await takeBody(req, readHeaders(req.rawHeaders, '1.1'), limits)
    const request: ForwardRequest = {
      backend,
      user: 'alice@example.com',
      method: 'POST',
      path: '/Microsoft-Server-ActiveSync?Cmd=Sync',
      headers: [],
      body,
      parks: false,
      answerTimeoutMs: 10_000,
      ...differences,
    }
    const forwarding = forward(upstreams, request, res)
    forwardings.push(forwarding)
    awaited.get(forwardings.length - 1)?.(forwarding.result)
    const { kind } = await forwarding.result
    if (kind !== 'answered' && kind !== 'cut' && kind !== 'abandoned') sendUnavailable(res)
  })
  return {
    ...opened,
    port,
    forwardings,
    result: (index) =>
      forwardings[index]?.result ??
      new Promise((resolve) => {
        awaited.set(index, resolve)
      }),
  }
}

function post(body: string | Buffer, head = `Content-Length: ${body.length}`): Buffer {
  return Buffer.concat([
    Buffer.from(`POST / HTTP/1.1\r\nHost: test\r\n${head}\r\n\r\n`),
    typeof body === 'string' ? Buffer.from(body) : body,
  ])
}

function chunked(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')])
}

async function exchange(t: Test, { port }: Front, bytes: Buffer): Promise<WireAnswer> {
  const client = await wireClient(t, port)
  client.write(bytes)
  return client.answer()
}

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

// --- bodies and answers

void t.test('sends a whole body with its length, every byte of it', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await front(t, [upstream.url])
  const received = upstream.request(0).then((request) => request.body())
  await exchange(t, proxy, post(everyByte))
  t.ok((await received).equals(everyByte))
  t.equal(upstream.requests[0]?.headers['content-length'], '256')
  t.equal(upstream.requests[0]?.headers['transfer-encoding'], undefined)
})

void t.test('sends an empty body as such', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await front(t, [upstream.url])
  await exchange(t, proxy, post(''))
  t.equal(upstream.requests[0]?.headers['content-length'], '0')
})

void t.test('sends OPTIONS without a body and without a length', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await front(t, [upstream.url], { method: 'OPTIONS', path: '/Microsoft-Server-ActiveSync' })
  t.equal((await exchange(t, proxy, post(''))).status, 200)
  const [request] = upstream.requests
  t.strictSame([request?.method, request?.url], ['OPTIONS', '/Microsoft-Server-ActiveSync'])
  t.equal(request?.headers['content-length'], undefined)
  t.equal(request?.headers['transfer-encoding'], undefined)
})

void t.test('streams a body of declared length with that length', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await front(t, [upstream.url])
  const body = randomBytes(300_000)
  const received = upstream.request(0).then((request) => request.body())
  await exchange(t, proxy, post(body))
  t.ok((await received).equals(body))
  t.equal(upstream.requests[0]?.headers['content-length'], '300000')
  t.equal(upstream.requests[0]?.headers['transfer-encoding'], undefined)
})

void t.test('streams chunks as chunks', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await front(t, [upstream.url])
  const body = randomBytes(100_000)
  const received = upstream.request(0).then((request) => request.body())
  const answer = await exchange(t, proxy, post(chunked(body), 'Transfer-Encoding: chunked'))
  t.equal(answer.status, 200)
  t.ok((await received).equals(body))
  t.equal(upstream.requests[0]?.headers['transfer-encoding'], 'chunked')
  t.equal(upstream.requests[0]?.headers['content-length'], undefined)
})

void t.test('gives the answer as it came: length, chunks, or none', async (t) => {
  const body = randomBytes(200_000)
  const replies: readonly (readonly [string, Reply, (answer: WireAnswer) => void])[] = [
    [
      'a length',
      (_request, res) => void res.writeHead(207, { 'Content-Length': body.length }).end(body),
      (answer) => {
        t.equal(answer.status, 207)
        t.equal(answer.header('content-length'), String(body.length))
        t.equal(answer.header('transfer-encoding'), undefined)
        t.ok(answer.body.equals(body))
      },
    ],
    [
      'chunks',
      (_request, res) => {
        res.writeHead(200)
        res.write(body.subarray(0, 1000))
        res.end(body.subarray(1000))
      },
      (answer) => {
        t.equal(answer.header('transfer-encoding'), 'chunked')
        t.ok(answer.body.equals(body))
      },
    ],
    [
      'an empty answer',
      (_request, res) =>
        void res
          .writeHead(200, { 'Content-Type': 'application/vnd.ms-sync.wbxml', 'Content-Length': 0 })
          .end(),
      (answer) => {
        t.equal(answer.header('content-length'), '0', 'an empty body is a valid answer (protocol.md 6)')
        t.equal(answer.header('content-type'), 'application/vnd.ms-sync.wbxml')
      },
    ],
    [
      'no chunks at all',
      (_request, res) => {
        res.writeHead(449, { 'Content-Type': 'text/html', 'Transfer-Encoding': 'chunked' }).end()
      },
      (answer) => t.strictSame([answer.status, answer.body.length], [449, 0]),
    ],
    [
      '204',
      (_request, res) => void res.writeHead(204).end(),
      (answer) => t.strictSame([answer.status, answer.body.length], [204, 0]),
    ],
  ]
  for (const [name, reply, check] of replies) {
    t.comment(name)
    const upstream = await recordingUpstream(t, reply)
    const proxy = await front(t, [upstream.url])
    check(await exchange(t, proxy, post('body')))
    t.match(await proxy.result(0), { kind: 'answered', server: { name: upstream.url.slice(7) } })
  }
})

void t.test('takes an answer that ends with the connection', async (t) => {
  const upstream = await rawUpstream(t, (socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nto the end'))
  })
  const proxy = await front(t, [upstream.url])
  t.equal((await exchange(t, proxy, post(''))).body.toString(), 'to the end')
})

void t.test('measures the time to the head of the answer', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await front(t, [upstream.url])
  await exchange(t, proxy, post(''))
  const result = await proxy.result(0)
  if (result.kind !== 'answered') throw new Error(result.kind)
  t.ok(result.upstreamMs > 0 && result.upstreamMs < 5000)
})

// --- back-pressure

/** Resolves with a count once it has not risen for a while: a stall is only seen by time. */
async function whenStill(count: () => number): Promise<number> {
  let last = -1
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 150))
    const now = count()
    if (now === last && now > 0) return now
    last = now
  }
}

const largeLength = 48 * 1024 * 1024
const piece = Buffer.alloc(65_536, 'a piece of a large body ')
/** What sockets and streams of both sides may hold on the way. */
const boundedBytes = 24 * 1024 * 1024

/** Writes `largeLength` bytes as fast as the other side takes them. */
function writeLarge(writable: Writable): { readonly acceptedBytes: () => number } {
  let acceptedBytes = 0
  const write = () => {
    while (acceptedBytes < largeLength) {
      acceptedBytes += piece.length
      if (!writable.write(piece)) return void writable.once('drain', write)
    }
  }
  write()
  return { acceptedBytes: () => acceptedBytes }
}

void t.test('an upstream that does not read holds the client back', async (t) => {
  const resumed = Promise.withResolvers<void>()
  const upstream = await recordingUpstream(t, async (request, res) => {
    await resumed.promise
    res.end(String((await request.body()).length))
  })
  const proxy = await front(t, [upstream.url])
  const client = await wireClient(t, proxy.port)
  client.write(post('', `Content-Length: ${largeLength}`))
  const { acceptedBytes } = writeLarge(client.socket)
  const held = await whenStill(acceptedBytes)
  t.ok(held < boundedBytes, `${held} bytes were taken of the client`)
  resumed.resolve()
  t.equal((await client.answer()).body.toString(), String(largeLength))
})

void t.test('a client that does not read holds the upstream back', async (t) => {
  const sending = Promise.withResolvers<() => number>()
  const upstream = await recordingUpstream(t, (_request, res) => {
    res.writeHead(200, { 'Content-Length': largeLength })
    sending.resolve(writeLarge(res).acceptedBytes)
  })
  const proxy = await front(t, [upstream.url])
  const client = await wireClient(t, proxy.port)
  client.socket.pause()
  client.write(post(''))
  const held = await whenStill(await sending.promise)
  t.ok(held < boundedBytes, `${held} bytes were taken of the upstream`)
  client.socket.resume()
  t.equal((await client.answer()).body.length, largeLength)
  t.equal((await proxy.result(0)).kind, 'answered')
})

// --- retries

void t.test('tries the next server where the dial failed, with the body, once', async (t) => {
  const bodies = {
    whole: post(everyByte),
    streamed: post(Buffer.concat([everyByte, Buffer.alloc(70_000)])),
    chunked: post(chunked(everyByte), 'Transfer-Encoding: chunked'),
  }
  for (const [name, bytes] of Object.entries(bodies)) {
    const upstream = await recordingUpstream(t, async (request, res) => {
      res.end((await request.body()).subarray(0, 256))
    })
    // affinity picks the first: with each user another of the three may be it
    for (const user of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const proxy = await front(t, [...refusingUrls, upstream.url], { user })
      const answer = await exchange(t, proxy, bytes)
      t.ok(answer.body.equals(everyByte), `${name}, ${user}`)
      for (const server of proxy.backend.servers) {
        if (server.origin === upstream.url) t.ok(server.healthy)
      }
    }
    t.equal(upstream.requests.length, 6, `${name}: each came exactly once`)
  }
})

void t.test('a server whose dial failed is ejected', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await front(t, [refusingUrls[0], upstream.url], { user: userAtHomeOn(refusingUrls[0]) })
  await exchange(t, proxy, post(''))
  t.strictSame(
    proxy.backend.servers.map(({ healthy }) => healthy),
    [false, true],
  )

  function userAtHomeOn(url: string): string {
    const { upstreams, backend } = testUpstreams(t, [refusingUrls[0], upstream.url])
    const users = Array.from({ length: 100 }, (_, number) => `user${number}@example.com`)
    return users.find((user) => upstreams.serversFor(backend, user)[0]?.origin === url) ?? ''
  }
})

void t.test('where no server takes a connection nothing was sent', async (t) => {
  const proxy = await front(t, refusingUrls)
  t.equal((await exchange(t, proxy, post('body'))).status, 503)
  t.strictSame(await proxy.result(0), { kind: 'unreachable' })
  t.equal((await exchange(t, proxy, post('body'))).status, 503, 'both are ejected now')
})

void t.test('never sends twice what may have been read (T-40)', async (t) => {
  const arrivals = { first: 0, second: 0 }
  const resetting = (name: 'first' | 'second') =>
    rawUpstream(t, (socket) => {
      socket.once('data', () => {
        arrivals[name]++
        socket.resetAndDestroy()
      })
    })
  const servers = [await resetting('first'), await resetting('second')]
  const bodies = [
    post('small'),
    post(Buffer.alloc(100_000)),
    post(chunked(everyByte), 'Transfer-Encoding: chunked'),
  ]
  for (const bytes of bodies) {
    const proxy = await front(
      t,
      servers.map(({ url }) => url),
    )
    t.equal((await exchange(t, proxy, bytes)).status, 503)
    t.match(await proxy.result(0), { kind: 'failed', timedOut: false })
    t.ok(
      proxy.backend.servers.every((server) => server.healthy),
      'a server that answers badly is not ejected for it',
    )
  }
  t.equal(arrivals.first + arrivals.second, bodies.length)
})

void t.test('a half-read body ends the connection of its client', async (t) => {
  const upstream = await rawUpstream(t, (socket) => {
    socket.once('data', () => socket.resetAndDestroy())
  })
  const proxy = await front(t, [upstream.url])
  const client = await wireClient(t, proxy.port)
  client.write(post('x', 'Content-Length: 100000'))
  const answer = await client.answer()
  t.equal(answer.header('connection'), 'close')
  await client.ended
})

void t.test('a request that undici does not take is a fault of ours, and ejects nobody', async (t) => {
  const upstream = await recordingUpstream(t)
  const { upstreams, backend } = testUpstreams(t, [upstream.url])
  const port = await listen(t, (_req, res) => {
    const { result } = forward(
      upstreams,
      {
        backend,
        user: 'alice',
        method: 'POST',
        path: '/',
        headers: ['bad name', 'x'],
        body: { kind: 'whole', bytes: Buffer.alloc(0) },
        parks: false,
        answerTimeoutMs: 1000,
      },
      res,
    )
    result.catch((error: Error) => res.end(error.message))
  })
  const client = await wireClient(t, port)
  client.write(post(''))
  t.match((await client.answer()).body.toString(), /invalid header/)
  t.equal(backend.servers[0]?.healthy, true)
  t.equal(upstream.requests.length, 0)
})

// --- caps

void t.test('an upstream that says nothing is given up at the cap', async (t) => {
  const upstream = await recordingUpstream(t, () => undefined)
  const proxy = await front(t, [upstream.url], { answerTimeoutMs: 50 })
  t.equal((await exchange(t, proxy, post('body'))).status, 503)
  t.match(await proxy.result(0), { kind: 'failed', timedOut: true })
  await upstream.requests[0]?.gone
})

void t.test('an upstream that stops in the middle of its answer is given up at the cap', async (t) => {
  const upstream = await recordingUpstream(t, (_request, res) => {
    res.writeHead(200, { 'Content-Length': 100 })
    res.write('half')
  })
  const proxy = await front(t, [upstream.url], { answerTimeoutMs: 50 })
  await t.rejects(exchange(t, proxy, post('body')), /in the middle/)
  t.match(await proxy.result(0), { kind: 'cut', status: 200 })
})

// --- clients that leave

const leavers = 40

/** Lets 40 clients leave; every upstream request must end, and no result be an answer. */
async function everybodyLeaves(
  t: Test,
  reply: Reply,
  bytes: Buffer,
  ready: (client: WireClient) => Promise<unknown>,
): Promise<void> {
  const upstream = await recordingUpstream(t, reply)
  const proxy = await front(t, [upstream.url], { parks: true })
  const clients = await Promise.all(Array.from({ length: leavers }, () => wireClient(t, proxy.port)))
  for (const client of clients) client.write(bytes)
  await Promise.all(clients.map(ready))
  await upstream.request(leavers - 1)
  for (const [index, client] of clients.entries()) {
    if (index % 2 === 0) client.reset()
    else client.socket.destroy()
  }
  const leftAtMs = performance.now()
  await Promise.all(upstream.requests.map(({ gone }) => gone))
  t.equal(upstream.requests.length, leavers)
  t.ok(performance.now() - leftAtMs < 3000, 'gone within 3 s (T-45)')
  const results = await Promise.all(proxy.forwardings.map(({ result }) => result))
  t.strictSame([...new Set(results.map(({ kind }) => kind))], ['abandoned'])
  t.ok(proxy.backend.servers[0]?.healthy, 'their leaving is no fault of the server')
}

void t.test('a client that leaves a parked request ends it upstream, 40 of 40 (T-49)', async (t) => {
  await everybodyLeaves(
    t,
    () => undefined,
    post('ping'),
    async () => undefined,
  )
})

void t.test('a client that leaves in its upload ends it upstream, 40 of 40', async (t) => {
  const begun = post(Buffer.alloc(1000), 'Content-Length: 1000000')
  await everybodyLeaves(
    t,
    () => undefined,
    begun,
    async () => undefined,
  )
  const begunInChunks = post('3e8\r\n' + 'x'.repeat(1000), 'Transfer-Encoding: chunked')
  await everybodyLeaves(
    t,
    () => undefined,
    begunInChunks,
    async () => undefined,
  )
})

const beginOfLongAnswer: Reply = (_request, res) => {
  res.writeHead(200, { 'Content-Length': 1_000_000 })
  res.write(Buffer.alloc(1000))
}

void t.test('a client that leaves in its download ends it upstream, 40 of 40', async (t) => {
  await everybodyLeaves(t, beginOfLongAnswer, post(''), (client) => once(client.socket, 'data'))
})

void t.test('a client that leaves while its requests wait in line ends them all (T-38, T-45)', async (t) => {
  const upstream = await recordingUpstream(t, () => undefined)
  const proxy = await front(t, [upstream.url], { parks: true })
  const client = await wireClient(t, proxy.port)
  client.write(Buffer.concat([post('one'), post('two'), post('three')]))
  await upstream.request(2)
  client.socket.destroy()
  await Promise.all(upstream.requests.map(({ gone }) => gone))
  for (const { result } of proxy.forwardings) t.equal((await result).kind, 'abandoned')
})

void t.test('requests in line get their own answers, in order (T-38)', async (t) => {
  const upstream = await recordingUpstream(t, async (request, res) => {
    const body = await request.body()
    // the last is answered first
    if (body.toString() === 'three') third.resolve()
    else await third.promise
    res.end(body)
  })
  const third = Promise.withResolvers<void>()
  const proxy = await front(t, [upstream.url])
  const client = await wireClient(t, proxy.port)
  client.write(Buffer.concat([post('one'), post('two'), post('three')]))
  for (const expected of ['one', 'two', 'three']) t.equal((await client.answer()).body.toString(), expected)
  t.equal(client.socket.listenerCount('close') < 10, true)
})

void t.test('abandoned by us, it ends at once, also before it was dialled', async (t) => {
  const upstream = await recordingUpstream(t, () => undefined)
  const proxy = await front(t, [upstream.url])
  const client = await wireClient(t, proxy.port)
  client.write(post('one'))
  const { gone } = await upstream.request(0)
  proxy.forwardings[0]?.abandon()
  await gone
  t.match(await proxy.result(0), { kind: 'abandoned' })

  const { upstreams, backend } = testUpstreams(t, [upstream.url])
  const port = await listen(t, (_req, res) => {
    const request: ForwardRequest = {
      backend,
      user: 'alice',
      method: 'POST',
      path: '/',
      headers: [],
      body: { kind: 'whole', bytes: Buffer.alloc(0) },
      parks: false,
      answerTimeoutMs: 1000,
    }
    const forwarding = forward(upstreams, request, res)
    forwarding.abandon()
    void forwarding.result.then(({ kind }) => res.end(kind))
  })
  const second = await wireClient(t, port)
  second.write(post(''))
  t.equal((await second.answer()).body.toString(), 'abandoned')
  t.equal(upstream.requests.length, 1, 'nothing of it was sent')
})

// --- early answers

void t.test(
  'passes on an answer that comes before the body is in, and closes both sides (T-36)',
  async (t) => {
    for (const [head, begun] of [
      ['Content-Length: 1000000', 'x'.repeat(1000)],
      ['Transfer-Encoding: chunked', '3e8\r\n' + 'x'.repeat(1000)],
    ] as const) {
      const upstream = await recordingUpstream(t, (_request, res) => void res.writeHead(413).end('too much'))
      const proxy = await front(t, [upstream.url])
      const client = await wireClient(t, proxy.port)
      client.write(post(begun, head))
      const answer = await client.answer()
      t.strictSame([answer.status, answer.body.toString()], [413, 'too much'])
      t.equal(answer.header('connection'), 'close')
      t.match(await proxy.result(0), { kind: 'answered', status: 413 })
      await upstream.requests[0]?.gone
      await client.ended
    }
  },
)

void t.test('a client that is still sending gets an early answer to its end', async (t) => {
  const upstream = await recordingUpstream(t, (_request, res) => void res.writeHead(413).end('too much'))
  const proxy = await front(t, [upstream.url])
  const client = await wireClient(t, proxy.port)
  client.write(post('', `Content-Length: ${largeLength}`))
  writeLarge(client.socket)
  t.equal((await client.answer()).status, 413)
})

// --- bad upstreams

/** What each answer of these is turned into: T-41. */
const badAnswers: Readonly<Record<string, string | Buffer>> = {
  'not HTTP': 'SSH-2.0-OpenSSH_9.6\r\n\r\n',
  'random bytes': Buffer.from('8f3a00ff17', 'hex'),
  'a request': 'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
  'status 000': 'HTTP/1.1 000 What\r\nContent-Length: 0\r\n\r\n',
  'status 999': 'HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n',
  'an unasked 101 with Upgrade': 'HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
  'a bare 101': 'HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  '100 unasked': 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  'a flood of 102': 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(1000),
  'both lengths':
    'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n',
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nbody',
  'an odd length': 'HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nbody',
  'a folded header': 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n',
  'a line break alone': 'HTTP/1.1 200 OK\r\nX: a\nY: b\r\nContent-Length: 0\r\n\r\n',
  'a NUL in a header': 'HTTP/1.1 200 OK\r\nContent-Type: a\0b\r\nContent-Length: 0\r\n\r\n',
  'huge headers': `HTTP/1.1 200 OK\r\nX-Large: ${'x'.repeat(100_000)}\r\nContent-Length: 0\r\n\r\n`,
  'many headers': `HTTP/1.1 200 OK\r\n${'X-Many: y\r\n'.repeat(10_000)}Content-Length: 0\r\n\r\n`,
}

for (const [name, bytes] of Object.entries(badAnswers)) {
  void t.test(`502 for an upstream that answers ${name} (T-41)`, async (t) => {
    const upstream = await rawUpstream(t, answerRaw(bytes))
    const proxy = await front(t, [upstream.url])
    t.equal((await exchange(t, proxy, post(''))).status, 503)
    t.match(await proxy.result(0), { kind: 'failed', timedOut: false })
    t.equal(proxy.backend.servers[0]?.healthy, true, 'and it is not ejected for it')
  })
}

void t.test('interim answers go before the answer, and are for nobody else', async (t) => {
  const bytes =
    'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n' +
    'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody'
  const upstream = await rawUpstream(t, answerRaw(bytes))
  const proxy = await front(t, [upstream.url])
  const answer = await exchange(t, proxy, post(''))
  t.strictSame([answer.status, answer.body.toString()], [200, 'body'])
})

const cutAnswers: Readonly<Record<string, string>> = {
  'its length': 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf',
  'a chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf',
  'its chunks': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
}

for (const [name, bytes] of Object.entries(cutAnswers)) {
  void t.test(`an upstream that dies before the end of ${name} cuts the client off (T-41)`, async (t) => {
    for (const how of ['reset', 'end'] as const) {
      const upstream = await rawUpstream(t, (socket) => {
        socket.once('data', () => {
          if (how === 'end') socket.end(bytes)
          else socket.write(bytes, () => setImmediate(() => socket.resetAndDestroy()))
        })
      })
      const proxy = await front(t, [upstream.url])
      await t.rejects(exchange(t, proxy, post('')), /in the middle/, how)
      const result = await proxy.result(0)
      t.ok(result.kind === 'cut' || (how === 'reset' && result.kind === 'failed'), result.kind)
    }
  })
}

void t.test('a bad chunk in an answer cuts the client off', async (t) => {
  const bytes = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\nzz\r\n'
  const upstream = await rawUpstream(t, answerRaw(bytes))
  const proxy = await front(t, [upstream.url])
  await t.rejects(exchange(t, proxy, post('')), /in the middle/)
  t.match(await proxy.result(0), { kind: 'cut' })
})

// --- reuse of connections

void t.test('a connection is used again after a clean answer', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await front(t, [upstream.url])
  const client = await wireClient(t, proxy.port)
  for (let number = 0; number < 5; number++) {
    client.write(post('body'))
    t.equal((await client.answer()).status, 200)
  }
  t.equal(upstream.connections(), 1)
})

const uncleanAnswers: Readonly<Record<string, string>> = {
  'bytes behind its answer':
    'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother',
  'a body behind a 204': 'HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nbody',
  'Connection: close': 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody',
}

for (const [name, bytes] of Object.entries(uncleanAnswers)) {
  void t.test(`a connection with ${name} is not used again (T-41)`, async (t) => {
    const upstream = await rawUpstream(t, answerRaw(bytes))
    const proxy = await front(t, [upstream.url])
    for (const number of [1, 2, 3]) {
      const answer = await exchange(t, proxy, post(''))
      t.not(answer.body.toString(), 'other', 'an answer is not given to another request')
      t.equal(upstream.connections(), number)
    }
  })
}

// --- 451

const movedTo =
  (location: string | undefined): Reply =>
  async (request, res) => {
    await request.body()
    res.writeHead(451, location === undefined ? {} : { 'X-MS-Location': location }).end()
  }

void t.test('a 451 to another server of ours is followed, with the body (protocol.md 7)', async (t) => {
  const home = await recordingUpstream(t, async (request, res) => void res.end(await request.body()))
  const first = await recordingUpstream(t, movedTo(`${home.url}/Microsoft-Server-ActiveSync`))
  // `home` is known, but not one of the healthy servers that the user would meet
  const proxy = await front(t, [first.url, home.url])
  const homeServer = proxy.backend.servers[1]
  if (homeServer !== undefined) homeServer.healthy = false
  const answer = await exchange(t, proxy, post(everyByte))
  t.ok(answer.body.equals(everyByte))
  t.equal(answer.header('x-ms-location'), undefined)
  t.match(await proxy.result(0), { kind: 'answered', server: { origin: home.url } })
  t.equal(home.requests[0]?.url, '/Microsoft-Server-ActiveSync?Cmd=Sync')
})

void t.test('a 451 that leads elsewhere, back, or nowhere is told as such', async (t) => {
  for (const location of [
    'https://elsewhere.example.com/Microsoft-Server-ActiveSync',
    'not a URL',
    undefined,
  ]) {
    const upstream = await recordingUpstream(t, movedTo(location))
    const proxy = await front(t, [upstream.url])
    t.equal((await exchange(t, proxy, post('body'))).status, 503)
    t.match(await proxy.result(0), { kind: 'moved' })
    t.equal(upstream.requests.length, 1)
  }
})

void t.test('two servers that point at each other are asked once each', async (t) => {
  const replies: Reply[] = []
  const reply: Reply = (request, res) => replies[0]?.(request, res)
  const one = await recordingUpstream(t, reply)
  const two = await recordingUpstream(t, (request, res) => movedTo(one.url)(request, res))
  replies.push(movedTo(two.url))
  const proxy = await front(t, [one.url, two.url])
  t.equal((await exchange(t, proxy, post('body'))).status, 503)
  t.match(await proxy.result(0), { kind: 'moved' })
  t.strictSame([one.requests.length, two.requests.length], [1, 1])
})

void t.test('a streamed body is gone, so a 451 to it is not followed', async (t) => {
  const home = await recordingUpstream(t)
  const first = await recordingUpstream(t, movedTo(home.url))
  const proxy = await front(t, [first.url, home.url])
  const homeServer = proxy.backend.servers[1]
  if (homeServer !== undefined) homeServer.healthy = false
  await exchange(t, proxy, post(Buffer.alloc(100_000)))
  t.match(await proxy.result(0), { kind: 'moved' })
  t.equal(home.requests.length, 0)
})

void t.test('a request that was moved is still ended with its client, and by us', async (t) => {
  for (const how of ['client', 'us'] as const) {
    const home = await recordingUpstream(t, () => undefined)
    const first = await recordingUpstream(t, movedTo(home.url))
    const proxy = await front(t, [first.url, home.url])
    const homeServer = proxy.backend.servers[1]
    if (homeServer !== undefined) homeServer.healthy = false
    const client = await wireClient(t, proxy.port)
    client.write(post('ping'))
    const { gone } = await home.request(0)
    if (how === 'client') client.socket.destroy()
    else proxy.forwardings[0]?.abandon()
    await gone
    t.match(await proxy.result(0), { kind: 'abandoned' }, how)
  }
})
