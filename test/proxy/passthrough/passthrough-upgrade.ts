import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { wireClient, type WireClient } from '../../support/http-answer.ts'
import { rawUpstream, refusingUrls } from '../../support/recording-upstream.ts'
import { testProxy, type TestProxySettings } from '../../support/test-proxy.ts'
import { untilEnd } from '../../support/wire-end.ts'

const key = 'dGhlIHNhbXBsZSBub25jZQ=='
const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
const lines = [
  'Host: evil.example',
  'Connection: keep-alive, Upgrade',
  'Upgrade: WebSocket',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${key}`,
]
const agreed = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\nX-BEServer: EX2\r\n\r\n`

function upgrade(headers: readonly string[] = [], target = '/owa/ws?a=b', from = lines): string {
  return `GET ${target} HTTP/1.1\r\n${[...from, ...headers].join('\r\n')}\r\n\r\n`
}

function without(name: string): string[] {
  return lines.filter((line) => !line.startsWith(name))
}

/** A backend's side of one upgrade: its request head, then what the test does with the socket. */
interface UpgradeBackend {
  readonly url: string
  readonly heads: readonly string[]
  /** Resolves with the socket on which the head of that number, from 0, came. */
  readonly socket: (index: number) => Promise<Socket>
}

async function upgradeBackend(t: Test, answer: string): Promise<UpgradeBackend> {
  const heads: string[] = []
  const sockets: Socket[] = []
  const awaited = new Map<number, (socket: Socket) => void>()
  const { url } = await rawUpstream(t, (socket) => {
    socket.once('data', (chunk: Buffer) => {
      const head = chunk.toString('latin1')
      if (head.includes('healthcheck')) {
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
        return
      }
      heads.push(head)
      sockets.push(socket)
      socket.write(answer)
      awaited.get(heads.length - 1)?.(socket)
    })
  })
  return {
    url,
    heads,
    socket: (index) => {
      const known = sockets[index]
      if (known !== undefined) return Promise.resolve(known)
      return new Promise((resolve) => {
        awaited.set(index, resolve)
      })
    },
  }
}

async function opened(t: Test, answer: string, settings: Partial<TestProxySettings> = {}) {
  const backend = await upgradeBackend(t, answer)
  const proxy = await testProxy(t, {
    servers: [backend.url],
    passthrough: ['/owa'],
    listen: { publicUrl: 'https://mail.example.com' },
    ...settings,
  })
  return { backend, proxy }
}

async function nextText(socket: Socket): Promise<string> {
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  return chunk.toString()
}

void t.test('upgrades a websocket of a listed route, and carries bytes both ways', async (t) => {
  const { backend, proxy } = await opened(t, agreed)
  const client = await wireClient(t, proxy.port)
  client.write(
    upgrade([
      'X-BEResource: ex2',
      'X-Forwarded-For: 203.0.113.7',
      'Sec-WebSocket-Protocol: x',
      'HTTP2-Settings: x',
    ]),
  )
  const answer = await client.answer()
  t.equal(answer.status, 101)
  t.equal(answer.header('sec-websocket-accept'), accept)
  t.equal(answer.header('upgrade'), 'websocket')
  t.notMatch(answer.headerLines.join('\n'), 'EX2')
  t.match(await proxy.outcome(0), {
    action: 'allow',
    rule: 'passthrough',
    status: 101,
    backend: 'main',
    clientAddress: '127.0.0.1',
  })

  const [head = ''] = backend.heads
  t.match(head, /^GET \/owa\/ws\?a=b HTTP\/1\.1\r\n/)
  t.match(head, /\r\nhost: mail\.example\.com\r\n/i)
  t.match(head, /\r\nsec-websocket-protocol: x\r\n/i)
  t.match(head, /\r\nx-forwarded-for: 127\.0\.0\.1\r\n/i)
  t.match(head, /\r\nconnection: Upgrade\r\n/i)
  t.notMatch(head, /beresource|203\.0\.113\.7|http2|evil/i)

  const socket = await backend.socket(0)
  for (const text of ['one', 'two']) {
    const there = nextText(socket)
    client.write(text)
    t.equal(await there, text)
    const back = nextText(client.socket)
    socket.write(text.toUpperCase())
    t.equal(await back, text.toUpperCase())
  }
  const gone = once(socket, 'close')
  client.socket.end()
  await gone
  await client.ended
})

void t.test('carries what stands right behind both heads', async (t) => {
  const { backend, proxy } = await opened(t, `${agreed}early`)
  const client = await wireClient(t, proxy.port)
  client.write(`${upgrade()}first`)
  t.equal((await client.answer()).status, 101)
  const socket = await backend.socket(0)
  t.equal(await nextText(socket), 'first')
  const rest = nextText(client.socket)
  socket.write(' late')
  t.match(await rest, 'late')
})

void t.test('each end that goes takes the other with it, whatever way it goes, T-49', async (t) => {
  const { backend, proxy } = await opened(t, agreed)
  const ways: readonly ((client: WireClient, socket: Socket) => void)[] = [
    (client) => client.reset(),
    (client) => client.socket.end(),
    (client) => client.socket.destroy(),
    (_client, socket) => socket.resetAndDestroy(),
    (_client, socket) => socket.end(),
    (_client, socket) => socket.destroy(),
  ]
  for (const [index, leave] of ways.entries()) {
    const client = await wireClient(t, proxy.port)
    client.write(upgrade())
    await client.answer()
    const socket = await backend.socket(index)
    const gone = once(socket, 'close')
    leave(client, socket)
    await gone
    await client.ended
  }
  t.strictSame(proxy.faults(), [])
})

void t.test('a client that leaves before the backend has agreed takes its request with it', async (t) => {
  const { backend, proxy } = await opened(t, '')
  const client = await wireClient(t, proxy.port)
  client.write(upgrade())
  const socket = await backend.socket(0)
  const gone = once(socket, 'close')
  client.socket.destroy()
  await gone
  t.match(await proxy.outcome(0), { status: 499 })
})

void t.test('relays a refusal of the backend, and ends the connection', async (t) => {
  const refusal = 'HTTP/1.1 403 Forbidden\r\nX-BEServer: EX2\r\nContent-Length: 2\r\n\r\nno'
  const { proxy } = await opened(t, refusal)
  const client = await wireClient(t, proxy.port)
  client.write(`${upgrade()}GET /ecp HTTP/1.1\r\nHost: a\r\n\r\n`)
  const answer = await untilEnd(client)
  t.match(answer, /^HTTP\/1\.1 403 Forbidden\r\n[^]*\r\n\r\nno$/)
  t.notMatch(answer, 'EX2')
  t.match(await proxy.outcome(0), { status: 403 })

  const chunked = await opened(
    t,
    'HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n',
  )
  const other = await wireClient(t, chunked.proxy.port)
  other.write(upgrade())
  t.equal((await other.answer()).body.toString(), 'no')
})

void t.test('ends the client where the backend gives no whole answer', async (t) => {
  for (const begin of ['HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nno', 'SSH-2.0-x\r\n\r\n']) {
    const { backend, proxy } = await opened(t, begin)
    const client = await wireClient(t, proxy.port)
    client.write(upgrade())
    const socket = await backend.socket(0)
    const all = untilEnd(client)
    await delay(20)
    socket.destroy()
    t.match(await all, begin.startsWith('HTTP') ? /^HTTP\/1\.1 403 [^]*no$/ : /^HTTP\/1\.1 502 /)
    t.match(await proxy.outcome(0), { status: begin.startsWith('HTTP') ? 403 : 502 })
  }
})

void t.test('answers 503 where nobody listens, and 502 where nobody answers', async (t) => {
  const none = await testProxy(t, { servers: refusingUrls, passthrough: ['/owa'] })
  for (const server of [true, true, false]) {
    const client = await wireClient(t, none.port)
    client.write(upgrade())
    t.match(await untilEnd(client), /^HTTP\/1\.1 503 /)
    t.equal(none.outcomes.at(-1)?.server !== undefined, server)
  }
  const { proxy } = await opened(t, '', { limits: { upstreamSeconds: 1 } })
  const client = await wireClient(t, proxy.port)
  client.write(upgrade())
  t.match(await untilEnd(client), /^HTTP\/1\.1 502 /)
})

void t.test('refuses every other upgrade, T-37', async (t) => {
  const { backend, proxy } = await opened(t, agreed)
  const requests = [
    upgrade([], '/ecp/ws'),
    upgrade([], '/owa/../ecp'),
    upgrade([], '/owa//ws'),
    upgrade([], '/Microsoft-Server-ActiveSync'),
    upgrade([], '/easgate/enroll'),
    upgrade([], 'http://mail.example.com/owa/ws'),
    upgrade(['Content-Length: 3']),
    upgrade(['Transfer-Encoding: chunked']),
    upgrade(['Host: b']),
    upgrade(['Authorization: Basic YTpi', 'Authorization: Basic YTpi']),
    upgrade(['Upgrade: h2c'], '/owa/ws', without('Upgrade')),
    upgrade(['Upgrade: websocket, h2c'], '/owa/ws', without('Upgrade')),
    upgrade().replace('GET', 'POST'),
    upgrade().replace('HTTP/1.1', 'HTTP/1.0'),
  ]
  for (const [index, bytes] of requests.entries()) {
    const client = await wireClient(t, proxy.port)
    client.write(bytes)
    t.match(await untilEnd(client), /^HTTP\/1\.1 40[05] /, bytes.split('\r\n', 1).join())
    t.match(await proxy.outcome(index), { reason: 'malformed-request', action: 'reject' })
  }
  t.strictSame(backend.heads, [])
})

void t.test('close ends what is upgraded', async (t) => {
  const { backend, proxy } = await opened(t, agreed)
  const client = await wireClient(t, proxy.port)
  client.write(upgrade())
  await client.answer()
  const gone = once(await backend.socket(0), 'close')
  await proxy.proxy.close()
  await gone
  await client.ended
})
