import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { certificateMaker } from '../../support/certificates.ts'
import { wireClient } from '../../support/http-answer.ts'
import { passthroughPair, passthroughProxy, passthroughRequest } from '../../support/passthrough-proxy.ts'
import { recordingUpstream, refusingUrls } from '../../support/recording-upstream.ts'

void t.test('passes listed routes, method, path and query to the letter, T-25, T-26', async (t) => {
  const { upstream, proxy } = await passthroughPair(t)
  const client = await wireClient(t, proxy.port)
  const targets = ['/owa', '/OWA/', '/owa/a.b/c~d', `/api/v2/x?a=%27'"<>^\`|{}\\&b=?c&d=%2e%2e/`, '/owa/?']
  for (const [index, target] of targets.entries()) {
    client.write(passthroughRequest(target, [], index % 2 === 0 ? 'GET' : 'PROPFIND'))
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
    const { upstream, proxy } = await passthroughPair(t)
    // prettier-ignore
    const targets = [
    '/', '/owax', '/api', '/api/v22', '/owa/../ecp', '/owa/./x', '/owa//x', '//owa', '/owa\\..\\ecp', '/owa/%2e%2e/ecp', '/owa%2f..',
    '/owa;x', '/owa/x;y', '/owa/(S(x))/y', '/owa/x#y', '/owa/..', '/owa/.', '/owa/ü',
  ]
    for (const target of targets) {
      const client = await wireClient(t, proxy.port)
      client.write(Buffer.from(passthroughRequest(target), 'latin1'))
      const { status } = await client.answer()
      t.ok(status === 404 || status === 400, `${target}: ${status}`)
      client.socket.destroy()
    }
    for (const method of ['TRACE', 'CONNECT']) {
      const client = await wireClient(t, proxy.port)
      client.write(passthroughRequest('/owa/x', [], method))
      const { status } = await client.answer()
      t.ok(status === 405 || status === 400, method)
    }
    t.equal(upstream.requests.length, 0)
  },
)

void t.test('keeps one connection to the backend for each of a client, and shares none, T-18', async (t) => {
  const { upstream, proxy } = await passthroughPair(t)
  const first = await wireClient(t, proxy.port)
  const second = await wireClient(t, proxy.port)
  for (const client of [first, second, first, second]) {
    client.write(passthroughRequest('/owa/x'))
    await client.answer()
  }
  first.write(passthroughRequest('/owa/1') + passthroughRequest('/owa/2') + passthroughRequest('/owa/3'))
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
  second.write(passthroughRequest('/owa/x'))
  t.equal((await second.answer()).status, 200, 'the end of one is not the end of the other')
})

void t.test('passes the handshake of NTLM, whose steps belong to one connection, T-18', async (t) => {
  const steps = new Map<number, number>()
  const { proxy } = await passthroughPair(t, ({ connection, headers }, res) => {
    const step = (steps.get(connection) ?? 0) + (headers.authorization === undefined ? 0 : 1)
    steps.set(connection, step)
    if (step < 2) {
      const challenge = step === 0 ? ['Negotiate', 'NTLM'] : ['NTLM TlRMTVNTUAAC']
      res.writeHead(401, { 'WWW-Authenticate': challenge, 'Content-Length': 0 }).end()
    } else res.end('in')
  })
  const client = await wireClient(t, proxy.port)
  client.write(passthroughRequest('/owa/x'))
  t.equal((await client.answer()).header('www-authenticate'), 'Negotiate, NTLM')
  client.write(passthroughRequest('/owa/x', ['Authorization: NTLM TlRMTVNTUAAB']))
  t.equal((await client.answer()).header('www-authenticate'), 'NTLM TlRMTVNTUAAC')
  client.write(passthroughRequest('/owa/x', ['Authorization: NTLM TlRMTVNTUAAD']))
  t.equal((await client.answer()).body.toString(), 'in')
  const stranger = await wireClient(t, proxy.port)
  stranger.write(passthroughRequest('/owa/x'))
  t.equal((await stranger.answer()).status, 401, 'another client is nobody yet')
})

void t.test('answers 503 where no server takes a connection, and ejects it', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await passthroughProxy(t, refusingUrls)
  const client = await wireClient(t, proxy.port)
  for (const server of [...refusingUrls, undefined]) {
    client.write(passthroughRequest('/owa/x'))
    const answer = await client.answer()
    t.equal(answer.status, 503)
    t.ok(answer.header('retry-after'))
    t.equal(proxy.outcomes.at(-1)?.server === undefined, server === undefined, 'none is left to ask at last')
  }
  const mixed = await passthroughProxy(t, [...refusingUrls, upstream.url])
  const other = await wireClient(t, mixed.port)
  const statuses: number[] = []
  while (statuses.at(-1) !== 200 && statuses.length < 4) {
    other.write(passthroughRequest('/owa/x'))
    statuses.push((await other.answer()).status)
  }
  t.equal(statuses.at(-1), 200, 'the same client connection reaches the server that is left')
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
    const { port } = server.address() as AddressInfo
    const proxy = await passthroughProxy(t, [`https://localhost:${port}`], {
      backend: caFile === undefined ? {} : { caFile },
    })
    const client = await wireClient(t, proxy.port)
    client.write(passthroughRequest('/owa/x'))
    t.equal((await client.answer()).status, status)
  }
})
