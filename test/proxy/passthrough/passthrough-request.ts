import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { wireClient } from '../../support/http-answer.ts'
import { passthroughPair, passthroughProxy, passthroughRequest } from '../../support/passthrough-proxy.ts'
import { answerRaw, rawUpstream } from '../../support/recording-upstream.ts'
import { untilEnd } from '../../support/wire-end.ts'

void t.test('frames every body as it came, and refuses it where methods have none, T-32', async (t) => {
  const { upstream, proxy } = await passthroughPair(t)
  const client = await wireClient(t, proxy.port)
  client.write(`${passthroughRequest('/owa/x', ['Content-Length: 3'], 'POST')}abc`)
  t.equal((await client.answer()).body.toString(), 'POST /owa/x abc')
  client.write(
    `${passthroughRequest('/owa/x', ['Transfer-Encoding: chunked'], 'PUT')}3;ext\r\nabc\r\n0\r\nX-Trailer: x\r\n\r\n`,
  )
  t.equal((await client.answer()).body.toString(), 'PUT /owa/x abc')
  client.write(passthroughRequest('/owa/x', [], 'POST'))
  t.equal((await client.answer()).body.toString(), 'POST /owa/x ')
  for (const method of ['OPTIONS', 'DELETE']) {
    client.write(passthroughRequest('/owa/x', [], method))
    t.equal((await client.answer()).body.toString(), `${method} /owa/x `)
  }
  const [byLength, byChunks, none] = upstream.requests
  t.equal(byLength?.headers['content-length'], '3')
  t.equal(byChunks?.headers['transfer-encoding'], 'chunked')
  t.equal(none?.headers['content-length'], '0')

  const seen = upstream.requests.length
  for (const method of ['OPTIONS', 'DELETE', 'GET', 'HEAD']) {
    for (const framing of ['Transfer-Encoding: chunked', 'Content-Length: 45']) {
      const other = await wireClient(t, proxy.port)
      const smuggled = 'GET /ecp HTTP/1.1\r\nHost: evil.example\r\n\r\n'
      other.write(`${passthroughRequest('/owa/x', [framing], method)}2d\r\n${smuggled}\r\n0\r\n\r\n`)
      t.match(await untilEnd(other), /^HTTP\/1\.1 400 [^]*$/, `${method} with ${framing}`)
    }
  }
  t.equal(upstream.requests.length, seen)
})

void t.test('bounds bodies, T-46', async (t) => {
  const { upstream, proxy } = await passthroughPair(t, undefined, { limits: { maxBodyBytes: 1024 } })
  const declared = await wireClient(t, proxy.port)
  declared.write(passthroughRequest('/owa/x', ['Content-Length: 1025'], 'POST'))
  t.match(await untilEnd(declared), /^HTTP\/1\.1 413 /)
  t.equal(upstream.requests.length, 0)

  const counted = await wireClient(t, proxy.port)
  counted.write(
    `${passthroughRequest('/owa/x', ['Transfer-Encoding: chunked'], 'POST')}400\r\n${'x'.repeat(1024)}\r\n`,
  )
  const begun = await upstream.request(0)
  counted.write('1\r\nx\r\n0\r\n\r\n')
  t.match(await untilEnd(counted), /^HTTP\/1\.1 413 /)
  await t.rejects(begun.body(), 'the backend gets no whole body')
  t.match(await proxy.outcome(1), { code: 'EAS_BODY_TOO_LARGE', status: 413 })

  const waiting = await wireClient(t, proxy.port)
  waiting.write(passthroughRequest('/owa/x', ['Expect: 100-continue', 'Content-Length: 3'], 'POST'))
  t.equal((await waiting.answer()).status, 100)
  waiting.write('abc')
  t.equal((await waiting.answer()).body.toString(), 'POST /owa/x abc')
  t.equal(upstream.requests.at(-1)?.headers.expect, undefined)
})

void t.test('answers 502 where the backend gives no answer that is one, T-37, T-41, T-49', async (t) => {
  const heads: readonly [name: string, answer: string | undefined][] = [
    ['nothing', undefined],
    ['no HTTP', 'SSH-2.0-x\r\n\r\n'],
    ['an unasked 101', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nraw'],
    ['1xx without end', 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n'.repeat(1000)],
    ['a status of 99', 'HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n'],
    ['a status of 600', 'HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n'],
    ['two framings', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a head of 100 KB', `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(100_000)}\r\n\r\n`],
    ['half a head', 'HTTP/1.1 200 OK\r\nX-A'],
  ]
  for (const [name, bytes] of heads) {
    const upstream = await rawUpstream(t, (socket) => {
      socket.on('data', (chunk: Buffer) => {
        if (chunk.includes('healthcheck')) return
        if (bytes !== undefined) socket.write(bytes)
        if (bytes === undefined || name === 'half a head') socket.end()
      })
    })
    const proxy = await passthroughProxy(t, [upstream.url])
    const client = await wireClient(t, proxy.port)
    client.write(passthroughRequest('/owa/x'))
    t.equal((await client.answer()).status, 502, name)
    t.match(await proxy.outcome(0), { action: 'unavailable', reason: 'upstream-unavailable', status: 502 })
    client.write(passthroughRequest('/easgate/enroll'))
    t.equal((await client.answer()).status, 200, 'the client can go on')
  }
})

void t.test(
  'ends the client where the answer breaks off, and keeps stray bytes from the next, T-41',
  async (t) => {
    for (const begin of [
      'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
    ]) {
      const upstream = await rawUpstream(t, (socket) => {
        socket.on('data', (chunk: Buffer) => {
          if (!chunk.includes('healthcheck')) socket.end(begin)
        })
      })
      const proxy = await passthroughProxy(t, [upstream.url])
      const client = await wireClient(t, proxy.port)
      client.write(passthroughRequest('/owa/x'))
      t.match(await untilEnd(client), /abc/, 'what came is given, then the connection ends')
    }
    const stray = await rawUpstream(
      t,
      answerRaw(
        'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
      ),
    )
    const proxy = await passthroughProxy(t, [stray.url])
    const client = await wireClient(t, proxy.port)
    for (let time = 0; time < 3; time++) {
      client.write(passthroughRequest('/owa/x'))
      const { status, body } = await client.answer()
      t.ok(status === 502 || body.toString() === 'x', `${status} ${body.toString()}`)
    }
  },
)

void t.test('gives up an answer that does not come, with 504', async (t) => {
  const { proxy } = await passthroughPair(t, () => undefined, { limits: { upstreamSeconds: 1 } })
  const client = await wireClient(t, proxy.port)
  client.write(passthroughRequest('/owa/x'))
  t.equal((await client.answer()).status, 504)
})

void t.test('ends the backend request of each client that leaves, 40 of 40, T-45, T-49', async (t) => {
  const { upstream, proxy } = await passthroughPair(t, (received, res) => {
    if (received.url.endsWith('body')) res.writeHead(200).write('begin')
  })
  for (let index = 0; index < 40; index++) {
    const client = await wireClient(t, proxy.port)
    client.write(passthroughRequest(index % 2 === 0 ? '/owa/head' : '/owa/body'))
    await upstream.request(index)
    if (index % 2 === 1) await once(client.socket, 'data')
    if (index % 4 < 2) client.reset()
    else client.socket.destroy()
  }
  await Promise.all(upstream.requests.map(({ gone }) => gone))
  const outcome = await proxy.outcome(39)
  t.ok(outcome)
  t.equal(proxy.outcomes.filter(({ status }) => status === 499).length, 20)
  t.match(
    proxy.proxy.upstreams.backends.get('main')?.servers[0],
    { healthy: true },
    'nobody can eject a server by leaving',
  )
})

void t.test('holds back what the client does not read, T-44', async (t) => {
  const whole = 64 * 1024 * 1024
  const stalled = Promise.withResolvers<number>()
  const { proxy } = await passthroughPair(t, async (_request, res) => {
    res.writeHead(200, { 'Content-Length': whole })
    const chunk = Buffer.alloc(65_536)
    for (let sent = 0; sent < whole; sent += chunk.length) {
      if (res.write(chunk)) continue
      const drained = once(res, 'drain')
      const isSlow = await Promise.race([drained.then(() => false), delay(500, true)])
      if (isSlow) stalled.resolve(sent)
      await drained
    }
    res.end()
  })
  const socket = connectTcp(proxy.port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.write(passthroughRequest('/owa/large', ['Connection: close']))
  t.ok((await stalled.promise) < whole / 2, 'the backend was held back')
  let received = 0
  socket.on('data', (chunk: Buffer) => (received += chunk.length))
  await once(socket, 'close')
  t.ok(received > whole, 'and in the end all is there')
})
