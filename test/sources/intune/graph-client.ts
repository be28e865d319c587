import { createServer, type RequestListener } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { createGraphClient } from '#sources/intune/graph-client.ts'
import { graphCalls } from '#sources/intune/graph-calls.ts'
import type { Clock } from '#sources/clock.ts'
import { createTransport } from '#sources/intune/transport.ts'
import { intuneTest } from '../../support/intune.ts'
import { manualClock, type ManualClock } from '../../support/manual-clock.ts'

const { signal } = new AbortController()
const call = graphCalls.managedDevices
const now = Date.parse('2026-03-01T12:00:00Z')

/** A Graph of the test's own, and a client whose clock the test moves. */
async function graph(t: Test, handler: RequestListener, clock: Clock = manualClock()) {
  const server = createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const transport = createTransport()
  t.teardown(async () => {
    await transport.close()
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  let tokens = 0
  const discarded: string[] = []
  const client = createGraphClient({
    graphUrl: `http://127.0.0.1:${port}`,
    clientId: 'the-app',
    tokens: { token: async () => `token-${tokens}`, discard: (token) => (discarded.push(token), tokens++) },
    transport,
    clock,
    random: () => 0,
    now: () => now,
  })
  const ask = (path = '/x', priority: 'high' | 'low' = 'low', of = signal) =>
    client.ask({ call, url: client.urlOf(path), priority, signal: of })
  return { client, ask, discarded }
}

/** Answers one after the other; the last one for good. */
function script(
  ...answers: readonly (readonly [status: number, body: unknown, headers?: Record<string, string>])[]
) {
  let at = 0
  const seen: { url: string | undefined; headers: Record<string, unknown> }[] = []
  const handler: RequestListener = (req, res) => {
    const [status, body, headers] = answers[Math.min(at++, answers.length - 1)] ?? [500, {}]
    seen.push({ url: req.url, headers: req.headers })
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    res.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers }).end(text)
  }
  return { handler, seen, count: () => at }
}

const error = (code: string, message = 'words') => ({ error: { code, message } })

/** Moves the clock until the question is answered. */
async function settled<Value>(clock: ManualClock, question: Promise<Value>, stepMs = 1000): Promise<Value> {
  const over = question.then(
    () => 'over',
    () => 'over',
  )
  for (;;) {
    if ((await Promise.race([over, clock.asleep()])) === 'over') return question
    await clock.advance(stepMs)
  }
}

void t.test('asks with a token and its priority, and gives the object', async (t) => {
  const { handler, seen } = script([200, { value: [] }])
  const { ask } = await graph(t, handler)
  t.strictSame(await ask('/users/a%20b', 'high'), { value: [] })
  t.match(seen, [
    {
      url: '/v1.0/users/a%20b',
      headers: {
        authorization: 'Bearer token-0',
        accept: 'application/json',
        'x-ms-throttle-priority': 'high',
      },
    },
  ])
})

void t.test('encodes parameters, leaves a link as it is', async (t) => {
  const { handler, seen } = script([200, {}])
  const { client, ask } = await graph(t, handler)
  const url = client.urlOf('/users', { $filter: "mail eq 'a+b@x'", $top: '5' })
  await client.ask({ call, url, priority: 'low', signal })
  await client.ask({ call, url: `${client.urlOf('/x')}?$skiptoken=a%2bB%2f&x=%zz`, priority: 'low', signal })
  await ask()
  t.same(
    seen.map((request) => request.url),
    ["/v1.0/users?$filter=mail%20eq%20'a%2Bb%40x'&$top=5", '/v1.0/x?$skiptoken=a%2bB%2f&x=%zz', '/v1.0/x'],
  )
})

void t.test('429 with Retry-After: nobody asks before it is over, look-ups neither', async (t) => {
  const clock = manualClock()
  const { handler, count } = script(
    [429, error('TooManyRequests'), { 'retry-after': '7' }],
    [200, { ok: true }],
  )
  const { ask } = await graph(t, handler, clock)
  const first = ask()
  await clock.asleep()
  const lookUp = ask('/y', 'high')
  await clock.advance(6999)
  t.equal(count(), 1)
  await clock.advance(1)
  t.strictSame(await Promise.all([first, lookUp]), [{ ok: true }, { ok: true }])
})

void t.test('a Retry-After that is a date is heeded, one without end is not', async (t) => {
  const inTen = new Date(now + 10_000).toUTCString()
  const clock = manualClock()
  const { handler, count } = script(
    [429, {}, { 'retry-after': inTen }],
    [503, {}, { 'retry-after': '99999999' }],
    [200, {}],
  )
  const { ask } = await graph(t, handler, clock)
  const asked = ask()
  await clock.asleep()
  t.same(clock.sleeping(), [10_000])
  await clock.advance(10_000)
  await clock.asleep()
  t.same(clock.sleeping(), [600_000])
  await clock.advance(600_000)
  await asked
  t.equal(count(), 3)
})

void t.test('429 without Retry-After: pauses that double', async (t) => {
  const clock = manualClock()
  const { handler } = script([429, {}], [429, {}], [429, {}], [200, {}])
  const { ask } = await graph(t, handler, clock)
  const asked = ask()
  const pauses: number[] = []
  for (let time = 0; time < 3; time++) {
    await clock.asleep()
    const [pause = 0] = clock.sleeping()
    pauses.push(pause)
    await clock.advance(pause)
  }
  await asked
  t.same(pauses, [2000, 4000, 8000])
})

void t.test(
  '503 without Retry-After, cut connections and broken answers are tried again, in time given up',
  async (t) => {
    const faults: readonly (readonly [title: string, RequestListener, code: string])[] = [
      ['503', (_req, res) => res.writeHead(503).end(), 'GRAPH_UNAVAILABLE'],
      ['cut before the head', (req) => req.socket.destroy(), 'GRAPH_UNREACHABLE'],
      [
        'cut in the body',
        (req, res) => {
          res.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).write('{')
          setImmediate(() => req.socket.destroy())
        },
        'GRAPH_UNREACHABLE',
      ],
      [
        'half the JSON',
        (_req, res) => res.setHeader('content-type', 'application/json').end('{"value":['),
        'GRAPH_BAD_ANSWER',
      ],
      ['HTML', (_req, res) => res.setHeader('content-type', 'text/html').end('<html>'), 'GRAPH_BAD_ANSWER'],
      [
        'a list',
        (_req, res) => res.setHeader('content-type', 'application/json').end('[]'),
        'GRAPH_BAD_ANSWER',
      ],
    ]
    for (const [title, fault, code] of faults) {
      const clock = manualClock()
      let calls = 0
      let faultsLeft = 2
      const { ask } = await graph(
        t,
        (req, res) => {
          calls++
          if (faultsLeft-- > 0) fault(req, res)
          else res.setHeader('content-type', 'application/json').end('{"good":true}')
        },
        clock,
      )
      t.strictSame(await settled(clock, ask()), { good: true }, title)
      t.equal(calls, 3, title)
      faultsLeft = Infinity
      calls = 0
      await t.rejects(settled(clock, ask()), { code }, title)
      t.equal(calls, 5, title)
    }
  },
)

void t.test('a look-up is told after two tries', async (t) => {
  const clock = manualClock()
  const { handler, count } = script([500, {}])
  const { ask } = await graph(t, handler, clock)
  await t.rejects(settled(clock, ask('/x', 'high')), { code: 'GRAPH_UNAVAILABLE' })
  t.equal(count(), 2)
})

void t.test('a Graph that is down is left alone, and asked by one call after a pause', async (t) => {
  const clock = manualClock()
  const { handler, count } = script(
    [500, {}],
    [500, {}],
    [500, {}],
    [500, {}],
    [500, {}],
    [500, {}],
    [200, { ok: true }],
  )
  const { ask } = await graph(t, handler, clock)
  await t.rejects(settled(clock, ask()), { code: 'GRAPH_UNAVAILABLE' })
  t.equal(count(), 5)
  await t.rejects(ask('/x', 'high'), { code: 'GRAPH_PAUSED', message: /not asked for a while: .*500/ })
  t.equal(count(), 5)
  await clock.advance(60_000)
  const [probe, other] = [ask('/x', 'high'), ask('/y', 'high')]
  await t.rejects(other, { code: 'GRAPH_PAUSED' }, 'one finds out for all')
  await t.rejects(settled(clock, probe, 100))
  t.equal(count(), 6)
  await clock.advance(60_000)
  t.strictSame(await ask(), { ok: true })
  t.strictSame(await ask(), { ok: true })
})

void t.test('401: the token is discarded, and another one tried', async (t) => {
  const { handler, seen } = script([401, error('InvalidAuthenticationToken')], [200, {}])
  const { ask, discarded } = await graph(t, handler)
  await ask('/x', 'high')
  t.same(discarded, ['token-0'])
  t.same(
    seen.map(({ headers }) => headers['authorization']),
    ['Bearer token-0', 'Bearer token-1'],
  )
  const always = await graph(t, script([401, error('InvalidAuthenticationToken')]).handler)
  await t.rejects(always.ask('/x', 'high'), { code: 'GRAPH_UNAUTHORIZED' })
})

void t.test('what Graph refuses is not asked again', async (t) => {
  const cases: readonly (readonly [status: number, body: unknown, code: string, message: RegExp])[] = [
    [
      403,
      error('Forbidden'),
      'GRAPH_FORBIDDEN',
      /DeviceManagementManagedDevices\.Read\.All to app the-app.*consent/,
    ],
    [404, error('ResourceNotFound'), 'GRAPH_NOT_FOUND', /ResourceNotFound/],
    [404, error('Request_ResourceNotFound'), 'GRAPH_NOT_FOUND', /none of these/],
    [410, error('resyncRequired'), 'GRAPH_GONE', /forgotten/],
    [400, error('syncStateNotFound'), 'GRAPH_GONE', /forgotten/],
    [
      400,
      error('BadRequest', 'Invalid filter\r\nclause'),
      'GRAPH_REFUSED',
      /400 .*BadRequest: Invalid filter clause/,
    ],
  ]
  for (const [status, body, code, message] of cases) {
    const { handler, count } = script([status, body])
    const { ask } = await graph(t, handler)
    await t.rejects(ask(), { code, message })
    t.equal(count(), 1, code)
  }
})

void t.test('a 404 of something that is not Graph is none', async (t) => {
  const clock = manualClock()
  const { ask } = await graph(t, script([404, 'Not Found', { 'content-type': 'text/html' }]).handler, clock)
  await t.rejects(settled(clock, ask('/x', 'high')), { code: 'GRAPH_BAD_ANSWER' })
  const empty = await graph(t, script([404, {}]).handler, clock)
  await t.rejects(settled(clock, empty.ask('/x', 'high')), { code: 'GRAPH_BAD_ANSWER' })
})

void t.test("Intune's error within an error is read", async (t) => {
  const { double, context } = await intuneTest(t, {
    apps: [{ permissions: ['User.Read.All'] }],
    behaviour: { forbidden: 'unknown-error' },
  })
  const { client } = context
  const ask = () =>
    client.ask({ call, url: client.urlOf('/deviceManagement/managedDevices'), priority: 'low', signal })
  const forbidden = { code: 'GRAPH_FORBIDDEN', message: /DeviceManagementManagedDevices\.Read\.All/ }
  await t.rejects(ask(), forbidden)
  await t.rejects(ask(), { message: /\((?!UnknownError)[^{}]*\)$/ })
  await double.behave({ forbidden: 'forbidden' })
  await t.rejects(ask(), forbidden)
})

void t.test('a directory that warns is asked more slowly', async (t) => {
  const clock = manualClock()
  const { handler, count } = script([200, {}, { 'x-ms-throttle-limit-percentage': '0.9' }], [200, {}])
  const { ask } = await graph(t, handler, clock)
  await ask()
  const second = ask()
  await clock.asleep()
  await ask('/y', 'high')
  t.equal(count(), 2, 'look-ups go on')
  await clock.advance(2000)
  await second
})

void t.test('who asks can give up', async (t) => {
  const { ask } = await graph(t, () => undefined)
  const abort = new AbortController()
  const asked = ask('/x', 'high', abort.signal)
  setImmediate(() => abort.abort(new Error('too late')))
  await t.rejects(asked, /too late/)
})

void t.test('an answer without end is cut off', async (t) => {
  const clock = manualClock()
  const { ask } = await graph(
    t,
    (_req, res) => {
      res.writeHead(200, { 'content-type': 'application/json' })
      const chunk = Buffer.alloc(1024 * 1024, ' ')
      const more = (): void => {
        while (!res.destroyed && res.write(chunk));
        if (!res.destroyed) res.once('drain', more)
      }
      more()
    },
    clock,
  )
  await t.rejects(settled(clock, ask('/x', 'high')), {
    code: 'GRAPH_BAD_ANSWER',
    message: /larger than any page/,
  })
})

void t.test('nothing that listens is told', async (t) => {
  const transport = createTransport()
  t.teardown(() => transport.close())
  const request = { method: 'GET', url: 'http://127.0.0.1:9/x', headers: {}, signal } as const
  await t.rejects(transport.send(request), {
    code: 'GRAPH_UNREACHABLE',
    message: /http:\/\/127\.0\.0\.1:9 cannot be reached/,
  })
  await t.rejects(transport.send({ ...request, url: '/x' }), { code: 'GRAPH_BAD_ANSWER' })
})
