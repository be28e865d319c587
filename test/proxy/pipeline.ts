import t, { type Test } from 'tap'
import type { FactsRecord } from '#directory/record.ts'
import { basic, command, easPath, requestBytes, send, wbxml, type Sent } from '../support/eas-request.ts'
import { wireClient } from '../support/http-answer.ts'
import { recordingUpstream, usualReply, type Reply } from '../support/recording-upstream.ts'
import { el } from '../support/simulated-phone.ts'
import { testProxy, type TestProxySettings } from '../support/test-proxy.ts'

const compliant: FactsRecord = {
  user: 'alice@example.com',
  aliases: ['al@example.com', 'example\\alice'],
  deviceId: 'PHONE1',
  enrolled: true,
  complianceState: 'compliant',
  platform: 'iOS',
  osVersion: '17.5.1',
  model: 'iPhone 15',
}
const now = Date.UTC(2026, 0, 2, 3, 4, 5)

async function before(t: Test, settings: Partial<TestProxySettings> & { readonly reply?: Reply } = {}) {
  const { reply = usualReply, ...rest } = settings
  const upstream = await recordingUpstream(t, reply)
  const proxy = await testProxy(t, {
    servers: [upstream.url],
    policy: {},
    facts: [compliant],
    now: () => now,
    ...rest,
  })
  return { upstream, proxy, ask: (sent: Sent) => send(t, proxy, sent) }
}

const userAgent = 'Apple-iPhone15C2/2105.219'

void t.test('one outcome tells all of a request that was forwarded', async (t) => {
  const { upstream, proxy, ask } = await before(t)
  await ask({ query: command('Sync'), headers: ['MS-ASProtocolVersion: 16.1', `User-Agent: ${userAgent}`] })
  const { requestId, durationMs, decisionMs, upstreamMs, factsRevision, ...rest } = await proxy.outcome(0)
  t.strictSame(rest, {
    command: 'Sync',
    action: 'allow',
    reason: 'compliant',
    rule: 'compliance',
    mode: 'enforce',
    reportOnly: false,
    backend: 'main',
    server: new URL(upstream.url).host,
    status: 200,
    code: undefined,
    user: 'alice@example.com',
    deviceId: 'PHONE1',
    deviceType: 'iPhone',
    userAgent,
    protocolVersion: '16.1',
    platform: 'iOS',
    osVersion: '17.5.1',
    model: 'iPhone 15',
    client: 'Apple Mail',
    clientAddress: '127.0.0.1',
    policyRevision: 1,
  })
  t.match(requestId, /^[0-9a-f]{8}-[0-9a-z]+$/)
  t.ok(factsRevision > 0)
  t.ok(decisionMs > 0 && (upstreamMs ?? 0) > 0)
  t.ok(durationMs >= decisionMs + (upstreamMs ?? 0))
})

void t.test('one sighting is remembered of it', async (t) => {
  const { proxy, ask } = await before(t)
  await ask({
    query: command('Sync', 'Phone1'),
    headers: ['MS-ASProtocolVersion: 16.1', `User-Agent: ${userAgent}`],
  })
  await proxy.outcome(0)
  t.strictSame(proxy.sightings[0], {
    user: 'alice@example.com',
    deviceId: 'Phone1',
    deviceKey: 'phone1',
    deviceType: 'iPhone',
    userAgent,
    platform: 'iOS',
    osVersion: '17.5.1',
    model: 'iPhone 15',
    client: 'Apple Mail',
    protocolVersion: '16.1',
    command: 'Sync',
    backend: 'main',
    action: 'allow',
    reason: 'compliant',
    at: now,
    allowed: true,
    provisionAsked: false,
    refused: false,
  })
})

void t.test('it counts as mail only where mail was served (design.md, Provision)', async (t) => {
  const status: Record<string, number> = {
    FolderSync: 403,
    SendMail: 200,
    Ping: 200,
    Settings: 200,
    Provision: 200,
  }
  const { proxy, ask } = await before(t, {
    reply: async (request, res) => {
      await request.body()
      const [, name = ''] = /Cmd=(\w+)/.exec(request.url) ?? []
      res.writeHead(status[name] ?? 500).end()
    },
  })
  for (const name of Object.keys(status)) await ask({ query: command(name) })
  await proxy.outcome(4)
  t.strictSame(
    proxy.sightings.map((sighting) => [sighting?.command, sighting?.allowed]),
    [
      ['FolderSync', false],
      ['SendMail', true],
      ['Ping', false],
      ['Settings', false],
      ['Provision', false],
    ],
  )
})

void t.test('the user is the same person by every name of the login (T-17)', async (t) => {
  const { proxy, ask } = await before(t)
  for (const login of ['alice', 'ALICE@Example.com', 'EXAMPLE\\alice', 'al@example.com']) {
    await ask({ query: command('Sync', 'PHONE1', encodeURIComponent(login)), authorization: basic(login) })
  }
  await proxy.outcome(3)
  for (const outcome of proxy.outcomes) t.match(outcome, { user: 'alice@example.com', reason: 'compliant' })
  await ask({ query: command('Sync'), authorization: basic('OTHER\\alice') })
  t.match(await proxy.outcome(4), { user: 'other\\alice', action: 'block', reason: 'owner-mismatch' })
})

void t.test(
  'facts that look too old are read once more: their source may have confirmed them (T-54)',
  async (t) => {
    const minuteMs = 60_000
    // the clock of the test's store stands here
    const confirmedAt = 1_000_000
    const clock = { now: confirmedAt - 2 * minuteMs }
    const { proxy, ask } = await before(t, {
      facts: [],
      policy: { onSourceUnavailable: { maxFactsAge: '1m' } },
      now: () => clock.now,
    })
    const push = { signature: 'one', signedAt: clock.now, records: [compliant], removed: [] }
    await proxy.store.takePush('file', push)
    const reasons: string[] = []
    const askAt = async (now: number) => {
      clock.now = now
      await ask({ query: command('Sync') })
      reasons.push((await proxy.outcome(reasons.length)).reason)
    }
    await askAt(confirmedAt - 2 * minuteMs + 1)
    await askAt(confirmedAt)
    proxy.store.setSourceConfirmed('file')
    await askAt(confirmedAt + minuteMs - 1)
    await askAt(confirmedAt + minuteMs)
    t.strictSame(reasons, ['compliant', 'facts-stale', 'compliant', 'facts-stale'])
  },
)

void t.test('both spellings of a device are one (T-01, T-06)', async (t) => {
  const { proxy, ask } = await before(t)
  for (const deviceId of ['PHONE1', 'phone1', '50484f4e4531', '50484F4E4531']) {
    await ask({ query: command('Sync', deviceId) })
  }
  await proxy.outcome(3)
  for (const outcome of proxy.outcomes) t.equal(outcome.reason, 'compliant', String(outcome.deviceId))
})

void t.test('one outcome tells of a request that could be read in two ways', async (t) => {
  const { upstream, proxy, ask } = await before(t)
  const answer = await ask({ query: `${command('Sync')}&deviceid=PHONE1` })
  t.strictSame(
    [answer.status, answer.body.toString(), answer.header('connection')],
    [400, 'EAS_PARAMETER_REPEATED: DeviceId is given twice (byte 54)\n', 'close'],
  )
  const { requestId, durationMs, decisionMs, ...rest } = await proxy.outcome(0)
  t.strictSame(rest, {
    command: 'none',
    action: 'reject',
    reason: 'malformed-request',
    rule: 'none',
    mode: 'enforce',
    reportOnly: false,
    backend: 'none',
    server: undefined,
    status: 400,
    code: 'EAS_PARAMETER_REPEATED',
    user: undefined,
    deviceId: undefined,
    deviceType: undefined,
    userAgent: undefined,
    protocolVersion: undefined,
    platform: 'unknown',
    osVersion: 'unknown',
    model: 'unknown',
    client: 'unknown',
    clientAddress: '127.0.0.1',
    policyRevision: 1,
    factsRevision: 0,
    upstreamMs: undefined,
  })
  t.not(requestId, '')
  t.equal(durationMs, decisionMs)
  t.equal(upstream.requests.length, 0)
  const counted = await proxy.metrics.registry.getSingleMetricAsString('easgate_malformed_requests_total')
  t.match(counted, /\{code="EAS_PARAMETER_REPEATED"\} 1/)
})

void t.test('a body that breaks off is told with the device that sent it (T-40)', async (t) => {
  const { upstream, proxy } = await before(t)
  const client = await wireClient(t, proxy.port)
  client.write(requestBytes({ query: command('SendMail'), headers: ['Content-Length: 100'], body: 'half' }))
  await proxy.whenOpen(1)
  client.reset()
  t.match(await proxy.outcome(0), {
    action: 'reject',
    reason: 'malformed-request',
    code: 'EAS_BODY_TRUNCATED',
    user: 'alice@example.com',
    deviceId: 'PHONE1',
  })
  t.equal(proxy.sightings[0], undefined)
  t.equal(upstream.requests.length, 0)
})

void t.test('a fault of the store is a 503, never an allow (T-54)', async (t) => {
  const { upstream, proxy, ask } = await before(t, {
    lookup: (lookup) => ({
      ...lookup,
      lookup: () => {
        throw new Error('disk I/O error')
      },
    }),
  })
  for (const sent of [{ query: command('Sync') }, { method: 'OPTIONS' }]) {
    const answer = await ask(sent)
    t.strictSame([answer.status, answer.header('retry-after'), answer.body.length], [503, '60', 0])
  }
  for (const outcome of proxy.outcomes) {
    t.match(outcome, { action: 'unavailable', reason: 'source-unavailable', status: 503, command: 'none' })
  }
  t.match(proxy.faults(), [
    { level: 50, msg: 'a request failed by a fault of easgate', err: { message: 'disk I/O error' } },
    { level: 50 },
  ])
  t.equal(proxy.faults()[0]?.['requestId'], proxy.outcomes[0]?.requestId, 'found by the id of its request')
  t.equal(upstream.requests.length, 0)
})

void t.test('a report-only policy does not turn that fault into an allow', async (t) => {
  const { upstream, ask } = await before(t, {
    policy: { conditionalAccess: { onPremises: { mode: 'report-only' } } },
    lookup: (lookup) => ({
      ...lookup,
      lookup: () => {
        throw new Error('disk I/O error')
      },
    }),
  })
  t.equal((await ask({ query: command('Sync') })).status, 503)
  t.equal(upstream.requests.length, 0)
})

void t.test('the backend is that of the user’s group, and its part of the policy counts', async (t) => {
  const cloud = await recordingUpstream(t)
  const { upstream, proxy, ask } = await before(t, {
    facts: [
      { ...compliant, groups: ['moved'] },
      { user: 'bob@example.com', deviceId: 'BOBS', enrolled: true, complianceState: 'compliant' },
    ],
    backends: { cloud: { kind: 'exchange-online', servers: [cloud.url] } },
    rules: [{ group: 'moved', backend: 'cloud' }],
  })
  await ask({ query: command('Sync') })
  t.match(await proxy.outcome(0), { backend: 'cloud', reason: 'not-registered', action: 'quarantine' })
  await proxy.know({ ...compliant, registered: true })
  await ask({ query: command('Sync') })
  t.match(await proxy.outcome(1), { backend: 'cloud', reason: 'compliant', action: 'allow' })
  t.equal(cloud.requests.at(-1)?.url, `${easPath}?${command('Sync')}`)
  await ask({ query: command('Sync', 'BOBS', 'bob'), authorization: basic('bob@example.com') })
  t.match(await proxy.outcome(2), { backend: 'main', action: 'allow' })
  t.equal(upstream.requests.length, 1)
})

void t.test('what a device said of itself is known of its next request', async (t) => {
  const { proxy, ask } = await before(t, {
    facts: [{ user: 'alice@example.com', deviceId: 'PHONE1', enrolled: true, complianceState: 'compliant' }],
    policy: { conditionalAccess: { onPremises: { blockedClients: [] } } },
  })
  const query = 'Cmd=Settings&User=alice&DeviceId=PHONE1&DeviceType=Outlook'
  const set = el('Settings:Set', el('Settings:Model', 'Pixel 8'), el('Settings:OS', 'Android 14'))
  await ask({ query, body: wbxml(el('Settings:Settings', el('Settings:DeviceInformation', set))) })
  await proxy.outcome(0)
  const [sighting] = proxy.sightings
  if (sighting === undefined) throw new Error('no sighting')
  await proxy.store.recordSightings([sighting])
  await ask({ query: query.replace('Settings', 'Sync') })
  t.match(await proxy.outcome(1), { platform: 'Android', osVersion: '14' })
})
