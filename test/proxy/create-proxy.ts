import t, { type Test } from 'tap'
import { request } from 'undici'
import type { FactsRecord } from '#directory/record.ts'
import { loginRulesOf } from '#proxy/create-proxy.ts'
import { basic, command, requestBytes, send } from '../support/eas-request.ts'
import { wireClient } from '../support/http-answer.ts'
import { recordingUpstream, type RecordingUpstream } from '../support/recording-upstream.ts'
import { testProxy } from '../support/test-proxy.ts'

const users = Array.from({ length: 30 }, (_, number) => `user${number}@example.com`)

/** Sends one command of each user; gives where each came to. */
async function homes(
  t: Test,
  proxy: { readonly port: number },
  servers: readonly RecordingUpstream[],
): Promise<number[]> {
  const found: number[] = []
  for (const user of users) {
    const before = servers.map(({ requests }) => requests.length)
    const answer = await send(t, proxy, { query: command('Sync', 'P1', user), authorization: basic(user) })
    t.equal(answer.status, 200, user)
    found.push(servers.findIndex(({ requests }, index) => requests.length > (before[index] ?? 0)))
  }
  return found
}

void t.test('users stay with their server of three, move when it goes, and lose nothing by it', async (t) => {
  const servers = [await recordingUpstream(t), await recordingUpstream(t), await recordingUpstream(t)]
  const proxy = await testProxy(t, { servers: servers.map(({ url }) => url) })
  const first = await homes(t, proxy, servers)
  t.strictSame(new Set(first).size, 3, 'all are used')
  t.strictSame(await homes(t, proxy, servers), first)
  await servers[0]?.stop()
  const second = await homes(t, proxy, servers)
  for (const [index, home] of second.entries()) {
    t.equal(home, first[index] === 0 ? home : first[index], 'only those of the one that went move')
    t.not(home, 0)
  }
  const healthy = await proxy.metrics.registry.getSingleMetricAsString('easgate_upstream_healthy')
  t.match(healthy, new RegExp(`server="${new URL(servers[0]?.url ?? '').host}"\\} 0`))
})

void t.test('all down is a 503 with Retry-After', async (t) => {
  const servers = [await recordingUpstream(t), await recordingUpstream(t)]
  const proxy = await testProxy(t, { servers: servers.map(({ url }) => url) })
  for (const server of servers) await server.stop()
  for (let number = 0; number < 2; number++) {
    const answer = await send(t, proxy, { query: command('Sync') })
    t.strictSame([answer.status, answer.header('retry-after')], [503, '60'])
  }
})

const compliant: FactsRecord = {
  user: 'alice@example.com',
  deviceId: 'PHONE1',
  enrolled: true,
  complianceState: 'compliant',
}

void t.test('a change is enforced on the next request, in both directions', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await testProxy(t, { servers: [upstream.url], policy: {}, facts: [compliant] })
  const reason = async () => {
    await send(t, proxy, { query: command('Sync') })
    return proxy.outcomes.at(-1)?.reason
  }
  t.equal(await reason(), 'compliant')
  await proxy.know({ ...compliant, complianceState: 'noncompliant' })
  t.equal(await reason(), 'noncompliant')
  await proxy.know(compliant)
  t.equal(await reason(), 'compliant')
  proxy.store.remove('alice@example.com', 'PHONE1')
  t.equal(await reason(), 'not-enrolled')
})

void t.test('a policy is enforced on the next request, and its revision is told', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await testProxy(t, { servers: [upstream.url], facts: [] })
  await send(t, proxy, { query: command('Sync') })
  proxy.setPolicy({})
  await send(t, proxy, { query: command('Sync') })
  t.match(proxy.outcomes, [
    { action: 'allow', reason: 'not-targeted', policyRevision: 1 },
    { action: 'quarantine', reason: 'not-enrolled', policyRevision: 2 },
  ])
  t.match(await proxy.metrics.registry.getSingleMetricAsString('easgate_policy_revision'), / 2$/)
})

void t.test('the end of the proxy ends what is open on both sides', async (t) => {
  const upstream = await recordingUpstream(t, () => undefined)
  const proxy = await testProxy(t, { servers: [upstream.url] })
  const client = await wireClient(t, proxy.port)
  client.write(requestBytes({ query: command('Ping') }))
  const { gone } = await upstream.request(0)
  await proxy.proxy.close()
  await Promise.all([gone, client.ended])
  t.match(await proxy.outcome(0), { status: 499 })
  await t.rejects(request(`http://127.0.0.1:${proxy.port}/`), { code: 'ECONNREFUSED' })
  t.strictSame(proxy.faults(), [])
})

void t.test(
  'the access log tells what a metric and a sighting are made of, and no secret (T-21)',
  async (t) => {
    const upstream = await recordingUpstream(t)
    const proxy = await testProxy(t, { servers: [upstream.url] })
    const headers = ['X-MS-PolicyKey: 3942919513', 'Cookie: ClientId=SECRETCOOKIE']
    await send(t, proxy, {
      query: command('Sync'),
      authorization: basic('alice', 'hunter2'),
      headers,
      body: 'BODY',
    })
    const outcome = await proxy.outcome(0)
    const lines = proxy.lines.filter(({ msg }) => msg === 'request')
    t.match(lines, [
      { requestId: outcome.requestId, user: 'alice@example.com', command: 'Sync', status: 200 },
    ])
    const text = JSON.stringify(proxy.lines)
    const secrets = [
      'hunter2',
      Buffer.from('alice:hunter2').toString('base64'),
      '3942919513',
      'SECRETCOOKIE',
      'BODY',
    ]
    for (const secret of secrets) t.notOk(text.includes(secret), secret)
  },
)

void t.test('NetBIOS names of the config compare without case', async (t) => {
  const rules = loginRulesOf({ defaultDomain: 'example.com', domains: { EXAMPLE: 'example.com' } })
  t.strictSame(rules, { defaultDomain: 'example.com', domains: new Map([['example', 'example.com']]) })
})
