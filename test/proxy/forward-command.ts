import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Dispatcher, Pool } from 'undici'
import type { WbxmlElement } from '#eas/wbxml/element.ts'
import {
  basic,
  chunked,
  command,
  easPath,
  requestBytes,
  send,
  wbxml,
  type Sent,
} from '../support/eas-request.ts'
import { wireClient } from '../support/http-answer.ts'
import {
  recordingUpstream,
  usualReply,
  type ReceivedRequest,
  type Reply,
} from '../support/recording-upstream.ts'
import { el } from '../support/simulated-phone.ts'
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

// --- request line

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

// --- headers

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

// --- bodies

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

// --- how long an answer may take

const upstreamSeconds = 300
const folders = el('Ping:Folders', el('Ping:Folder', el('Ping:Id', '1'), el('Ping:Class', 'Email')))
const collections = el('AirSync:Collections', el('AirSync:Collection', el('AirSync:SyncKey', '1')))

function ping(heartbeat: string): WbxmlElement {
  return el('Ping:Ping', el('Ping:HeartbeatInterval', heartbeat), folders)
}

interface CapRow {
  readonly name: string
  readonly command: string
  readonly body?: WbxmlElement
  readonly chunked?: boolean
  readonly seconds: number
  readonly parks: boolean
}

const caps: readonly CapRow[] = [
  { name: 'its heartbeat and 120 s', command: 'Ping', body: ping('480'), seconds: 600, parks: true },
  { name: 'the longest of Exchange', command: 'Ping', body: ping('3540'), seconds: 3660, parks: true },
  { name: 'never more than that', command: 'Ping', body: ping('999999999'), seconds: 3660, parks: true },
  { name: 'the shortest', command: 'Ping', body: ping('1'), seconds: 121, parks: true },
  {
    name: 'unknown without a heartbeat',
    command: 'Ping',
    body: el('Ping:Ping', folders),
    seconds: 3660,
    parks: true,
  },
  { name: 'unknown where it is no number', command: 'Ping', body: ping('x'), seconds: 3660, parks: true },
  { name: 'unknown without a body', command: 'Ping', seconds: 3660, parks: true },
  {
    name: 'unknown in chunks',
    command: 'Ping',
    body: ping('480'),
    chunked: true,
    seconds: 3660,
    parks: true,
  },
  {
    name: 'the minutes of Wait and 120 s',
    command: 'Sync',
    body: el('AirSync:Sync', el('AirSync:Wait', '10'), collections),
    seconds: 720,
    parks: true,
  },
  {
    name: 'its heartbeat and 120 s',
    command: 'Sync',
    body: el('AirSync:Sync', collections, el('AirSync:HeartbeatInterval', '900')),
    seconds: 1020,
    parks: true,
  },
  {
    name: 'unknown without a body: it repeats a stored request',
    command: 'Sync',
    seconds: 3660,
    parks: true,
  },
  {
    name: 'that of a command where it does not hang',
    command: 'Sync',
    body: el('AirSync:Sync', collections),
    seconds: upstreamSeconds,
    parks: false,
  },
  { name: 'that of a command', command: 'FolderSync', seconds: upstreamSeconds, parks: false },
  {
    name: 'that of a command, whatever its body looks like',
    command: 'SendMail',
    body: ping('480'),
    seconds: upstreamSeconds,
    parks: false,
  },
]

/** The options of each dispatch from here on. */
function captureDispatch(t: Test, pool: Pool): () => Dispatcher.DispatchOptions[] {
  const dispatch = pool.dispatch.bind(pool)
  const calls = t.capture(pool, 'dispatch', dispatch)
  return () => calls().map(({ args }) => args[0])
}

void t.test('the only cap of a parked request is its heartbeat and 120 s', async (t) => {
  for (const row of caps) {
    const { proxy } = await before(t, usualReply)
    const server = proxy.proxy.upstreams.backends.get('main')?.servers[0]
    if (server === undefined) throw new Error('no server')
    const apart = captureDispatch(t, server.parkingPool)
    const usual = captureDispatch(t, server.pool)
    const bytes = row.body === undefined ? Buffer.alloc(0) : wbxml(row.body)
    await send(t, proxy, {
      query: command(row.command),
      ...(row.chunked === true
        ? {
            headers: ['Transfer-Encoding: chunked'],
            body: chunked(bytes),
          }
        : { body: bytes }),
    })
    const used = row.parks ? apart() : usual()
    const name = `${row.command}: ${row.name}`
    t.equal(used.length, 1, `${name}: ${row.parks ? 'a connection of its own' : 'one of the pool'}`)
    const { headersTimeout, bodyTimeout } = used[0] ?? {}
    t.strictSame([headersTimeout, bodyTimeout], [row.seconds * 1000, row.seconds * 1000], name)
  }
})

void t.test('a stall is told as 504, a broken connection as 502, nobody there as 503', async (t) => {
  const silent = await before(t, () => undefined, { limits: { upstreamSeconds: 1 } })
  const broken = await before(t, (_request, res) => void res.destroy())
  const gone = await before(t, usualReply)
  await gone.upstream.stop()
  const cases = [
    [silent, 504],
    [broken, 502],
    [gone, 503],
  ] as const
  for (const [{ proxy }, status] of cases) {
    const answer = await send(t, proxy, { query: command('FolderSync') })
    t.equal(answer.status, status)
    t.equal(answer.header('retry-after'), '60')
    t.match(await proxy.outcome(0), { action: 'unavailable', reason: 'upstream-unavailable', status })
  }
  t.equal((await broken.proxy.outcome(0)).server, new URL(broken.upstream.url).host)
  t.equal((await gone.proxy.outcome(0)).server, undefined)
})

// --- outcomes

void t.test('an answer is told with its status, server and time', async (t) => {
  const { upstream, proxy } = await before(t, (_request, res) => void res.writeHead(507).end())
  await send(t, proxy, { query: command('FolderSync') })
  const outcome = await proxy.outcome(0)
  t.match(outcome, {
    action: 'allow',
    reason: 'not-targeted',
    status: 507,
    server: new URL(upstream.url).host,
  })
  t.ok((outcome.upstreamMs ?? 0) > 0)
})

void t.test('a client that leaves is told as 499', async (t) => {
  const { upstream, proxy } = await before(t, () => undefined)
  const client = await wireClient(t, proxy.port)
  client.write(requestBytes({ query: command('Ping') }))
  const { gone } = await upstream.request(0)
  client.socket.destroy()
  await gone
  t.match(await proxy.outcome(0), { status: 499, action: 'allow' })
  t.equal(proxy.sightings[0], undefined)
})

void t.test('a 401 of the backend is passed on without NTLM, and is no sighting (T-18, T-56)', async (t) => {
  const { proxy } = await before(t, (_request, res) => {
    res.writeHead(401, { 'WWW-Authenticate': ['Negotiate, NTLM, Basic realm="x"'] }).end()
  })
  const answer = await send(t, proxy, { query: command('Sync') })
  t.strictSame([answer.status, answer.header('www-authenticate')], [401, 'Basic realm="x"'])
  t.match(await proxy.outcome(0), { status: 401, action: 'allow' })
  t.equal(proxy.sightings[0], undefined)
})

void t.test('a 451 leads to ourselves, whatever place was named', async (t) => {
  const { proxy } = await before(
    t,
    (_request, res) => {
      res.writeHead(451, { 'X-MS-Location': `https://elsewhere.example.com${easPath}` }).end()
    },
    { listen: { publicUrl: 'https://mail.example.com' } },
  )
  const answer = await send(t, proxy, { query: command('Sync') })
  t.equal(answer.status, 451)
  t.equal(answer.header('x-ms-location'), `https://mail.example.com${easPath}`)
  t.match(await proxy.outcome(0), { status: 451, action: 'allow' })
})

void t.test('X-MS-Location goes nowhere, at any status', async (t) => {
  const { proxy } = await before(t, (_request, res) => {
    res.writeHead(200, { 'X-MS-Location': 'https://elsewhere.example.com/' }).end()
  })
  t.equal((await send(t, proxy, { query: command('Sync') })).header('x-ms-location'), undefined)
})

void t.test('a 451 to a server that is judged by other rules is not followed', async (t) => {
  const cloud = await recordingUpstream(t)
  const { proxy } = await before(
    t,
    (_request, res) => void res.writeHead(451, { 'X-MS-Location': `${cloud.url}${easPath}` }).end(),
    { backends: { cloud: { kind: 'exchange-online', servers: [cloud.url] } } },
  )
  t.equal((await send(t, proxy, { query: command('Sync') })).status, 451)
  t.equal(cloud.requests.length, 0)
})

void t.test('what a device says of itself is read from a copy, of whole and of chunked bodies', async (t) => {
  const { proxy } = await before(t, usualReply)
  const set = el('Settings:Set', el('Settings:Model', 'Pixel 8'), el('Settings:OS', 'Android 14'))
  const settings = wbxml(el('Settings:Settings', el('Settings:DeviceInformation', set)))
  const provision = wbxml(el('Provision:Provision', el('Settings:DeviceInformation', set)))
  await send(t, proxy, { query: command('Settings'), body: settings })
  await send(t, proxy, {
    query: command('Provision'),
    headers: ['Transfer-Encoding: chunked'],
    body: chunked(provision),
  })
  await send(t, proxy, { query: command('Sync'), body: settings })
  await proxy.outcome(2)
  t.strictSame(
    proxy.sightings.map((sighting) => sighting?.information),
    [{ model: 'Pixel 8', os: 'Android 14' }, { model: 'Pixel 8', os: 'Android 14' }, undefined],
  )
})
