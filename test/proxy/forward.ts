import { randomBytes } from 'node:crypto'
import t from 'tap'
import { chunked } from '../support/eas-request.ts'
import { everyByte, exchange, front, post } from '../support/front.ts'
import { boundedBytes, largeLength, writeLarge } from '../support/large-body.ts'
import { wireClient, type WireAnswer } from '../support/http-answer.ts'
import { answerRaw, rawUpstream, recordingUpstream, type Reply } from '../support/recording-upstream.ts'

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

void t.test(
  'a connection that the server has closed while it was idle is not the end of the next request',
  async (t) => {
    const upstream = await rawUpstream(t, (socket) => {
      socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody'))
    })
    const proxy = await front(t, [upstream.url])
    for (let number = 1; number <= 5; number++) {
      t.equal((await exchange(t, proxy, post('x'))).body.toString(), 'body')
      t.equal(upstream.connections(), number)
    }
  },
)

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
