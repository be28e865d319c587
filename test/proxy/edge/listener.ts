import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { certificateMaker } from '../../support/certificates.ts'
import { wireClient } from '../../support/http-answer.ts'
import { recordingUpstream, usualAnswer } from '../../support/recording-upstream.ts'
import { goodRequest, testProxy, type TestProxy } from '../../support/test-proxy.ts'
import { untilEnd } from '../../support/wire-end.ts'

async function isServed(t: Test, { port }: TestProxy): Promise<void> {
  const client = await wireClient(t, port)
  client.write(goodRequest())
  t.equal((await client.answer()).status, 200, 'the next good request is answered')
  client.socket.destroy()
}

function expecting(request: string): string {
  return request.replace('Content-Length', 'Expect: 100-continue\r\nContent-Length')
}

async function malformedCount({ metrics }: TestProxy): Promise<number> {
  const counter = await metrics.registry.getSingleMetric('easgate_malformed_requests_total')?.get()
  return counter?.values.find(({ labels }) => labels['code'] === 'EAS_FRAMING_INVALID')?.value ?? 0
}

void t.test('counts and logs what never became a request, once a connection', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await testProxy(t, { servers: [upstream.url] })
  const client = await wireClient(t, proxy.port)
  client.write('NONSENSE\r\n\r\n')
  const answer = await client.answer()
  t.equal(answer.status, 400)
  t.equal(answer.header('connection'), 'close')
  client.write('MORE NONSENSE\r\n\r\n')
  client.socket.end()
  t.equal(await untilEnd(client), '', 'nothing more is answered')
  t.equal(proxy.outcomes.length, 1)
  t.match(proxy.outcomes[0], { status: 400, clientAddress: '127.0.0.1', rule: 'none', command: 'none' })
  t.equal(await malformedCount(proxy), 1)
  await isServed(t, proxy)
})

void t.test(
  'answers pipelined requests in turn, and none with the refusal of what follows, T-38, T-40',
  async (t) => {
    const upstream = await recordingUpstream(t, async (request, res) => {
      await request.body()
      await delay(request.url.includes('SLOW') ? 50 : 0)
      res.end(/DeviceId=(\w+)/.exec(request.url)?.[1])
    })
    const proxy = await testProxy(t, { servers: [upstream.url] })
    const client = await wireClient(t, proxy.port)
    client.write(goodRequest('SLOW') + goodRequest('FAST'))
    t.equal((await client.answer()).body.toString(), 'SLOW')
    t.equal((await client.answer()).body.toString(), 'FAST')
    client.write(`${goodRequest('SLOW')}extra bytes\r\n\r\n`)
    t.notMatch(await untilEnd(client), '400', 'no refusal that would be read as the answer')

    const other = await wireClient(t, proxy.port)
    other.write(goodRequest('FAST'))
    await other.answer()
    other.write('extra bytes\r\n\r\n')
    t.equal((await other.answer()).status, 400, 'with nothing outstanding the refusal is told')
    await isServed(t, proxy)
    t.strictSame(proxy.faults(), [])
  },
)

void t.test('never tells anybody to send a body that is refused anyway, T-36', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await testProxy(t, { servers: [upstream.url] })
  const good = await wireClient(t, proxy.port)
  good.write(expecting(goodRequest('PHONE1', 'abc')).replace(/abc$/, ''))
  t.equal((await good.answer()).status, 100)
  good.write('abc')
  t.same((await good.answer()).body, usualAnswer)
  t.equal((await upstream.requests[0]?.body())?.toString(), 'abc')
  t.equal(upstream.requests[0]?.headers.expect, undefined)

  const closed = await wireClient(t, proxy.port)
  closed.write(
    expecting(goodRequest('PHONE1', 'abc'))
      .replace('/Microsoft-Server-ActiveSync', '/EWS')
      .replace(/abc$/, ''),
  )
  t.match(await untilEnd(closed), /^HTTP\/1\.1 404 /)
  t.equal(upstream.requests.length, 1)
})

void t.test('never reads the rest of a refused body as a request, T-36', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await testProxy(t, { servers: [upstream.url] })
  const closed = goodRequest('PHONE1', goodRequest('SMUGGLED')).replace(
    '/Microsoft-Server-ActiveSync',
    '/EWS',
  )
  const client = await wireClient(t, proxy.port)
  client.write(closed)
  t.equal((await client.answer()).status, 404)
  client.write(goodRequest('AFTER'))
  await client.answer().catch(() => undefined)
  t.notOk(upstream.requests.some(({ url }) => url.includes('SMUGGLED')))

  const large = await wireClient(t, proxy.port)
  large.write(goodRequest().replace('Content-Length: 0', 'Content-Length: 300000000'))
  large.write(goodRequest('SMUGGLED'))
  t.match(await untilEnd(large), /^HTTP\/1\.1 413 [^]*\r\n\r\nEAS_BODY_TOO_LARGE[^]*$/)
  t.notOk(upstream.requests.some(({ url }) => url.includes('SMUGGLED')))
  await isServed(t, proxy)
})

void t.test('drops chunk extensions and trailers on the way, T-35', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await testProxy(t, { servers: [upstream.url] })
  const client = await wireClient(t, proxy.port)
  const head = goodRequest().replace(
    'Content-Length: 0',
    'Trailer: X-BEResource\r\nTransfer-Encoding: chunked',
  )
  client.write(`${head}3;a=b\r\nabc\r\n0\r\nX-BEResource: x\r\n\r\n`)
  t.equal((await client.answer()).status, 200)
  const [request] = upstream.requests
  t.equal((await request?.body())?.toString(), 'abc')
  t.notMatch(JSON.stringify(request?.rawHeaders), /trailer|beresource/i)
})

void t.test('ends the backend request of a body that breaks off, T-40', async (t) => {
  const upstream = await recordingUpstream(t, async (request, res) => {
    await request.body()
    res.end('whole')
  })
  const proxy = await testProxy(t, { servers: [upstream.url] })
  for (const end of ['half-close', 'reset'] as const) {
    const seen = upstream.requests.length
    const client = await wireClient(t, proxy.port)
    client.write(`${goodRequest().replace('Content-Length: 0', 'Transfer-Encoding: chunked')}3\r\nabc\r\n`)
    const request = await upstream.request(seen)
    if (end === 'reset') client.reset()
    else client.socket.end()
    await t.rejects(request.body(), end)
    await request.gone
    await client.ended
  }
  const short = await wireClient(t, proxy.port)
  short.write(goodRequest('PHONE1', 'abc').slice(0, -1))
  short.socket.end()
  await short.ended
  await isServed(t, proxy)
  t.strictSame(proxy.faults(), [])
})

void t.test('believes no address and no name that a client gives of itself, T-43', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await testProxy(t, { servers: [upstream.url] })
  const client = await wireClient(t, proxy.port)
  const spoofed = ['X-Forwarded-For: 203.0.113.7', 'Forwarded: for=203.0.113.7', 'X-Real-IP: 203.0.113.7']
  client.write(goodRequest().replace('Content-Length', `${spoofed.join('\r\n')}\r\nContent-Length`))
  await client.answer()
  const [request] = upstream.requests
  t.notMatch(JSON.stringify(request?.rawHeaders), '203.0.113.7')
  t.equal(request?.headers['x-forwarded-for'], '127.0.0.1')
  t.match(request?.headers.host, /^127\.0\.0\.1:\d+$/)
  t.equal((await proxy.outcome(0)).clientAddress, '127.0.0.1')
})

void t.test('reads two spaces as one, and sends on one, T-24', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await testProxy(t, { servers: [upstream.url] })
  const client = await wireClient(t, proxy.port)
  client.write(goodRequest().replace('POST ', 'POST  ').replace(' HTTP', '  HTTP'))
  await client.answer()
  t.match(
    upstream.requests[0]?.url,
    /^\/Microsoft-Server-ActiveSync\?Cmd=Sync&User=alice@example\.com&DeviceId=PHONE1&DeviceType=iPhone$/,
  )
})

void t.test('closes every other path, for any method, in any spelling, T-22, T-23, T-25, T-26', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await testProxy(t, { servers: [upstream.url] })
  const eas = '/Microsoft-Server-ActiveSync'
  // prettier-ignore
  const paths = [
    '/', '/owa', '/OWA/', '/EWS/Exchange.asmx', '/ecp', '/mapi/nspi', '/rpc/rpcproxy.dll', '/PowerShell', '/api/v2.0/me',
    '/OAB/oab.xml', '/Exchange', '/public', '/metrics', '/healthz', '/autodiscover', '/autodiscover/',
    '/autodiscover/autodiscover.svc', '/autodiscover/autodiscover.xml/', '/autodiscover/autodiscover.json/x',
    '/autodiscover//autodiscover.xml', '/easgate', '/easgate/', '/easgate/enrol', '/easgate/enroll/../../owa',
    `${eas}/Proxy`, `${eas}/../EWS/Exchange.asmx`, `${eas}/..;/EWS`, `${eas}/%2e%2e/EWS`, `${eas}%2f..%2fEWS`, `${eas}%5c..%5cEWS`,
    `${eas}x`, `${eas}.`, `${eas};x`, `${eas}/default.eas/x`, `${eas}/default.eas.`, `${eas}//`, `${eas}\\`, `${eas}%00`,
    '/Microsoft-Server-ActiveSync%20', '/Microsoft%2DServer-ActiveSync', '/(S(x))/Microsoft-Server-ActiveSync', '/./Microsoft-Server-ActiveSync',
    '/x/../Microsoft-Server-ActiveSync', '/\\Microsoft-Server-ActiveSync', '/CON',
  ]
  for (const path of paths) {
    for (const method of ['GET', 'POST', 'PUT', 'PROPFIND', 'TRACE']) {
      const client = await wireClient(t, proxy.port)
      client.write(goodRequest().replace('POST', method).replace(eas, path))
      const { status } = await client.answer()
      if (status !== 404 && status !== 400) t.fail(`${method} ${path} is answered ${status}`)
      client.socket.destroy()
    }
  }
  t.equal(upstream.requests.length, 0)
  t.equal(proxy.outcomes.length, paths.length * 5)
  t.match(proxy.outcomes[0], { action: 'reject', reason: 'route-closed', status: 404 })
})

void t.test('gives back nothing of a request that it refuses, T-39', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await testProxy(t, { servers: [upstream.url] })
  for (const query of ['Cmd=<script>', 'DeviceId=a%0d%0aX-Evil:1', 'User=%E5%98%8D%E5%98%8Aevil', 'evil=1']) {
    const client = await wireClient(t, proxy.port)
    client.write(goodRequest().replace('Cmd=Sync', query))
    const answer = await client.answer()
    t.equal(answer.status, 400)
    t.notMatch(answer.headerLines.join('\n') + answer.body.toString(), /evil|script/i)
  }
  t.equal(upstream.requests.length, 0)
})

void t.test(
  'ends slow heads, slow bodies and silent connections, and serves others meanwhile, T-44',
  async (t) => {
    const upstream = await recordingUpstream(t)
    const proxy = await testProxy(t, {
      servers: [upstream.url],
      limits: { headersSeconds: 1, requestSeconds: 1 },
    })
    const silent = await wireClient(t, proxy.port)
    const slowHead = await wireClient(t, proxy.port)
    const slowBody = await wireClient(t, proxy.port)
    const startedMs = performance.now()
    slowHead.write('POST /Micro')
    slowBody.write(goodRequest('PHONE1', 'x'.repeat(100)).slice(0, -100))
    const dripping = setInterval(() => {
      slowHead.write('s')
      slowBody.write('x')
    }, 100)
    const answers = Promise.all([silent, slowHead, slowBody].map(untilEnd))
    await isServed(t, proxy)
    const [toSilent = '', toSlowHead = '', toSlowBody = ''] = await answers
    clearInterval(dripping)
    t.ok(performance.now() - startedMs < 8000, 'within the limit and the interval of checks')
    t.match(toSilent, /^HTTP\/1\.1 408 /)
    t.match(toSlowHead, /^HTTP\/1\.1 408 /)
    t.match(toSlowBody, /^HTTP\/1\.1 408 /)
    t.notOk(
      upstream.requests.some(
        ({ method, headers }) => method === 'POST' && headers['content-length'] === '100',
      ),
    )
    await isServed(t, proxy)
  },
)

void t.test('ends a TLS handshake that does not come, T-44', async (t) => {
  const maker = certificateMaker()
  if (maker === undefined) {
    t.pass('skipped: no openssl here')
    return
  }
  t.teardown(maker.remove)
  const { keyFile, certFile } = maker.make({ subject: ['CN=localhost'] })
  const upstream = await recordingUpstream(t)
  const settings = { listen: { tls: { keyFile, certFile } }, limits: { headersSeconds: 1 } }
  const { port } = await testProxy(t, { servers: [upstream.url], ...settings })
  const client = await wireClient(t, port)
  const startedMs = performance.now()
  await client.ended
  t.ok(performance.now() - startedMs < 3000)
})

void t.test('outlives resets, half-closes, odd names and random bytes, T-49', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await testProxy(t, { servers: [upstream.url] })
  const odd = ['__proto__: x', 'constructor: x', 'toString: x', 'hasOwnProperty: x'].join('\r\n')
  const named = await wireClient(t, proxy.port)
  named.write(goodRequest().replace('Content-Length', `${odd}\r\nContent-Length`))
  t.equal((await named.answer()).status, 200)
  t.notMatch(JSON.stringify(upstream.requests[0]?.rawHeaders), /proto|constructor/)

  // the same bytes in every run: a fault can be met again
  let state = 1
  const random = () => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) >>> 16
  for (let run = 0; run < 60; run++) {
    const client = await wireClient(t, proxy.port)
    const bytes = Buffer.from(goodRequest('PHONE1', 'abc'), 'latin1')
    for (let flip = 0; flip < run % 7; flip++) bytes[random() % bytes.length] = random() & 0xff
    client.write(bytes.subarray(0, random() % bytes.length))
    if (run % 3 === 0) client.reset()
    else if (run % 3 === 1) client.socket.end()
    else client.socket.destroySoon()
    await client.ended
  }
  await isServed(t, proxy)
  t.strictSame(proxy.faults(), [])
})

void t.test('gives a port, and frees it', async (t) => {
  const upstream = await recordingUpstream(t)
  const { proxy, port } = await testProxy(t, { servers: [upstream.url] })
  const idle = await wireClient(t, port)
  await proxy.close()
  await idle.ended
  const late = await wireClient(t, port).catch((error: unknown) => error)
  t.match(late, { code: 'ECONNREFUSED' })
})
