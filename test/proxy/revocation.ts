import t, { type Test } from 'tap'
import type { FactsRecord } from '#directory/record.ts'
import { basic, command, requestBytes, send, wbxml } from '../support/eas-request.ts'
import { wireClient, type WireClient } from '../support/http-answer.ts'
import { recordingUpstream, usualAnswer, usualReply, type Reply } from '../support/recording-upstream.ts'
import { el } from '../support/simulated-phone.ts'
import { testProxy, type TestProxySettings } from '../support/test-proxy.ts'

async function before(t: Test, reply: Reply, settings: Partial<TestProxySettings> = {}) {
  const upstream = await recordingUpstream(t, reply)
  const proxy = await testProxy(t, { servers: [upstream.url], ...settings })
  return { upstream, proxy }
}

const ping = el('Ping:Ping', el('Ping:HeartbeatInterval', '480'))
const collections = el('AirSync:Collections', el('AirSync:Collection', el('AirSync:SyncKey', '1')))

const compliant: FactsRecord = {
  user: 'alice@example.com',
  deviceId: 'PHONE1',
  enrolled: true,
  registered: true,
  complianceState: 'compliant',
}
const revoked: FactsRecord = { ...compliant, complianceState: 'noncompliant' }
const enforced = { policy: {}, facts: [compliant] }

const silentButForProofs: Reply = (request, res) => {
  if (request.method === 'OPTIONS') return usualReply(request, res)
}

/** Sends a command that Exchange does not answer, and revokes the device once `when` has come. */
async function revoke(
  t: Test,
  {
    name,
    version,
    body = '',
    headers = [],
  }: { name: string; version: string; body?: Buffer | string; headers?: string[] },
) {
  const opened = await before(t, silentButForProofs, enforced)
  const client = await wireClient(t, opened.proxy.port)
  client.write(
    requestBytes({ query: command(name), body, headers: [`MS-ASProtocolVersion: ${version}`, ...headers] }),
  )
  const request = await opened.upstream.request(0)
  await opened.proxy.know(revoked)
  await request.gone
  return { ...opened, client }
}

async function hexOf(client: WireClient): Promise<readonly [number, string]> {
  const { status, body } = await client.answer()
  return [status, body.toString('hex')]
}

const blocked = { action: 'block', reason: 'noncompliant' }

void t.test('a Ping ends when its device is revoked, here and at the backend (T-53)', async (t) => {
  for (const version of ['12.1', '14.1', '16.1']) {
    const { client, proxy } = await revoke(t, { name: 'Ping', version, body: wbxml(ping) })
    t.strictSame(await hexOf(client), [200, '03016a00000d45470337000101'], 'status 7: sync your folders')
    t.match(await proxy.outcome(0), { ...blocked, status: 200 })
    t.equal(proxy.sightings[0], undefined)
    client.write(
      requestBytes({ query: command('FolderSync'), headers: [`MS-ASProtocolVersion: ${version}`] }),
    )
    t.strictSame(
      await hexOf(client),
      version === '12.1' ? [403, ''] : [200, '03016a000007564c03313239000101'],
      'its connection lives, and the next request is refused',
    )
  }
})

void t.test('a hanging Sync ends without changes, any other is refused', async (t) => {
  const hanging = wbxml(el('AirSync:Sync', el('AirSync:Wait', '10'), collections))
  const { client } = await revoke(t, { name: 'Sync', version: '14.1', body: hanging })
  t.strictSame(await hexOf(client), [200, ''])
  const empty = await revoke(t, { name: 'Sync', version: '14.1' })
  t.strictSame(await hexOf(empty.client), [200, ''])
  const short = await revoke(t, {
    name: 'Sync',
    version: '14.1',
    body: wbxml(el('AirSync:Sync', collections)),
  })
  t.strictSame(await hexOf(short.client), [200, '03016a00454e03313239000101'])
  const old = await revoke(t, {
    name: 'Sync',
    version: '12.1',
    body: wbxml(el('AirSync:Sync', collections)),
  })
  t.strictSame(await hexOf(old.client), [403, ''])
})

void t.test('a command is refused in its middle, and an upload is not read on', async (t) => {
  const { client } = await revoke(t, { name: 'ItemOperations', version: '14.1', body: 'x' })
  t.strictSame(await hexOf(client), [200, '03016a000014454d03313239000101'])

  const upload = await revoke(t, {
    name: 'SendMail',
    version: '14.1',
    headers: ['Content-Length: 1000000'],
    body: Buffer.alloc(1000),
  })
  const answer = await upload.client.answer()
  t.equal(answer.body.toString('hex'), '03016a000015455203313239000101')
  t.equal(answer.header('connection'), 'close')
  await upload.client.ended
})

void t.test('an answer under way is cut off', async (t) => {
  const { upstream, proxy } = await before(
    t,
    (_request, res) => {
      res.writeHead(200, { 'Content-Length': 1_000_000 })
      res.write(Buffer.alloc(1000))
    },
    enforced,
  )
  const client = await wireClient(t, proxy.port)
  client.write(requestBytes({ query: command('Sync'), headers: ['MS-ASProtocolVersion: 14.1'] }))
  await new Promise((resolve) => client.socket.once('data', resolve))
  await proxy.know(revoked)
  await t.rejects(client.answer(), /in the middle/)
  await upstream.requests[0]?.gone
  t.match(await proxy.outcome(0), { ...blocked, status: 200 })
})

void t.test('facts that change while the body is still read end it before a byte goes on', async (t) => {
  const { upstream, proxy } = await before(t, usualReply, enforced)
  const client = await wireClient(t, proxy.port)
  client.write(
    requestBytes({
      query: command('Sync'),
      headers: ['MS-ASProtocolVersion: 14.1', 'Content-Length: 10'],
      body: 'half',
    }),
  )
  await proxy.whenOpen(1)
  await proxy.know(revoked)
  t.strictSame(await hexOf(client), [200, '03016a00454e03313239000101'], 'what it asked for is not known yet')
  client.write('-whole')
  t.match(await proxy.outcome(0), { ...blocked, status: 200 })
  t.equal(upstream.requests.length, 0)
})

void t.test('a policy that refuses now ends what it allowed, and one that reports does not', async (t) => {
  const { upstream, proxy } = await before(t, () => undefined, {
    policy: { conditionalAccess: { onPremises: { mode: 'off' } } },
    facts: [revoked],
  })
  const client = await wireClient(t, proxy.port)
  client.write(requestBytes({ query: command('Ping') }))
  const { gone } = await upstream.request(0)
  proxy.setPolicy({ conditionalAccess: { onPremises: { mode: 'report-only' } } })
  await proxy.whenOpen(1)
  proxy.setPolicy({})
  t.equal((await client.answer()).body.toString('hex'), '03016a00000d45470337000101')
  await gone
  t.match(await proxy.outcome(0), { ...blocked, rule: 'compliance', policyRevision: 3 })
})

void t.test(
  'what an administrator says ends a Ping, of the device and of the others of its user',
  async (t) => {
    const block = { action: 'block', exclusive: false, note: 'lost' } as const
    const allow = { action: 'allow', exclusive: false, note: 'a guest' } as const
    const guest = 'guest@elsewhere.example'
    for (const [title, user, deviceId, said] of [
      ['block', 'alice@example.com', 'phone1', block],
      ['exclusive allow of another', 'alice@example.com', 'PHONE2', { ...allow, exclusive: true }],
      ['block, of a user whom no source knows', guest, 'PHONE1', block],
    ] as const) {
      const { upstream, proxy } = await before(t, silentButForProofs, enforced)
      proxy.store.setOverride({ user: guest, deviceId: 'PHONE1' }, allow, 'api')
      const client = await wireClient(t, proxy.port)
      client.write(requestBytes({ query: command('Ping', 'PHONE1', user), authorization: basic(user) }))
      const { gone } = await upstream.request(0)
      proxy.store.setOverride({ user: 'bob@example.com', deviceId }, said, 'api')
      t.equal((await proxy.metrics.parkedRequests.get()).values[0]?.value, 1, `${title}, of another user`)
      proxy.store.setOverride({ user, deviceId }, said, 'api')
      t.equal((await client.answer()).body.toString('hex'), '03016a00000d45470337000101', title)
      await gone
      t.match(await proxy.outcome(0), { action: 'block', reason: 'personal-block' })
    }
  },
)

void t.test('a fault of the store while it waits ends it: no answer is a refusal (T-54)', async (t) => {
  let broken = false
  const { upstream, proxy } = await before(t, () => undefined, {
    ...enforced,
    lookup: (lookup) => ({
      ...lookup,
      lookup: (names, deviceKey) => {
        if (broken) throw new Error('disk I/O error')
        return lookup.lookup(names, deviceKey)
      },
    }),
  })
  const client = await wireClient(t, proxy.port)
  client.write(requestBytes({ query: command('Ping') }))
  await upstream.request(0)
  broken = true
  proxy.setPolicy({})
  t.equal((await client.answer()).body.toString('hex'), '03016a00000d45470337000101')
  t.match(await proxy.outcome(0), { action: 'unavailable', reason: 'source-unavailable' })
  t.match(proxy.faults(), [{ msg: 'an open request could not be judged again' }])
})

void t.test('an answered request leaves the register', async (t) => {
  const { proxy } = await before(t, usualReply, enforced)
  const answer = await send(t, proxy, { query: command('Sync') })
  t.ok(answer.body.equals(usualAnswer))
  await proxy.outcome(0)
  await proxy.whenOpen(0)
  await proxy.know(revoked)
  t.equal((await proxy.metrics.revocations.get()).values[0]?.value, 0)
})
