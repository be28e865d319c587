import { once } from 'node:events'
import { createServer } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { certificateMaker } from '../support/certificates.ts'
import { wireClient, type WireClient } from '../support/http-answer.ts'
import {
  answerRaw,
  rawUpstream,
  recordingUpstream,
  refusingUrls,
  type RecordingUpstream,
  type Reply,
} from '../support/recording-upstream.ts'
import { testProxy, type TestProxy, type TestProxySettings } from '../support/test-proxy.ts'

const ours = 'https://mail.example.com'
const echo: Reply = async (request, res) => {
  const body = await request.body()
  res.end(`${request.method} ${request.url} ${body.toString()}`)
}

interface Opened {
  readonly upstream: RecordingUpstream
  readonly proxy: TestProxy
}

async function opened(t: Test, reply = echo, settings: Partial<TestProxySettings> = {}): Promise<Opened> {
  const upstream = await recordingUpstream(t, reply)
  return { upstream, proxy: await before(t, [upstream.url], settings) }
}

function before(
  t: Test,
  servers: readonly string[],
  settings: Partial<TestProxySettings> = {},
): Promise<TestProxy> {
  return testProxy(t, { servers, passthrough: ['/owa', '/api/v2'], listen: { publicUrl: ours }, ...settings })
}

function request(target: string, headers: readonly string[] = [], method = 'GET'): string {
  return `${method} ${target} HTTP/1.1\r\n${['Host: evil.example', ...headers].join('\r\n')}\r\n\r\n`
}

/** All bytes until the other side ends. */
async function allOf(client: WireClient): Promise<string> {
  const received: Buffer[] = []
  client.socket.on('data', (chunk: Buffer) => received.push(chunk))
  await client.ended
  return Buffer.concat(received).toString('latin1')
}

void t.test('passes listed routes, method, path and query to the letter, T-25, T-26', async (t) => {
  const { upstream, proxy } = await opened(t)
  const client = await wireClient(t, proxy.port)
  const targets = ['/owa', '/OWA/', '/owa/a.b/c~d', `/api/v2/x?a=%27'"<>^\`|{}\\&b=?c&d=%2e%2e/`, '/owa/?']
  for (const [index, target] of targets.entries()) {
    client.write(request(target, [], index % 2 === 0 ? 'GET' : 'PROPFIND'))
    t.equal((await client.answer()).status, 200, target)
    // http-proxy-3 leaves out an empty query
    t.equal(upstream.requests[index]?.url, target.replace(/\?$/, ''))
  }
  t.match(await proxy.outcome(0), {
    action: 'allow',
    reason: 'not-targeted',
    rule: 'passthrough',
    backend: 'main',
  })
  t.ok((await proxy.outcome(0)).upstreamMs)
})

void t.test(
  'passes no other route, and none in a spelling that has two readings, T-22, T-24, T-26',
  async (t) => {
    const { upstream, proxy } = await opened(t)
    // prettier-ignore
    const targets = [
    '/', '/owax', '/api', '/api/v22', '/owa/../ecp', '/owa/./x', '/owa//x', '//owa', '/owa\\..\\ecp', '/owa/%2e%2e/ecp', '/owa%2f..',
    '/owa;x', '/owa/x;y', '/owa/(S(x))/y', '/owa/x#y', '/owa/..', '/owa/.', '/owa/ü',
  ]
    for (const target of targets) {
      const client = await wireClient(t, proxy.port)
      client.write(Buffer.from(request(target), 'latin1'))
      const { status } = await client.answer()
      t.ok(status === 404 || status === 400, `${target}: ${status}`)
      client.socket.destroy()
    }
    for (const method of ['TRACE', 'CONNECT']) {
      const client = await wireClient(t, proxy.port)
      client.write(request('/owa/x', [], method))
      const { status } = await client.answer()
      t.ok(status === 405 || status === 400, method)
    }
    t.equal(upstream.requests.length, 0)
  },
)

void t.test(
  'drops the headers and cookies that steer Exchange, and sets its own, T-16, T-28, T-29, T-37, T-42, T-43',
  async (t) => {
    const { upstream, proxy } = await opened(t)
    // prettier-ignore
    const dropped = [
    'X-Original-URL: /ecp', 'X-Rewrite-URL: /ecp', 'X-HTTP-Method: DELETE', 'X-HTTP-Method-Override: DELETE',
    'X-Method-Override: DELETE', 'X-BEResource: ex2', 'X-AnonResource: true', 'X-AnonResource-Backend: ex2',
    'X-CommonAccessToken: x', 'X-IsFromCafe: 1', 'X-SourceCafeServer: x', 'msExchLogonMailbox: x', 'X-MSExchangeX: x',
    'X-Rps-CAT: x', 'X_BEResource: ex2', 'X.BEResource: ex2', 'Forwarded: for=203.0.113.7', 'X-Forwarded-For: 203.0.113.7',
    'X-Forwarded-Host: evil.example', 'X-Forwarded-Proto: gopher', 'X-Real-IP: 203.0.113.7', 'X-ARR-ClientCert: x',
    'Proxy-Authorization: x', 'Proxy-Connection: x', 'Keep-Alive: timeout=5', 'TE: trailers', 'Trailer: X-A', 'X-Hop: x',
    'Connection: keep-alive, X-Hop', 'HTTP2-Settings: x', '__proto__: x',
  ]
    const kept = [
      'X-AnchorMailbox: a@b',
      'X-OWA-CANARY: x',
      'X-Two: a',
      'X-Two: b',
      'Authorization: Negotiate abc',
      'constructor: x',
    ]
    const cookies =
      'cadata=1; X-BEResource=ex2; x-beresource =ex2; a=b, SecurityToken=x; X-AnonResource=1;X-AnonResource-Backend=ex2; UC=2'
    const client = await wireClient(t, proxy.port)
    client.write(request('/owa/x', [...dropped, ...kept, `Cookie: ${cookies}`]))
    t.equal((await client.answer()).status, 200)
    const [received] = upstream.requests
    const lines = (received?.rawHeaders ?? []).flatMap((name, index, all) =>
      index % 2 === 0 ? [`${name.toLowerCase()}: ${all[index + 1]}`] : [],
    )
    t.strictSame(lines.toSorted(), [
      'authorization: Negotiate abc',
      'connection: keep-alive',
      'constructor: x',
      'cookie: cadata=1; UC=2',
      'host: mail.example.com',
      'x-anchormailbox: a@b',
      'x-forwarded-for: 127.0.0.1',
      'x-forwarded-host: mail.example.com',
      'x-forwarded-proto: http',
      'x-owa-canary: x',
      'x-two: a',
      'x-two: b',
    ])
    for (const [index, refused] of ['Connection: Cookie', 'Transfer-Encoding: gzip, chunked'].entries()) {
      const other = await wireClient(t, proxy.port)
      other.write(request('/owa/x', [refused], 'POST'))
      t.equal((await other.answer()).status, 400, refused)
      t.match(await proxy.outcome(index + 1), { code: 'EAS_FRAMING_INVALID' })
    }
  },
)

void t.test('frames every body as it came, and refuses it where methods have none, T-32', async (t) => {
  const { upstream, proxy } = await opened(t)
  const client = await wireClient(t, proxy.port)
  client.write(`${request('/owa/x', ['Content-Length: 3'], 'POST')}abc`)
  t.equal((await client.answer()).body.toString(), 'POST /owa/x abc')
  client.write(
    `${request('/owa/x', ['Transfer-Encoding: chunked'], 'PUT')}3;ext\r\nabc\r\n0\r\nX-Trailer: x\r\n\r\n`,
  )
  t.equal((await client.answer()).body.toString(), 'PUT /owa/x abc')
  client.write(request('/owa/x', [], 'POST'))
  t.equal((await client.answer()).body.toString(), 'POST /owa/x ')
  for (const method of ['OPTIONS', 'DELETE']) {
    client.write(request('/owa/x', [], method))
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
      other.write(`${request('/owa/x', [framing], method)}2d\r\n${smuggled}\r\n0\r\n\r\n`)
      t.match(await allOf(other), /^HTTP\/1\.1 400 [^]*$/, `${method} with ${framing}`)
    }
  }
  t.equal(upstream.requests.length, seen)
})

void t.test('bounds bodies, T-46', async (t) => {
  const { upstream, proxy } = await opened(t, echo, { limits: { maxBodyBytes: 1024 } })
  const declared = await wireClient(t, proxy.port)
  declared.write(request('/owa/x', ['Content-Length: 1025'], 'POST'))
  t.match(await allOf(declared), /^HTTP\/1\.1 413 /)
  t.equal(upstream.requests.length, 0)

  const counted = await wireClient(t, proxy.port)
  counted.write(`${request('/owa/x', ['Transfer-Encoding: chunked'], 'POST')}400\r\n${'x'.repeat(1024)}\r\n`)
  const begun = await upstream.request(0)
  counted.write('1\r\nx\r\n0\r\n\r\n')
  t.match(await allOf(counted), /^HTTP\/1\.1 413 /)
  await t.rejects(begun.body(), 'the backend gets no whole body')
  t.match(await proxy.outcome(1), { code: 'EAS_BODY_TOO_LARGE', status: 413 })

  const waiting = await wireClient(t, proxy.port)
  waiting.write(request('/owa/x', ['Expect: 100-continue', 'Content-Length: 3'], 'POST'))
  t.equal((await waiting.answer()).status, 100)
  waiting.write('abc')
  t.equal((await waiting.answer()).body.toString(), 'POST /owa/x abc')
  t.equal(upstream.requests.at(-1)?.headers.expect, undefined)
})

void t.test('keeps one connection to the backend for each of a client, and shares none, T-18', async (t) => {
  const { upstream, proxy } = await opened(t)
  const first = await wireClient(t, proxy.port)
  const second = await wireClient(t, proxy.port)
  for (const client of [first, second, first, second]) {
    client.write(request('/owa/x'))
    await client.answer()
  }
  first.write(request('/owa/1') + request('/owa/2') + request('/owa/3'))
  for (const path of ['/owa/1', '/owa/2', '/owa/3']) {
    t.equal((await first.answer()).body.toString(), `GET ${path} `, 'answers in turn')
  }
  const numbers = upstream.requests.map(({ connection }) => connection)
  const [one, other] = numbers
  t.strictSame(numbers, [one, other, one, other, one, one, one])
  t.not(one, other)
  const last = upstream.requests[0]
  first.socket.destroy()
  await last?.gone
  second.write(request('/owa/x'))
  t.equal((await second.answer()).status, 200, 'the end of one is not the end of the other')
})

void t.test('passes the handshake of NTLM, whose steps belong to one connection, T-18', async (t) => {
  const steps = new Map<number, number>()
  const { proxy } = await opened(t, ({ connection, headers }, res) => {
    const step = (steps.get(connection) ?? 0) + (headers.authorization === undefined ? 0 : 1)
    steps.set(connection, step)
    if (step < 2) {
      const challenge = step === 0 ? ['Negotiate', 'NTLM'] : ['NTLM TlRMTVNTUAAC']
      res.writeHead(401, { 'WWW-Authenticate': challenge, 'Content-Length': 0 }).end()
    } else res.end('in')
  })
  const client = await wireClient(t, proxy.port)
  client.write(request('/owa/x'))
  t.equal((await client.answer()).header('www-authenticate'), 'Negotiate, NTLM')
  client.write(request('/owa/x', ['Authorization: NTLM TlRMTVNTUAAB']))
  t.equal((await client.answer()).header('www-authenticate'), 'NTLM TlRMTVNTUAAC')
  client.write(request('/owa/x', ['Authorization: NTLM TlRMTVNTUAAD']))
  t.equal((await client.answer()).body.toString(), 'in')
  const stranger = await wireClient(t, proxy.port)
  stranger.write(request('/owa/x'))
  t.equal((await stranger.answer()).status, 401, 'another client is nobody yet')
})

void t.test('tells no inner names, and leads redirects back here, T-43', async (t) => {
  const { upstream, proxy } = await opened(t, (_request, res) => {
    res.writeHead(302, {
      Location: `${upstream.url}/owa/auth/logon.aspx?url=x#y`,
      Server: 'Microsoft-IIS/10.0',
      'X-Powered-By': 'ASP.NET',
      'X-BEServer': 'EX2',
      'X-FEServer': 'EX1',
      'X-CalculatedBETarget': 'ex2.corp.local',
      'X-DiagInfo': 'EX2',
      'Set-Cookie': ['a=1', 'b=2; path=/; HttpOnly'],
      Connection: 'keep-alive, X-Hop',
      'X-Hop': 'x',
      'Proxy-Authenticate': 'x',
      'X-OWA-Version': '15.2',
    })
    res.end()
  })
  const client = await wireClient(t, proxy.port)
  client.write(request('/owa/x'))
  const answer = await client.answer()
  t.equal(answer.status, 302)
  t.equal(answer.header('location'), `${ours}/owa/auth/logon.aspx?url=x#y`)
  t.equal(answer.header('set-cookie'), 'a=1, b=2; path=/; HttpOnly')
  t.equal(answer.header('x-owa-version'), '15.2')
  t.notMatch(answer.headerLines.join('\n'), /EX1|EX2|IIS|ASP\.NET|X-Hop|Proxy-/i)
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
    const proxy = await before(t, [upstream.url])
    const client = await wireClient(t, proxy.port)
    client.write(request('/owa/x'))
    t.equal((await client.answer()).status, 502, name)
    t.match(await proxy.outcome(0), { action: 'unavailable', reason: 'upstream-unavailable', status: 502 })
    client.write(request('/easgate/enroll'))
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
      const proxy = await before(t, [upstream.url])
      const client = await wireClient(t, proxy.port)
      client.write(request('/owa/x'))
      t.match(await allOf(client), /abc/, 'what came is given, then the connection ends')
    }
    const stray = await rawUpstream(
      t,
      answerRaw(
        'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
      ),
    )
    const proxy = await before(t, [stray.url])
    const client = await wireClient(t, proxy.port)
    for (let time = 0; time < 3; time++) {
      client.write(request('/owa/x'))
      const { status, body } = await client.answer()
      t.ok(status === 502 || body.toString() === 'x', `${status} ${body.toString()}`)
    }
  },
)

void t.test('answers 503 where no server takes a connection, and ejects it', async (t) => {
  const upstream = await recordingUpstream(t, echo)
  const proxy = await before(t, refusingUrls)
  const client = await wireClient(t, proxy.port)
  for (const server of [...refusingUrls, undefined]) {
    client.write(request('/owa/x'))
    const answer = await client.answer()
    t.equal(answer.status, 503)
    t.ok(answer.header('retry-after'))
    t.equal(proxy.outcomes.at(-1)?.server === undefined, server === undefined, 'none is left to ask at last')
  }
  const mixed = await before(t, [...refusingUrls, upstream.url])
  const other = await wireClient(t, mixed.port)
  const statuses: number[] = []
  while (statuses.at(-1) !== 200 && statuses.length < 4) {
    other.write(request('/owa/x'))
    statuses.push((await other.answer()).status)
  }
  t.equal(statuses.at(-1), 200, 'the same client connection reaches the server that is left')
})

void t.test('gives up an answer that does not come, with 504', async (t) => {
  const { proxy } = await opened(t, () => undefined, { limits: { upstreamSeconds: 1 } })
  const client = await wireClient(t, proxy.port)
  client.write(request('/owa/x'))
  t.equal((await client.answer()).status, 504)
})

void t.test('ends the backend request of each client that leaves, 40 of 40, T-45, T-49', async (t) => {
  const { upstream, proxy } = await opened(t, (received, res) => {
    if (received.url.endsWith('body')) res.writeHead(200).write('begin')
  })
  for (let index = 0; index < 40; index++) {
    const client = await wireClient(t, proxy.port)
    client.write(request(index % 2 === 0 ? '/owa/head' : '/owa/body'))
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
  const { proxy } = await opened(t, async (_request, res) => {
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
  socket.write(request('/owa/large', ['Connection: close']))
  t.ok((await stalled.promise) < whole / 2, 'the backend was held back')
  let received = 0
  socket.on('data', (chunk: Buffer) => (received += chunk.length))
  await once(socket, 'close')
  t.ok(received > whole, 'and in the end all is there')
})

void t.test('checks the certificate of the backend by its own name', async (t) => {
  const maker = certificateMaker()
  if (maker === undefined) {
    t.pass('skipped: no openssl here')
    return
  }
  t.teardown(maker.remove)
  const authority = maker.make({ subject: ['CN=authority'] })
  const right = maker.make({ subject: ['CN=x'], alternatives: ['DNS.1=localhost'], issuer: authority })
  const wrong = maker.make({ subject: ['CN=x'], alternatives: ['DNS.1=mail.example.com'], issuer: authority })
  for (const [certificate, caFile, status] of [
    [right, authority.certFile, 200],
    [wrong, authority.certFile, 503],
    [right, undefined, 503],
  ] as const) {
    const server = createServer({ key: certificate.key, cert: certificate.cert }, (_req, res) => res.end('x'))
    server.listen(0, 'localhost')
    await once(server, 'listening')
    t.teardown(() => {
      server.closeAllConnections()
      server.close()
    })
    const { port } = server.address() as { port: number }
    const proxy = await before(t, [`https://localhost:${port}`], {
      backend: caFile === undefined ? {} : { caFile },
    })
    const client = await wireClient(t, proxy.port)
    client.write(request('/owa/x'))
    t.equal((await client.answer()).status, status)
  }
})
