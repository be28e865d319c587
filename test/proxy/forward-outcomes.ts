import t, { type Test } from 'tap'
import type { Dispatcher, Pool } from 'undici'
import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { chunked, command, easPath, requestBytes, send, wbxml } from '../support/eas-request.ts'
import { wireClient } from '../support/http-answer.ts'
import { recordingUpstream, usualReply, type Reply } from '../support/recording-upstream.ts'
import { el } from '../support/simulated-phone.ts'
import { testProxy, type TestProxySettings } from '../support/test-proxy.ts'

async function before(t: Test, reply: Reply, settings: Partial<TestProxySettings> = {}) {
  const upstream = await recordingUpstream(t, reply)
  const proxy = await testProxy(t, { servers: [upstream.url], ...settings })
  return { upstream, proxy }
}

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
  const { proxy } = await before(t, usualReply)
  const server = proxy.proxy.upstreams.backends.get('main')?.servers[0]
  if (server === undefined) throw new Error('no server')
  const apart = captureDispatch(t, server.parkingPool)
  const usual = captureDispatch(t, server.pool)
  for (const row of caps) {
    const bytes = row.body === undefined ? Buffer.alloc(0) : wbxml(row.body)
    const framed = row.chunked === true && { headers: ['Transfer-Encoding: chunked'], body: chunked(bytes) }
    await send(t, proxy, { query: command(row.command), body: bytes, ...framed })
    const name = `${row.command}: ${row.name}`
    const used = [apart(), usual()].map((calls) =>
      calls.map(({ headersTimeout, bodyTimeout }) => [headersTimeout, bodyTimeout]),
    )
    const cap = [[row.seconds * 1000, row.seconds * 1000]]
    t.strictSame(used, row.parks ? [cap, []] : [[], cap], name)
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
