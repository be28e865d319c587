import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { basic, chunked, command, easPath, requestBytes, send, type Sent } from '../support/eas-request.ts'
import { wireClient } from '../support/http-answer.ts'
import {
  recordingUpstream,
  usualReply,
  type ReceivedRequest,
  type Reply,
} from '../support/recording-upstream.ts'
import { testProxy, type TestProxySettings } from '../support/test-proxy.ts'

async function before(t: Test, reply: Reply, settings: Partial<TestProxySettings> = {}) {
  const upstream = await recordingUpstream(t, reply)
  const proxy = await testProxy(t, { servers: [upstream.url], ...settings })
  return { upstream, proxy }
}

/** Headers as `name: value`. */
function headersOf(request: ReceivedRequest | undefined): string[] {
  const lines: string[] = []
  const raw = request?.rawHeaders ?? []
  for (let index = 0; index < raw.length; index += 2) lines.push(`${raw[index]}: ${raw[index + 1]}`)
  return lines
}

void t.test('the query goes on byte for byte as it came', async (t) => {
  const { upstream, proxy } = await before(t, usualReply)
  const queries = [
    command('Sync'),
    'User=alice&DeviceId=PHONE1&DeviceType=iPhone&Cmd=Sync',
    'cmd=sync&user=alice&deviceid=phone1&devicetype=iphone',
    'Cmd=Sync&User=EXAMPLE%5calice&DeviceId=PHONE1&DeviceType=iPhone',
    'Cmd=Sync&User=EXAMPLE\\alice&DeviceId=PHONE1&DeviceType=iPhone',
    'Cmd=Sync&User=%61lice%40example.com&DeviceId=PHONE%31&DeviceType=i%50hone',
    "Cmd=GetAttachment&AttachmentName=a!$'()*,:@/b%20c&DeviceId=PHONE1&DeviceType=iPhone",
    'Cmd=SendMail&SaveInSent=T&User=alice&DeviceId=PHONE1&DeviceType=iPhone',
    // 14.0, Sync, ASCII id; with padding and without
    'jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l',
    'jQMJCBBgMOo4NRIhymNelU6Z7jHTBDzZUJwLV2luZG93c01haWwHAQE=',
    'jQMJCBBgMOo4NRIhymNelU6Z7jHTBDzZUJwLV2luZG93c01haWwHAQE',
    // raw + and / in the text
    'jBEHBBAv56KNBMpdPHQi48KtldoWBAAAAAADV1A4',
  ]
  for (const [index, text] of queries.entries()) {
    await send(t, proxy, { query: text })
    t.equal(upstream.requests[index]?.url, `${easPath}?${text}`)
  }
})

void t.test('the path that goes on is a constant, whatever spelling came in (T-26)', async (t) => {
  const { upstream, proxy } = await before(t, usualReply)
  const paths = [
    easPath,
    easPath.toLowerCase(),
    easPath.toUpperCase(),
    `${easPath}/`,
    `${easPath}/default.eas`,
    `${easPath.toLowerCase()}/DEFAULT.EAS`,
  ]
  for (const [index, path] of paths.entries()) {
    t.equal((await send(t, proxy, { path, query: command('Sync') })).status, 200, path)
    t.equal(upstream.requests[index]?.url, `${easPath}?${command('Sync')}`, path)
  }
})

void t.test('OPTIONS goes on bare, whatever stood in its query (T-10)', async (t) => {
  const { upstream, proxy } = await before(t, usualReply)
  const queries = [undefined, '', 'Cmd=Options', 'User=alice&DeviceId=PHONE1&DeviceType=iPhone']
  for (const [index, text] of queries.entries()) {
    const answer = await send(t, proxy, {
      method: 'OPTIONS',
      ...(text !== undefined && { query: text }),
      headers: ['Content-Length: 0'],
    })
    t.equal(answer.status, 200)
    t.equal(answer.header('ms-asprotocolversions'), '14.1,16.1')
    const request = upstream.requests[index]
    t.strictSame([request?.method, request?.url], ['OPTIONS', easPath])
    t.equal(request?.headers['content-length'], undefined)
    t.equal(request?.headers['transfer-encoding'], undefined)
  }
})

void t.test('known headers go on as they came, and nothing else does (T-28, T-29)', async (t) => {
  const { upstream, proxy } = await before(t, usualReply)
  await send(t, proxy, {
    query: command('Sync'),
    headers: [
      'MS-ASProtocolVersion: 16.1',
      'x-ms-policykey: 0',
      'Content-Type: application/vnd.ms-sync.wbxml',
      'User-Agent: Apple-iPhone15C2/2105.219',
      'Accept-Language: en-us',
      'MS-ASAcceptMultiPart: T',
      'X-MS-WL: Outlook',
      'Accept: */*',
      'Accept-Encoding: gzip, deflate',
      // of the way, not of the end
      'Connection: keep-alive, X-Custom',
      'Keep-Alive: timeout=5',
      'TE: trailers',
      'Proxy-Connection: keep-alive',
      'Proxy-Authorization: Basic eA==',
      // what would change the request for some server behind
      'X-Original-URL: /owa',
      'X-Rewrite-URL: /owa',
      'X-HTTP-Method-Override: DELETE',
      'X-HTTP-Method: DELETE',
      'X-BEResource: x',
      'X-AnonResource: true',
      'X-AnonResource-Backend: x',
      'X-CommonAccessToken: x',
      'X-IsFromCafe: 1',
      'msExchLogonAccount: x',
      'X-AnchorMailbox: bob@example.com',
      'X-Custom: x',
      'Authorization_: x',
      'X_Forwarded_For: 1.2.3.4',
      // what we say ourselves
      'Forwarded: for=1.2.3.4',
      'X-Forwarded-For: 1.2.3.4',
      'X-Forwarded-Host: evil.example',
      'X-Forwarded-Proto: https',
      'X-Real-IP: 1.2.3.4',
      'Via: 1.1 evil',
    ],
    body: 'body',
  })
  const { host } = new URL(`http://127.0.0.1:${proxy.port}`)
  t.strictSame(headersOf(upstream.requests[0]), [
    `host: ${new URL(upstream.url).host}`,
    'connection: keep-alive',
    basic(),
    'MS-ASProtocolVersion: 16.1',
    'x-ms-policykey: 0',
    'Content-Type: application/vnd.ms-sync.wbxml',
    'User-Agent: Apple-iPhone15C2/2105.219',
    'Accept-Language: en-us',
    'MS-ASAcceptMultiPart: T',
    'X-MS-WL: Outlook',
    'Accept: */*',
    'Accept-Encoding: gzip, deflate',
    'X-Forwarded-For: 127.0.0.1',
    'X-Forwarded-Proto: http',
    `X-Forwarded-Host: ${host}`,
    'content-length: 4',
  ])
})

void t.test('what is absent stays absent: no policy key is another thing than key 0', async (t) => {
  const { upstream, proxy } = await before(t, usualReply)
  await send(t, proxy, { query: command('Sync') })
  const names = headersOf(upstream.requests[0]).map((line) => line.split(':')[0])
  t.strictSame(names, [
    'host',
    'connection',
    'Authorization',
    'X-Forwarded-For',
    'X-Forwarded-Proto',
    'X-Forwarded-Host',
    'content-length',
  ])
})

/** The bytes of a text as Node gives them of a header. */
function utf8(text: string): string {
  return Buffer.from(text).toString('latin1')
}

void t.test('bytes of a header that are not ASCII are the same bytes on the other side', async (t) => {
  const { upstream, proxy } = await before(t, (_request, res) => {
    res.writeHead(200, { 'Content-Disposition': utf8('attachment; filename="caf\u00e9"') }).end()
  })
  const answer = await send(t, proxy, {
    query: command('Sync'),
    headers: ['User-Agent: t\u00e9l\u00e9phone'],
  })
  t.equal(upstream.requests[0]?.headers['user-agent'], utf8('t\u00e9l\u00e9phone'))
  t.equal(answer.header('content-disposition'), utf8('attachment; filename="caf\u00e9"'))
})

void t.test('of cookies only those of the affinity go on, and come back (T-29)', async (t) => {
  const { upstream, proxy } = await before(t, (_request, res) => {
    res.setHeader('Set-Cookie', ['X-BackEndCookie=new; path=/', 'cadata=x; path=/'])
    res.end()
  })
  const answer = await send(t, proxy, {
    query: command('Sync'),
    headers: [
      'Cookie: cadata=x; X-BackEndCookie=S-1=a=b;  SecurityToken=x;ClientId=1; X-BEResource=y; x-backendcookie2=z',
    ],
  })
  t.equal(upstream.requests[0]?.headers.cookie, 'X-BackEndCookie=S-1=a=b; ClientId=1')
  t.equal(answer.header('set-cookie'), 'X-BackEndCookie=new; path=/')

  await send(t, proxy, { query: command('Sync'), headers: ['Cookie: cadata=x'] })
  t.equal(upstream.requests[1]?.headers.cookie, undefined, 'no cookie is left: no header')
})

void t.test('behind a trusted proxy its word is passed on, with its own address (T-43)', async (t) => {
  const { upstream, proxy } = await before(t, usualReply, {
    listen: { trustedProxies: ['127.0.0.0/8'], publicUrl: 'https://mail.example.com' },
  })
  await send(t, proxy, {
    query: command('Sync'),
    headers: ['X-Forwarded-For: 203.0.113.9', 'X-Forwarded-For: 198.51.100.1'],
  })
  const { headers } = upstream.requests[0] ?? {}
  t.equal(headers?.['x-forwarded-for'], '203.0.113.9, 198.51.100.1, 127.0.0.1')
  t.equal(headers?.['x-forwarded-host'], 'mail.example.com')
  t.equal((await proxy.outcome(0)).clientAddress, '198.51.100.1')
})

void t.test('bodies of every framing arrive whole, and answers too', async (t) => {
  const { upstream, proxy } = await before(t, async (request, res) => {
    res.end(await request.body())
  })
  const small = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  const cases: readonly (readonly [string, Sent, Buffer, string | undefined])[] = [
    ['small', { body: small }, small, '256'],
    ['64 KiB', { body: Buffer.alloc(65_536, 1) }, Buffer.alloc(65_536, 1), '65536'],
    ['and a byte', { body: Buffer.alloc(65_537, 2) }, Buffer.alloc(65_537, 2), '65537'],
    [
      'chunked',
      {
        headers: ['Transfer-Encoding: chunked'],
        body: chunked(small),
      },
      small,
      undefined,
    ],
  ]
  for (const [index, [name, sent, expected, length]] of cases.entries()) {
    const answer = await send(t, proxy, { query: command('SendMail'), ...sent })
    t.ok(answer.body.equals(expected), name)
    if (length !== undefined) t.equal(upstream.requests[index]?.headers['content-length'], length, name)
  }
})

void t.test('a client that waits for 100 Continue is told to go on, once it is allowed (T-36)', async (t) => {
  const { proxy } = await before(t, async (request, res) => void res.end(await request.body()))
  const client = await wireClient(t, proxy.port)
  client.write(
    requestBytes({ query: command('Sync'), headers: ['Expect: 100-continue', 'Content-Length: 4'] }),
  )
  t.equal((await client.answer()).status, 100)
  client.write('body')
  t.equal((await client.answer()).body.toString(), 'body')
})

void t.test('a body over the limit is refused with its code (T-46)', async (t) => {
  const { upstream, proxy } = await before(t, async (request, res) => void res.end(await request.body()), {
    limits: { maxBodyBytes: 100_000 },
  })
  const declared = await send(t, proxy, {
    query: command('SendMail'),
    headers: ['Content-Length: 100001'],
  })
  t.equal(declared.status, 413)
  t.equal(upstream.requests.length, 0)

  const client = await wireClient(t, proxy.port)
  client.write(
    requestBytes({ query: command('SendMail'), headers: ['Transfer-Encoding: chunked'], body: '186a1\r\n' }),
  )
  client.write(Buffer.alloc(100_001))
  t.equal((await client.answer()).status, 413)
  await upstream.requests[0]?.gone
  for (const index of [0, 1]) {
    t.match(await proxy.outcome(index), {
      action: 'reject',
      reason: 'malformed-request',
      status: 413,
      code: 'EAS_BODY_TOO_LARGE',
      user: 'alice@example.com',
      deviceId: 'PHONE1',
      command: 'SendMail',
      backend: 'main',
    })
  }
  t.equal(proxy.proxy.upstreams.backends.get('main')?.servers[0]?.healthy, true)
})

void t.test('a chunked body over a small limit ejects no server, dialled or not', async (t) => {
  const { proxy } = await before(t, () => undefined, { limits: { maxBodyBytes: 1024 } })
  const body = chunked(Buffer.alloc(2048))
  for (let number = 0; number < 5; number++) {
    const headers = ['Transfer-Encoding: chunked']
    t.equal((await send(t, proxy, { query: command('SendMail'), headers, body })).status, 413)
  }
  t.equal(proxy.proxy.upstreams.backends.get('main')?.servers[0]?.healthy, true)
  t.strictSame(proxy.faults(), [])
})

void t.test('random bodies arrive as they were sent', async (t) => {
  const { upstream, proxy } = await before(t, async (request, res) => void res.end(await request.body()))
  for (const length of [1, 1000, 65_535, 65_536, 70_000, 200_000]) {
    const body = randomBytes(length)
    const answer = await send(t, proxy, { query: command('SendMail'), body })
    t.ok(answer.body.equals(body), `${length} bytes`)
  }
  t.equal(upstream.requests.length, 6)
})
