import t from 'tap'
import { forward } from '#proxy/forward.ts'
import { chunked } from '../support/eas-request.ts'
import { everyByte, exchange, front, post, userAtHomeOn } from '../support/front.ts'
import { listen, wireClient } from '../support/http-answer.ts'
import { rawUpstream, recordingUpstream, refusingUrls, type Reply } from '../support/recording-upstream.ts'
import { testUpstreams } from '../support/test-upstreams.ts'

void t.test('tries the next server where the dial failed, with the body, once', async (t) => {
  const bodies = {
    whole: post(everyByte),
    streamed: post(Buffer.concat([everyByte, Buffer.alloc(70_000)])),
    chunked: post(chunked(everyByte), 'Transfer-Encoding: chunked'),
  }
  for (const [name, bytes] of Object.entries(bodies)) {
    const upstream = await recordingUpstream(t, async (request, res) => {
      res.end((await request.body()).subarray(0, 256))
    })
    // affinity picks the first: with each user another of the three may be it
    for (const user of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const proxy = await front(t, [...refusingUrls, upstream.url], { user })
      const answer = await exchange(t, proxy, bytes)
      t.ok(answer.body.equals(everyByte), `${name}, ${user}`)
      for (const server of proxy.backend.servers) {
        if (server.origin === upstream.url) t.ok(server.healthy)
      }
    }
    t.equal(upstream.requests.length, 6, `${name}: each came exactly once`)
  }
})

void t.test('a server whose dial failed is ejected', async (t) => {
  const upstream = await recordingUpstream(t)
  const servers = [refusingUrls[0], upstream.url]
  const proxy = await front(t, servers, { user: userAtHomeOn(t, servers, refusingUrls[0]) })
  await exchange(t, proxy, post(''))
  t.strictSame(
    proxy.backend.servers.map(({ healthy }) => healthy),
    [false, true],
  )
})

void t.test('where no server takes a connection nothing was sent', async (t) => {
  const proxy = await front(t, refusingUrls)
  t.equal((await exchange(t, proxy, post('body'))).status, 503)
  t.strictSame(await proxy.result(0), { kind: 'unreachable' })
  t.equal((await exchange(t, proxy, post('body'))).status, 503, 'both are ejected now')
})

void t.test('never sends twice what may have been read (T-40)', async (t) => {
  const arrivals = { first: 0, second: 0 }
  const resetting = (name: 'first' | 'second') =>
    rawUpstream(t, (socket) => {
      socket.once('data', () => {
        arrivals[name]++
        socket.resetAndDestroy()
      })
    })
  const servers = [await resetting('first'), await resetting('second')]
  const bodies = [
    post('small'),
    post(Buffer.alloc(100_000)),
    post(chunked(everyByte), 'Transfer-Encoding: chunked'),
  ]
  for (const bytes of bodies) {
    const proxy = await front(
      t,
      servers.map(({ url }) => url),
    )
    t.equal((await exchange(t, proxy, bytes)).status, 503)
    t.match(await proxy.result(0), { kind: 'failed', timedOut: false })
    t.ok(
      proxy.backend.servers.every((server) => server.healthy),
      'a server that answers badly is not ejected for it',
    )
  }
  t.equal(arrivals.first + arrivals.second, bodies.length)
})

void t.test('a half-read body ends the connection of its client', async (t) => {
  const upstream = await rawUpstream(t, (socket) => {
    socket.once('data', () => socket.resetAndDestroy())
  })
  const proxy = await front(t, [upstream.url])
  const client = await wireClient(t, proxy.port)
  client.write(post('x', 'Content-Length: 100000'))
  const answer = await client.answer()
  t.equal(answer.header('connection'), 'close')
  await client.ended
})

void t.test('a request that undici does not take is a fault of ours, and ejects nobody', async (t) => {
  const upstream = await recordingUpstream(t)
  const { upstreams, backend } = testUpstreams(t, [upstream.url])
  const port = await listen(t, (_req, res) => {
    const { result } = forward(
      upstreams,
      {
        backend,
        user: 'alice',
        method: 'POST',
        path: '/',
        headers: ['bad name', 'x'],
        body: { kind: 'whole', bytes: Buffer.alloc(0) },
        parks: false,
        answerTimeoutMs: 1000,
        clientStallMs: 1000,
      },
      res,
    )
    result.catch((error: Error) => res.end(error.message))
  })
  const client = await wireClient(t, port)
  client.write(post(''))
  t.match((await client.answer()).body.toString(), /invalid header/)
  t.equal(backend.servers[0]?.healthy, true)
  t.equal(upstream.requests.length, 0)
})

const movedTo =
  (location: string | undefined): Reply =>
  async (request, res) => {
    await request.body()
    res.writeHead(451, location === undefined ? {} : { 'X-MS-Location': location }).end()
  }

void t.test('a 451 to another server of ours is followed, with the body (protocol.md 7)', async (t) => {
  const home = await recordingUpstream(t, async (request, res) => void res.end(await request.body()))
  const first = await recordingUpstream(t, movedTo(`${home.url}/Microsoft-Server-ActiveSync`))
  // `home` is known, but not one of the healthy servers that the user would meet
  const proxy = await front(t, [first.url, home.url])
  const homeServer = proxy.backend.servers[1]
  if (homeServer !== undefined) homeServer.healthy = false
  const answer = await exchange(t, proxy, post(everyByte))
  t.ok(answer.body.equals(everyByte))
  t.equal(answer.header('x-ms-location'), undefined)
  t.match(await proxy.result(0), { kind: 'answered', server: { origin: home.url } })
  t.equal(home.requests[0]?.url, '/Microsoft-Server-ActiveSync?Cmd=Sync')
})

void t.test('a 451 that leads elsewhere, back, or nowhere is told as such', async (t) => {
  for (const location of [
    'https://elsewhere.example.com/Microsoft-Server-ActiveSync',
    'not a URL',
    undefined,
  ]) {
    const upstream = await recordingUpstream(t, movedTo(location))
    const proxy = await front(t, [upstream.url])
    t.equal((await exchange(t, proxy, post('body'))).status, 503)
    t.match(await proxy.result(0), { kind: 'moved' })
    t.equal(upstream.requests.length, 1)
  }
})

void t.test('a 451 to a server of ours that is down reaches nobody, and ejects that one', async (t) => {
  const first = await recordingUpstream(t, movedTo(refusingUrls[0]))
  const servers = [first.url, refusingUrls[0]]
  const proxy = await front(t, servers, { user: userAtHomeOn(t, servers, first.url) })
  t.equal((await exchange(t, proxy, post('body'))).status, 503)
  t.strictSame(await proxy.result(0), { kind: 'unreachable' })
  t.strictSame(
    proxy.backend.servers.map(({ healthy }) => healthy),
    [true, false],
  )
})

void t.test('two servers that point at each other are asked once each', async (t) => {
  const replies: Reply[] = []
  const reply: Reply = (request, res) => replies[0]?.(request, res)
  const one = await recordingUpstream(t, reply)
  const two = await recordingUpstream(t, (request, res) => movedTo(one.url)(request, res))
  replies.push(movedTo(two.url))
  const proxy = await front(t, [one.url, two.url])
  t.equal((await exchange(t, proxy, post('body'))).status, 503)
  t.match(await proxy.result(0), { kind: 'moved' })
  t.strictSame([one.requests.length, two.requests.length], [1, 1])
})

void t.test('a streamed body is gone, so a 451 to it is not followed', async (t) => {
  const home = await recordingUpstream(t)
  const first = await recordingUpstream(t, movedTo(home.url))
  const proxy = await front(t, [first.url, home.url])
  const homeServer = proxy.backend.servers[1]
  if (homeServer !== undefined) homeServer.healthy = false
  await exchange(t, proxy, post(Buffer.alloc(100_000)))
  t.match(await proxy.result(0), { kind: 'moved' })
  t.equal(home.requests.length, 0)
})

void t.test('a request that was moved is still ended with its client, and by us', async (t) => {
  for (const how of ['client', 'us'] as const) {
    const home = await recordingUpstream(t, () => undefined)
    const first = await recordingUpstream(t, movedTo(home.url))
    const proxy = await front(t, [first.url, home.url])
    const homeServer = proxy.backend.servers[1]
    if (homeServer !== undefined) homeServer.healthy = false
    const client = await wireClient(t, proxy.port)
    client.write(post('ping'))
    const { gone } = await home.request(0)
    if (how === 'client') client.socket.destroy()
    else proxy.forwardings[0]?.abandon()
    await gone
    t.match(await proxy.result(0), { kind: 'abandoned' }, how)
  }
})
