import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import t, { type Test } from 'tap'
import { forward, type Forwarding, type ForwardRequest, type ForwardResult } from '#proxy/forward.ts'
import { largeLength, writeLarge } from '../support/large-body.ts'
import { front, post } from '../support/front.ts'
import { listen, wireClient, type WireClient } from '../support/http-answer.ts'
import { recordingUpstream, type Reply } from '../support/recording-upstream.ts'
import { testUpstreams } from '../support/test-upstreams.ts'

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

  const { kind } = await forwardOnce(t, upstream.url, { begun: ({ abandon }) => abandon() })
  t.equal(kind, 'abandoned')
  t.equal(upstream.requests.length, 1, 'nothing of it was sent')
})

void t.test('a client that has left already has nothing sent for it', async (t) => {
  const upstream = await recordingUpstream(t)
  const { kind } = await forwardOnce(t, upstream.url, {
    before: async (res, client) => {
      client.reset()
      await once(res, 'close')
    },
  })
  t.equal(kind, 'abandoned')
  t.equal(upstream.requests.length, 0)
})

interface Interference {
  readonly before?: (res: ServerResponse, client: WireClient) => Promise<void>
  readonly begun?: (forwarding: Forwarding) => void
}

/** Forwards one request by hand; gives what became of it. */
async function forwardOnce(t: Test, url: string, { before, begun }: Interference): Promise<ForwardResult> {
  const { upstreams, backend } = testUpstreams(t, [url])
  const arrived = Promise.withResolvers<ServerResponse>()
  const client = await wireClient(t, await listen(t, (_req, res) => arrived.resolve(res)))
  client.write(post(''))
  const res = await arrived.promise
  await before?.(res, client)
  const request: ForwardRequest = {
    backend,
    user: 'alice',
    method: 'POST',
    path: '/',
    headers: [],
    body: { kind: 'whole', bytes: Buffer.alloc(0) },
    parks: false,
    answerTimeoutMs: 1000,
    clientStallMs: 1000,
  }
  const forwarding = forward(upstreams, request, res)
  begun?.(forwarding)
  return forwarding.result
}

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

void t.test(
  'a client that takes nothing of its answer is cut off, and its upstream with it (T-44)',
  async (t) => {
    const upstream = await recordingUpstream(t, (_request, res) => {
      res.writeHead(200, { 'Content-Length': largeLength })
      writeLarge(res)
    })
    const proxy = await front(t, [upstream.url], { clientStallMs: 100 })
    const client = await wireClient(t, proxy.port)
    client.socket.pause()
    client.write(post(''))
    const { gone } = await upstream.request(0)
    await gone
    t.match(await proxy.result(0), { kind: 'abandoned' })
  },
)

void t.test('a client that waits long for its next request, or its answer, is not', async (t) => {
  const open = Promise.withResolvers<void>()
  const upstream = await recordingUpstream(t, async (request, res) => {
    if (upstream.requests.indexOf(request) === 1) await open.promise
    res.end('answer')
  })
  const proxy = await front(t, [upstream.url], { clientStallMs: 20 })
  const client = await wireClient(t, proxy.port)
  client.write(post(''))
  await client.answer()
  client.write(post(''))
  await upstream.request(1)
  // longer than the stall that is allowed once an answer has begun
  setTimeout(open.resolve, 60)
  t.equal((await client.answer()).body.toString(), 'answer')
})
