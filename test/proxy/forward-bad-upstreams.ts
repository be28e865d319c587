import t from 'tap'
import { exchange, front, post } from '../support/front.ts'
import { answerRaw, rawUpstream } from '../support/recording-upstream.ts'

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
