import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { PushSourceConfig } from '#config/sources.ts'
import type { SourceEvent } from '#directory/facts-source.ts'
import { createPushSource, type PushSource } from '#sources/push/push-source.ts'
import { phone, testStore, type TestStore } from '../../support/directory-store.ts'
import { wireClient, type WireAnswer } from '../../support/http-answer.ts'
import { otherPushSecret, pushSecret, signedHeaders } from '../../support/signed-push.ts'

const alice = 'alice@example.com'
const start = Date.parse('2026-06-01T12:00:00Z')

interface SendOptions {
  readonly method?: string
  readonly target?: string
  readonly secret?: string
  /** ms from now. */
  readonly signedIn?: number
  readonly headers?: Readonly<Record<string, string>>
}

interface PushTest extends TestStore {
  readonly push: PushSource
  readonly port: number
  readonly secretFile: string
  readonly events: SourceEvent[]
  readonly logged: { readonly [field: string]: unknown }[]
  readonly waits: { enforced: number }
  /** Sends a body, signed, over a connection of its own. */
  readonly send: (body: unknown, options?: SendOptions) => Promise<WireAnswer>
  /** Writes bytes as they are and gives the answer. */
  readonly write: (bytes: string) => Promise<WireAnswer>
  readonly stateOf: () => string | undefined
}

async function pushTest(t: Test, fields: Partial<PushSourceConfig> = {}): Promise<PushTest> {
  const test = testStore(t, ['push'])
  test.clock.now = start
  const secretFile = join(test.path, '..', 'secrets')
  writeFileSync(secretFile, `${pushSecret}\n`)
  const events: SourceEvent[] = []
  const logged: PushTest['logged'] = []
  const log = (line: object, message: string) => void logged.push({ ...line, message })
  const waits = { enforced: 0 }
  const push = createPushSource({
    name: 'push',
    config: { kind: 'push', address: '127.0.0.1:0', hmacSecretFile: secretFile, ...fields },
    host: '127.0.0.1',
    port: 0,
    store: test.store,
    enforced: async () => void waits.enforced++,
    log: { warn: log, error: log } as never,
    onEvent: (event) => events.push(event),
    now: () => test.clock.now,
  })
  const port = await push.listener.start()
  t.teardown(() => push.listener.close())
  const write = async (bytes: string): Promise<WireAnswer> => {
    const client = await wireClient(t, port)
    client.write(bytes)
    const answer = await client.answer()
    client.socket.destroy()
    return answer
  }
  return {
    ...test,
    push,
    port,
    secretFile,
    events,
    logged,
    waits,
    write,
    send: (
      body,
      { method = 'POST', target = '/facts', secret = pushSecret, signedIn = 0, headers = {} } = {},
    ) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      const all = {
        host: 'easgate',
        'content-length': String(Buffer.byteLength(text)),
        ...signedHeaders(text, { secret, signedAt: test.clock.now + signedIn }),
        ...headers,
      }
      const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
      return write(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n${text}`)
    },
    stateOf: () => test.store.deviceFacts(alice, 'appla')?.value.complianceState,
  }
}

const json = ({ body }: WireAnswer) => JSON.parse(body.toString()) as unknown

void t.test('a signed push is on record and in force when it is answered', async (t) => {
  const { send, stateOf, waits, store, events, push } = await pushTest(t)
  const answer = await send(phone(alice, 'ApplA'))
  t.equal(answer.status, 200)
  t.strictSame(json(answer), {
    records: 1,
    removed: 0,
    changed: 2,
    outdated: 0,
    revision: store.currentRevision(),
  })
  t.equal(stateOf(), 'compliant')
  t.equal(waits.enforced, 1)
  t.strictSame(events, ['pushed'])
  t.strictSame(push.status(), { records: 1, faults: 0, lastCompleteAt: start })
  t.match(store.auditEvents({ limit: 10 }).events.at(0), { actor: 'push', event: 'facts-pushed' })
})

void t.test('lists, and devices that are gone', async (t) => {
  const { send, store } = await pushTest(t)
  await send([phone(alice, 'ApplA'), phone(alice, 'ApplB')])
  t.ok(store.deviceFacts(alice, 'applb'))
  const answer = await send({
    devices: [phone(alice, 'ApplC')],
    removed: [
      { user: alice, deviceId: 'APPLB' },
      { user: alice, deviceId: 'ApplX' },
    ],
  })
  t.match(json(answer), { records: 1, removed: 2, changed: 2 })
  t.strictSame(
    ['appla', 'applb', 'applc'].map((key) => store.deviceFacts(alice, key) !== undefined),
    [true, false, true],
  )
  await send({ removed: [{ user: alice, deviceId: 'ApplA' }] })
  t.equal(store.deviceFacts(alice, 'appla'), undefined)
})

void t.test('one fault refuses the whole, and tells the sender where', async (t) => {
  const { send, stateOf, events } = await pushTest(t)
  const rows: [what: string, body: unknown, answer: object][] = [
    [
      'a record',
      [phone(alice, 'ApplA'), { user: alice, deviceId: 'no id' }],
      { errors: [{ index: 1, field: 'deviceId' }] },
    ],
    ['no JSON', '{"user":', { detail: /no JSON/ }],
    ['another key', { devices: [], remove: [] }, { detail: /nothing beside/ }],
    ['devices that are no list', { devices: phone(alice, 'ApplA') }, { detail: /lists/ }],
    ['removed without a user', { removed: [{ deviceId: 'ApplA' }] }, { detail: /removed/ }],
    [
      'removed with more',
      { removed: [{ user: alice, deviceId: 'ApplA', source: 'file' }] },
      { detail: /removed/ },
    ],
    ['a number', '7', { errors: [{ index: 0 }] }],
  ]
  for (const [what, body, expected] of rows) {
    const answer = await send(body)
    t.equal(answer.status, 400, what)
    t.match(json(answer), expected, what)
  }
  t.equal(stateOf(), undefined)
  t.strictSame([...new Set(events)], ['push-refused'])
})

void t.test('who is not known is told the same, whatever is wrong', async (t) => {
  const test = await pushTest(t)
  const body = JSON.stringify(phone(alice, 'ApplA'))
  const good = signedHeaders(body, { signedAt: start })
  const other = signedHeaders(`${body} `, { signedAt: start })
  const bytes = (...headers: readonly string[]) =>
    `POST /facts HTTP/1.1\r\nhost: e\r\ncontent-length: ${body.length}\r\n${headers.join('')}\r\n${body}`
  const line = (name: keyof typeof good, value: string = good[name]) => `${name}: ${value}\r\n`
  const rows: [what: string, answer: Promise<WireAnswer>][] = [
    ['no headers', test.write(bytes())],
    ['no signature', test.write(bytes(line('easgate-timestamp')))],
    ['no timestamp', test.write(bytes(line('easgate-signature')))],
    [
      'of another body',
      test.write(bytes(line('easgate-timestamp'), line('easgate-signature', other['easgate-signature']))),
    ],
    ['another secret', test.send(body, { secret: otherPushSecret })],
    ['an empty secret', test.send(body, { secret: '' })],
    ['too old', test.send(body, { signedIn: -300_001 })],
    ['too early', test.send(body, { signedIn: 300_001 })],
    [
      'two signatures',
      test.write(bytes(line('easgate-timestamp'), line('easgate-signature'), line('easgate-signature'))),
    ],
    [
      'two timestamps',
      test.write(bytes(line('easgate-timestamp'), line('easgate-timestamp'), line('easgate-signature'))),
    ],
  ]
  const texts = new Set<string>()
  for (const [what, sent] of rows) {
    const answer = await sent
    t.equal(answer.status, 401, what)
    texts.add(
      `${answer.headerLines.filter((header) => !/^date:/i.test(header)).join('\n')}\n${answer.body.toString()}`,
    )
  }
  t.equal(texts.size, 1)
  t.equal(test.stateOf(), undefined)
  t.strictSame(new Set(test.events), new Set(['push-refused']))
})

void t.test('within five minutes of its signing a message is good, on either side', async (t) => {
  const { send, stateOf } = await pushTest(t)
  t.equal(
    (await send(phone(alice, 'ApplA', { complianceState: 'noncompliant' }), { signedIn: -299_000 })).status,
    200,
  )
  t.equal((await send(phone(alice, 'ApplA'), { signedIn: 299_000 })).status, 200)
  t.equal(stateOf(), 'compliant')
})

void t.test('a message counts once: the same bytes again are refused', async (t) => {
  const { send, stateOf, waits } = await pushTest(t)
  const compliant = phone(alice, 'ApplA')
  t.equal((await send(compliant)).status, 200)
  await send(phone(alice, 'ApplA', { complianceState: 'noncompliant' }), { signedIn: 1000 })
  t.equal((await send(compliant)).status, 401)
  t.equal(stateOf(), 'noncompliant')
  t.equal(waits.enforced, 2)
})

void t.test('of the same message, sent many times at once, one counts', async (t) => {
  const { send, events } = await pushTest(t)
  const answers = await Promise.all(Array.from({ length: 20 }, () => send(phone(alice, 'ApplA'))))
  t.equal(answers.filter(({ status }) => status === 200).length, 1)
  t.equal(answers.filter(({ status }) => status === 401).length, 19)
  t.equal(events.filter((event) => event === 'pushed').length, 1)
})

void t.test('an older message that was held back does not undo a newer one', async (t) => {
  const { send, stateOf } = await pushTest(t)
  await send(phone(alice, 'ApplA', { complianceState: 'noncompliant' }))
  const late = await send(phone(alice, 'ApplA'), { signedIn: -10_000 })
  t.equal(late.status, 200)
  t.match(json(late), { outdated: 1, changed: 0 })
  t.equal(stateOf(), 'noncompliant')
})

void t.test('two secrets are good while one is exchanged for another, without a restart', async (t) => {
  const { send, secretFile } = await pushTest(t)
  const statuses = async () => {
    const answers = await Promise.all([
      send('[]', { secret: pushSecret }),
      send('[]', { secret: otherPushSecret }),
    ])
    return answers.map(({ status }) => status)
  }
  t.strictSame(await statuses(), [200, 401])
  writeFileSync(secretFile, `${otherPushSecret}\n${pushSecret}\n`)
  t.strictSame(
    [
      (await send('[ ]', { secret: pushSecret })).status,
      (await send('[]', { secret: otherPushSecret })).status,
    ],
    [200, 200],
  )
  writeFileSync(secretFile, otherPushSecret)
  t.equal((await send('[  ]', { secret: pushSecret })).status, 401)
})

void t.test('without its secrets nothing is taken, and that is told once', async (t) => {
  const { send, secretFile, push, logged, events } = await pushTest(t)
  rmSync(secretFile)
  for (let round = 0; round < 3; round++) t.equal((await send('[]', { signedIn: round })).status, 503)
  t.match(push.status(), { error: /ENOENT/ })
  t.equal(logged.length, 1)
  t.strictSame(events, ['failed', 'failed', 'failed'])
  writeFileSync(secretFile, pushSecret)
  t.equal((await send('[]')).status, 200)
  t.equal(push.status().error, undefined)
})

void t.test('a source does not start without good secrets', async (t) => {
  const { secretFile } = await pushTest(t)
  const create = () =>
    createPushSource({
      name: 'push',
      config: { kind: 'push', address: '127.0.0.1:0', hmacSecretFile: secretFile },
      host: '127.0.0.1',
      port: 0,
      store: undefined as never,
      enforced: async () => undefined,
      log: undefined as never,
      onEvent: () => undefined,
      now: Date.now,
    })
  writeFileSync(secretFile, 'short')
  t.throws(create, { name: 'ConfigError', message: /at least 32/ })
  rmSync(secretFile)
  t.throws(create, { name: 'ConfigError', message: /cannot be read/ })
})

void t.test('before the first message its absences prove nothing; an empty one is enough', async (t) => {
  const { send, store, push } = await pushTest(t)
  await push.start(new AbortController().signal)
  t.equal(store.sourcesComplete(), false)
  await send({ devices: [] })
  t.equal(store.sourcesComplete(), true)
})

void t.test('a store that cannot be written: 503, and the same message may come again', async (t) => {
  const { send, store, push } = await pushTest(t)
  store.close()
  const answer = await send(phone(alice, 'ApplA'))
  t.equal(answer.status, 503)
  t.equal(answer.header('retry-after'), '5')
  t.equal((await send(phone(alice, 'ApplA'))).status, 503, 'not taken for a replay')
  t.ok(push.status().error)
})

void t.test('what is pushed is as old as its last push, changed or not', async (t) => {
  const { send, store, clock } = await pushTest(t)
  const asOf = () => store.deviceFacts(alice, 'appla')?.value.origin.asOf
  await send(phone(alice, 'ApplA'))
  clock.now += 3_600_000
  await send(phone(alice, 'ApplB'))
  t.equal(asOf(), start, 'a push of another device confirms nothing of this one')
  await send(phone(alice, 'ApplA'))
  t.equal(asOf(), start + 3_600_000)
})
