import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { createHttpClient, type HttpClientConfig } from '#sources/http/http-client.ts'
import { certificateMaker } from '../../support/certificates.ts'
import { listen } from '../../support/http-answer.ts'
import { httpConfig } from '../../support/mdm.ts'

type Handler = (req: IncomingMessage, res: ServerResponse) => unknown

const maker = certificateMaker()
t.teardown(() => maker?.remove())

function clientOf(t: Test, fields: Readonly<Record<string, unknown>> = {}) {
  const config: HttpClientConfig = httpConfig({ bulkUrl: 'https://unused.example/', ...fields })
  const client = createHttpClient(config)
  t.teardown(() => client.close())
  const { signal } = new AbortController()
  return { get: (url: string, maxBytes = 10_000) => client.get(url, maxBytes, signal), client }
}

async function serve(t: Test, handler: Handler): Promise<string> {
  return `http://127.0.0.1:${await listen(t, (req, res) => void handler(req, res))}`
}

void t.test(
  'gives the JSON and the Link header; our headers and the path are sent as they are',
  async (t) => {
    const seen: IncomingMessage[] = []
    const url = await serve(t, (req, res) => {
      seen.push(req)
      res.setHeader('Link', ['<?page=2>; rel="next"', '<?page=9>; rel="last"'])
      res.end('{"a":"é"}')
    })
    const { get } = clientOf(t, { headers: { 'X-Tenant': 'blue' } })
    t.strictSame(await get(`${url}/v1/a%2Fb?x=%20&y=ä`), {
      json: { a: 'é' },
      link: '<?page=2>; rel="next", <?page=9>; rel="last"',
    })
    t.match(seen, [
      {
        method: 'GET',
        url: '/v1/a%2Fb?x=%20&y=%C3%A4',
        headers: { 'x-tenant': 'blue', accept: 'application/json' },
      },
    ])
  },
)

void t.test('a token is read for each request', async (t) => {
  const tokenFile = join(t.testdir({ token: 'first\n' }), 'token')
  const seen: unknown[] = []
  const url = await serve(t, (req, res) => {
    seen.push(req.headers.authorization, req.headers['x-api-key'])
    res.end('[]')
  })
  const { get } = clientOf(t, { tokenFile })
  await get(url)
  writeFileSync(tokenFile, 'second')
  await get(url)
  await clientOf(t, { tokenFile, tokenHeader: 'X-Api-Key' }).get(url)
  t.strictSame(seen, ['Bearer first', undefined, 'Bearer second', undefined, undefined, 'second'])
  for (const text of ['', 'two\nlines']) {
    writeFileSync(tokenFile, text)
    await t.rejects(get(url), { code: 'HTTP_CREDENTIAL_UNREADABLE', message: /one line/ })
  }
  await t.rejects(clientOf(t, { tokenFile: `${tokenFile}-gone` }).get(url), {
    code: 'HTTP_CREDENTIAL_UNREADABLE',
    message: /token-gone cannot be read/,
  })
})

void t.test('user and password go as Basic', async (t) => {
  const passwordFile = join(t.testdir({ password: 'geheim, ja\n' }), 'password')
  let seen: string | undefined
  const url = await serve(t, (req, res) => {
    seen = req.headers.authorization
    res.end('[]')
  })
  await clientOf(t, { basic: { user: 'easgate', passwordFile } }).get(url)
  t.equal(seen, `Basic ${Buffer.from('easgate:geheim, ja').toString('base64')}`)
})

void t.test('each status has its meaning', async (t) => {
  let status = 0
  let retryAfter: string | undefined
  const url = await serve(t, (_req, res) => {
    if (retryAfter !== undefined) res.setHeader('Retry-After', retryAfter)
    res.writeHead(status, { Location: 'https://elsewhere.example/' }).end('[]')
  })
  const { get } = clientOf(t)
  const rows: [
    status: number,
    retryAfter: string | undefined,
    code: string,
    retryAfterMs?: number | undefined,
  ][] = [
    [404, undefined, 'HTTP_NOT_FOUND'],
    [401, undefined, 'HTTP_UNAUTHORIZED'],
    [403, undefined, 'HTTP_UNAUTHORIZED'],
    [429, undefined, 'HTTP_THROTTLED', undefined],
    [429, '7', 'HTTP_THROTTLED', 7000],
    [429, 'soon', 'HTTP_THROTTLED', undefined],
    [429, 'Thu, 01 Jan 1970 00:00:00 GMT', 'HTTP_THROTTLED', 0],
    [503, '3', 'HTTP_THROTTLED', 3000],
    [503, undefined, 'HTTP_UNAVAILABLE'],
    [500, undefined, 'HTTP_UNAVAILABLE'],
    [302, undefined, 'HTTP_REFUSED'],
    [204, undefined, 'HTTP_REFUSED'],
    [400, undefined, 'HTTP_REFUSED'],
  ]
  for (const [answered, header, code, retryAfterMs] of rows) {
    ;[status, retryAfter] = [answered, header]
    await t.rejects(get(url), { code, retryAfterMs }, `${answered} ${header ?? ''}`)
  }
})

void t.test('what is no whole JSON in UTF-8 is a bad answer', async (t) => {
  let body: string | Buffer = ''
  const url = await serve(t, (_req, res) => void res.end(body))
  const { get } = clientOf(t)
  for (const text of ['', '{"a":', '<html>', Buffer.from([0x22, 0xff, 0x22])]) {
    body = text
    await t.rejects(get(url), { code: 'HTTP_BAD_ANSWER', message: /no whole JSON/ })
  }
  body = JSON.stringify('x'.repeat(20_000))
  await t.rejects(get(url), { code: 'HTTP_BAD_ANSWER', message: /larger than 10000 bytes/ })
})

void t.test('an answer that does not end in time is given up, drop by drop or not at all', async (t) => {
  const sockets: NodeJS.Timeout[] = []
  t.teardown(() => sockets.forEach(clearInterval))
  const url = await serve(t, (req, res) => {
    if (req.url === '/silent') return
    res.writeHead(200)
    sockets.push(setInterval(() => res.write(' '), 50))
  })
  const { get } = clientOf(t, { timeoutSeconds: 1 })
  for (const path of ['/silent', '/drops']) {
    const started = performance.now()
    await t.rejects(get(url + path), { code: 'HTTP_UNREACHABLE', message: /within 1 s/ })
    t.ok(performance.now() - started < 3000)
  }
})

void t.test('a connection that is refused, broken or none of HTTP is an outage', async (t) => {
  const raw = createServer((socket) => void socket.resume().end('SSH-2.0-OpenSSH\r\n'))
  raw.listen(0, '127.0.0.1')
  await once(raw, 'listening')
  const { port } = raw.address() as AddressInfo
  const { get } = clientOf(t)
  await t.rejects(get(`http://127.0.0.1:${port}/`), { code: 'HTTP_UNREACHABLE' })
  raw.close()
  await once(raw, 'close')
  await t.rejects(get(`http://127.0.0.1:${port}/`), { code: 'HTTP_UNREACHABLE', message: /ECONNREFUSED/ })
  const cut = await serve(t, (_req, res) => {
    res.writeHead(200, { 'Content-Length': '100' })
    res.write('[', () => res.destroy())
  })
  await t.rejects(get(cut), { code: 'HTTP_UNREACHABLE' })
})

void t.test('who asked may give up', async (t) => {
  const url = await serve(t, () => undefined)
  const { client } = clientOf(t)
  const abort = new AbortController()
  const asked = client.get(url, 100, abort.signal)
  abort.abort(new Error('enough'))
  await t.rejects(asked, { message: 'enough' })
})

void t.test(
  'mutual TLS: both sides show a certificate of the one CA',
  { skip: maker === undefined },
  async (t) => {
    if (maker === undefined) return
    const ca = maker.make({ subject: ['CN=our CA'] })
    const server = maker.make({ subject: ['CN=mdm'], alternatives: ['IP.1=127.0.0.1'], issuer: ca })
    const client = maker.make({ subject: ['CN=easgate'], issuer: ca })
    const url = await serveTls(t, server, ca.cert, (req, res) => {
      res.end(JSON.stringify((req.socket as TLSSocket).getPeerCertificate().subject.CN))
    })
    const { certFile, keyFile } = client
    const { get } = clientOf(t, { caFile: ca.certFile, certFile, keyFile })
    t.strictSame(await get(url), { json: 'easgate', link: '' })
    await t.rejects(clientOf(t, { caFile: ca.certFile }).get(url), { code: 'HTTP_UNREACHABLE' })
    await t.rejects(clientOf(t, { certFile, keyFile }).get(url), {
      code: 'HTTP_UNREACHABLE',
      message: /certificate/,
    })
    t.throws(() => createHttpClient(httpConfig({ bulkUrl: url, caFile: '/no/such/ca.pem' })), /ENOENT/)
  },
)

async function serveTls(t: Test, { key, cert }: { key: string; cert: string }, ca: string, handler: Handler) {
  const server: Server = createTlsServer(
    { key, cert, ca, requestCert: true, rejectUnauthorized: true },
    (req, res) => void handler(req, res),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
}
