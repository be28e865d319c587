import type { IncomingMessage } from 'node:http'
import t, { type Test } from 'tap'
import { readHeaders } from '#eas/headers.ts'
import { takeBody, type ForwardBody } from '#proxy/body.ts'
import { listen, wireClient, type WireClient } from '../support/http-answer.ts'

const limits = { bufferedBodyBytes: 65_536, maxBodyBytes: 100_000 }

interface Taken {
  readonly client: WireClient
  readonly req: Promise<IncomingMessage>
  readonly taken: Promise<ForwardBody>
  readonly looks: Buffer[]
}

/** Sends the head of a POST (and some bytes), and takes its body. */
async function take(t: Test, head: string, bytes: string | Uint8Array = '', look = false): Promise<Taken> {
  const looks: Buffer[] = []
  const arrived = Promise.withResolvers<IncomingMessage>()
  const port = await listen(t, (req) => arrived.resolve(req))
  const client = await wireClient(t, port)
  client.write(`POST / HTTP/1.1\r\nHost: test\r\n${head}\r\n\r\n`)
  client.write(bytes)
  const taken = arrived.promise.then((req) =>
    takeBody(req, readHeaders(req.rawHeaders, '1.1'), limits, look ? (seen) => looks.push(seen) : undefined),
  )
  taken.catch(() => undefined)
  return { client, req: arrived.promise, taken, looks }
}

async function bytesOf(body: ForwardBody): Promise<Buffer> {
  return body.kind === 'whole' ? body.bytes : Buffer.concat(await Array.fromAsync(body.stream))
}

const exact = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

void t.test('a small body is taken whole, every byte of it', async (t) => {
  const { taken } = await take(t, 'Content-Length: 256', exact)
  t.strictSame(await taken, { kind: 'whole', bytes: exact })
})

void t.test('a body in many pieces is put together', async (t) => {
  const { client, req, taken } = await take(t, 'Content-Length: 6', 'ab')
  await req
  client.write('cd')
  await new Promise((resolve) => setImmediate(resolve))
  client.write('ef')
  t.strictSame(await taken, { kind: 'whole', bytes: Buffer.from('abcdef') })
})

void t.test('no body and an empty one are no bytes', async (t) => {
  for (const head of ['X: y', 'Content-Length: 0']) {
    const { taken } = await take(t, head)
    t.strictSame(await taken, { kind: 'whole', bytes: Buffer.alloc(0) }, head)
  }
})

void t.test('64 KiB are whole, a byte more is a stream of declared length', async (t) => {
  const whole = await (await take(t, 'Content-Length: 65536', Buffer.alloc(65_536, 1))).taken
  t.equal(whole.kind, 'whole')
  t.equal((await bytesOf(whole)).length, 65_536)
  const stream = await (await take(t, 'Content-Length: 65537', Buffer.alloc(65_537, 2))).taken
  t.match(stream, { kind: 'stream', length: 65_537 })
  t.ok((await bytesOf(stream)).equals(Buffer.alloc(65_537, 2)))
})

void t.test('chunks are a stream without length, extensions and trailers left out (T-35)', async (t) => {
  const { taken } = await take(
    t,
    'Transfer-Encoding: chunked',
    '3\r\nabc\r\n2;name=value\r\nde\r\n0\r\nTrailer: x\r\n\r\n',
  )
  const body = await taken
  t.match(body, { kind: 'stream', length: undefined })
  t.equal((await bytesOf(body)).toString(), 'abcde')
})

void t.test('a declared length over the limit is refused before a byte is read (T-46)', async (t) => {
  const { taken, req } = await take(t, 'Content-Length: 100001')
  await t.rejects(taken, { code: 'EAS_BODY_TOO_LARGE' })
  t.equal((await req).readableFlowing, null)
})

void t.test('chunks over the limit break off at it', async (t) => {
  const { taken } = await take(
    t,
    'Transfer-Encoding: chunked',
    Buffer.concat([Buffer.from('186a1\r\n'), Buffer.alloc(100_001), Buffer.from('\r\n0\r\n\r\n')]),
  )
  await t.rejects(taken.then(bytesOf), { code: 'EAS_BODY_TOO_LARGE' })
})

void t.test('a client that stops in the middle of a small body (T-40)', async (t) => {
  const { client, req, taken } = await take(t, 'Content-Length: 100', 'half')
  await req
  client.reset()
  await t.rejects(taken, { code: 'EAS_BODY_TRUNCATED' })
})

void t.test('a client that stops in the middle of a stream, whether it is read or not (T-49)', async (t) => {
  for (const head of ['Content-Length: 90000', 'Transfer-Encoding: chunked']) {
    for (const read of [true, false]) {
      const { client, taken } = await take(t, head, '4\r\nhalf', true)
      const body = await taken
      if (body.kind !== 'stream') throw new Error('not a stream')
      const closed = new Promise((resolve) => body.stream.once('close', resolve))
      const bytes = read ? bytesOf(body) : undefined
      bytes?.catch(() => undefined)
      client.reset()
      await closed
      t.ok(body.stream.errored, `${head}, ${read ? 'read' : 'unread'}`)
      if (bytes !== undefined) await t.rejects(bytes)
    }
  }
})

void t.test('a look gets a copy of what is sent on, and holds nothing up', async (t) => {
  const small = await take(t, 'Content-Length: 5', 'small', true)
  await small.taken
  t.strictSame(small.looks, [], 'the body goes on first')
  await new Promise((resolve) => setImmediate(resolve))
  t.strictSame(small.looks.map(String), ['small'])

  const chunked = await take(t, 'Transfer-Encoding: chunked', '5\r\nchunk\r\n2\r\ned\r\n0\r\n\r\n', true)
  t.equal((await bytesOf(await chunked.taken)).toString(), 'chunked')
  t.strictSame(chunked.looks.map(String), ['chunked'])
})

void t.test('a look at a long stream gets its beginning only (T-47)', async (t) => {
  const long = Buffer.alloc(95_000, 7)
  const { taken, looks } = await take(t, `Content-Length: ${long.length}`, long, true)
  t.equal((await bytesOf(await taken)).length, long.length)
  t.equal(looks.length, 1)
  t.ok((looks[0]?.length ?? 0) >= 65_536)
  t.ok((looks[0]?.length ?? 0) < 65_536 + 65_536)
})
