import t, { type Test } from 'tap'
import type { FactsRecord } from '#directory/record.ts'
import { command, send } from '../support/eas-request.ts'
import { recordingUpstream, usualReply, type Reply } from '../support/recording-upstream.ts'
import { testProxy, type TestProxySettings } from '../support/test-proxy.ts'

const compliant: FactsRecord = {
  user: 'alice@example.com',
  deviceId: 'PHONE1',
  enrolled: true,
  complianceState: 'compliant',
}
const noncompliant = { ...compliant, complianceState: 'noncompliant' }
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
  return { proxy, ask: (query: string) => send(t, proxy, { query }) }
}

/** The pair was served mail, and the proxy knows. */
async function wasAllowed({ proxy, ask }: Awaited<ReturnType<typeof before>>): Promise<void> {
  await ask(command('Sync'))
  await proxy.outcome(0)
  const [sighting] = proxy.sightings
  if (sighting === undefined) throw new Error('no sighting')
  await proxy.store.recordSightings([sighting])
}

void t.test('what is answered as before is not explained, nor is a first allow', async (t) => {
  const test = await before(t)
  await wasAllowed(test)
  await test.ask(command('Sync'))
  await test.ask(command('Ping'))
  await test.proxy.outcome(2)
  t.strictSame(test.proxy.traces, [])
})

void t.test('a refusal is explained by what it was decided by', async (t) => {
  const { proxy, ask } = await before(t, { facts: [noncompliant] })
  await ask(command('Sync', 'Phone1'))
  const outcome = await proxy.outcome(0)
  const [trace, ...others] = proxy.traces
  t.strictSame(others, [])
  t.match(trace, {
    user: 'alice@example.com',
    deviceKey: 'phone1',
    requestId: outcome.requestId,
    at: now,
    identity: {
      action: 'block',
      reason: 'noncompliant',
      rule: 'compliance',
      policyRevision: 1,
      policyDigest: 'policy-1',
      factsRevision: outcome.factsRevision,
    },
  })
  // the store and the policy go on; what is told is what was decided by
  proxy.setPolicy({ conditionalAccess: { onPremises: { mode: 'off' } } })
  await proxy.know(compliant)
  t.match(trace?.explain(), {
    ...trace?.identity,
    at: new Date(now).toISOString(),
    user: 'alice@example.com',
    backend: 'main',
    fields: { complianceState: { value: 'noncompliant', source: 'file' } },
  })
})

void t.test(
  'an allow is explained where the pair was answered otherwise when it was last seen',
  async (t) => {
    const { proxy, ask } = await before(t, { facts: [noncompliant] })
    await ask(command('Sync'))
    await proxy.outcome(0)
    const [sighting] = proxy.sightings
    if (sighting === undefined) throw new Error('no sighting')
    await proxy.store.recordSightings([sighting])
    await proxy.know(compliant)
    await ask(command('Sync'))
    await proxy.outcome(1)
    t.match(proxy.traces[1]?.identity, { action: 'allow', reason: 'compliant' })
    t.match(proxy.traces[1]?.explain().fields['complianceState'], { value: 'compliant' })
  },
)

void t.test('what report-only would refuse is explained as refused', async (t) => {
  const { proxy, ask } = await before(t, {
    facts: [noncompliant],
    policy: { conditionalAccess: { onPremises: { mode: 'report-only' } } },
  })
  await ask(command('Sync'))
  t.match(await proxy.outcome(0), { reportOnly: true })
  t.match(proxy.traces[0]?.explain(), { action: 'block', mode: 'report-only' })
})

void t.test('nothing is explained to who has not proved to be the user (T-56)', async (t) => {
  const { proxy, ask } = await before(t, {
    facts: [noncompliant],
    reply: (_request, res) => {
      res.writeHead(401, { 'WWW-Authenticate': 'Basic realm="mail"' }).end()
    },
  })
  await ask(command('Sync'))
  t.match(await proxy.outcome(0), { reason: 'credentials-refused' })
  t.strictSame(proxy.traces, [])
})

void t.test(
  'a decision that cannot be explained is a line in the log, and the answer stands (T-54)',
  async (t) => {
    const { proxy, ask } = await before(t, {
      facts: [noncompliant],
      onTrace: () => {
        throw new Error('disk I/O error')
      },
    })
    t.equal((await ask(command('Sync'))).status, 403)
    const { requestId } = await proxy.outcome(0)
    t.match(proxy.faults(), [{ msg: 'a decision could not be explained', requestId }])
    t.equal(proxy.outcomes.length, 1, 'and is counted once')
  },
)
