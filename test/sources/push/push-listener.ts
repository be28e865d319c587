import { once } from 'node:events'
import { connect as connectTls } from 'node:tls'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import {
  createPushListener,
  maxPushBytes,
  type PushAnswer,
  type PushRequest,
} from '#sources/push/push-listener.ts'
import { certificateMaker } from '../../support/certificates.ts'
import { wireClient } from '../../support/http-answer.ts'
import { untilEnd } from '../../support/wire-end.ts'

const maker = certificateMaker()
t.teardown(() => maker?.remove())

async function startListener(
  t: Test,
  answer: (request: PushRequest) => Promise<PushAnswer>,
  tls?: { certFile: string; keyFile: string },
): Promise<number> {
  const listener = createPushListener({
    config: tls === undefined ? {} : { tls },
    host: '127.0.0.1',
    port: 0,
    answer,
  })
  t.teardown(() => listener.close())
  return listener.start()
}

/** Answers with the length of the body, or what stands in its place. */
async function measure({ body }: PushRequest): Promise<PushAnswer> {
  const read = await body()
  return { status: read === 'too-large' ? 413 : 200, json: Buffer.isBuffer(read) ? read.length : read }
}

async function answerTo(t: Test, port: number, bytes: string) {
  const client = await wireClient(t, port)
  client.write(bytes)
  const answer = await client.answer()
  client.socket.destroy()
  return answer
}

void t.test('has POST /facts, and nothing else', async (t) => {
  let asked = 0
  const port = await startListener(t, async () => {
    asked++
    return { status: 200, json: null }
  })
  for (const line of [
    'GET /facts',
    'PUT /facts',
    'DELETE /facts',
    'post /facts',
    'OPTIONS *',
    'POST /',
    'POST /facts/',
    'POST /facts?x=1',
    'POST /Facts',
    'POST //facts',
    'POST /./facts',
    'POST /%66acts',
    'POST /api/facts',
    'POST http://e/facts',
    'GET /healthz',
    'GET /metrics',
  ]) {
    const answer = await answerTo(t, port, `${line} HTTP/1.1\r\nhost: e\r\ncontent-length: 0\r\n\r\n`)
    t.ok(answer.status === 404 || answer.status === 400, `${line}: ${answer.status}`)
  }
  t.equal(asked, 0)
  t.equal(
    (await answerTo(t, port, 'POST /facts HTTP/1.1\r\nhost: e\r\ncontent-length: 0\r\n\r\n')).status,
    200,
  )
})

void t.test('a body is bounded, announced or not (T-46)', async (t) => {
  const port = await startListener(t, measure)
  const head = 'POST /facts HTTP/1.1\r\nhost: e\r\n'
  t.equal(
    (await answerTo(t, port, `${head}content-length: ${maxPushBytes + 1}\r\n\r\n`)).status,
    413,
    'at once',
  )
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
  t.equal(
    (await answerTo(t, port, `${head}transfer-encoding: chunked\r\n\r\n${chunk.repeat(17)}`)).status,
    413,
  )
  const whole = await answerTo(
    t,
    port,
    `${head}transfer-encoding: chunked\r\n\r\n${chunk.repeat(16)}0\r\n\r\n`,
  )
  t.strictSame([whole.status, whole.body.toString()], [200, `${maxPushBytes}\n`])
})

void t.test('a connection is kept for the next message, and ends with a refusal', async (t) => {
  const port = await startListener(t, async ({ header, body }) => {
    await body()
    return { status: header('x-good') === undefined ? 401 : 200, json: {} }
  })
  const client = await wireClient(t, port)
  client.write('POST /facts HTTP/1.1\r\nhost: e\r\nx-good: 1\r\ncontent-length: 3\r\n\r\nabc')
  t.equal((await client.answer()).header('connection'), 'keep-alive')
  client.write('POST /facts HTTP/1.1\r\nhost: e\r\ncontent-length: 3\r\n\r\nabc')
  t.equal((await client.answer()).header('connection'), 'close')
  await client.ended
})

void t.test(
  'who is slow with the header or with the body is ended (T-44)',
  { timeout: 40_000 },
  async (t) => {
    const port = await startListener(t, measure)
    const started = performance.now()
    const [silent, headers, body] = await Promise.all([
      wireClient(t, port),
      wireClient(t, port),
      wireClient(t, port),
    ])
    headers.write('POST /facts HTTP/1.1\r\nhost: e\r\n')
    const dripping = setInterval(() => headers.write('x-y: z\r\n'), 500)
    t.teardown(() => clearInterval(dripping))
    body.write('POST /facts HTTP/1.1\r\nhost: e\r\ncontent-length: 100\r\n\r\nabc')
    const dripped = untilEnd(headers)
    await silent.ended
    t.match(await dripped, /^HTTP\/1\.1 408 /)
    t.ok(performance.now() - started < 10_000)
    await body.ended
    t.ok(performance.now() - started < 15_000)
  },
)

void t.test('a sender that goes away in the middle of its body harms nobody (T-49)', async (t) => {
  const bodies: unknown[] = []
  const port = await startListener(t, async ({ body }) => {
    const read = await body()
    bodies.push(Buffer.isBuffer(read) ? read.toString() : read)
    return { status: 200, json: null }
  })
  const client = await wireClient(t, port)
  client.write('POST /facts HTTP/1.1\r\nhost: e\r\ncontent-length: 100\r\n\r\nabc')
  await new Promise((resolve) => setTimeout(resolve, 50))
  client.reset()
  const { status } = await answerTo(t, port, 'POST /facts HTTP/1.1\r\nhost: e\r\ncontent-length: 2\r\n\r\nok')
  t.equal(status, 200)
  t.strictSame(bodies, ['broken-off', 'ok'])
})

void t.test('what two servers could read in two ways is refused (T-31, T-33, T-34)', async (t) => {
  const port = await startListener(t, measure)
  for (const headers of [
    'content-length: 3\r\ntransfer-encoding: chunked\r\n',
    'content-length: 3\r\ncontent-length: 4\r\n',
    'content-length: +3\r\n',
    'x: a\r\n b\r\ncontent-length: 3\r\n',
    `x: ${'a'.repeat(9000)}\r\n`,
  ]) {
    const { status } = await answerTo(t, port, `POST /facts HTTP/1.1\r\nhost: e\r\n${headers}\r\nabc`)
    t.ok(status === 400 || status === 431, `${JSON.stringify(headers.slice(0, 40))}: ${status}`)
  }
})

void t.test('one address cannot hold every connection', async (t) => {
  const port = await startListener(t, measure)
  const held = await Promise.all(Array.from({ length: 32 }, () => wireClient(t, port)))
  const surplus = await wireClient(t, port)
  await surplus.ended
  held[0]?.socket.destroy()
  await held[0]?.ended
  await new Promise((resolve) => setTimeout(resolve, 50))
  const { status } = await answerTo(t, port, 'POST /facts HTTP/1.1\r\nhost: e\r\ncontent-length: 0\r\n\r\n')
  t.equal(status, 200)
})

void t.test('speaks TLS where it has a certificate', { skip: maker === undefined }, async (t) => {
  if (maker === undefined) return
  const { certFile, keyFile, cert } = maker.make({
    subject: ['CN=easgate'],
    alternatives: ['IP.1=127.0.0.1'],
  })
  const port = await startListener(t, measure, { certFile, keyFile })
  const socket = connectTls({ port, host: '127.0.0.1', ca: cert })
  await once(socket, 'secureConnect')
  socket.write('POST /facts HTTP/1.1\r\nhost: e\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok')
  t.match(await text(socket), /^HTTP\/1\.1 200 [^]*\r\n\r\n2\n$/)
  t.throws(
    () =>
      createPushListener({
        config: { tls: { certFile: '/no/cert', keyFile } },
        host: '',
        port: 0,
        answer: measure,
      }),
    /ENOENT/,
  )
})
