import { mock } from 'node:test'
import t, { type Test } from 'tap'
import type { LookUpOutcome } from '#directory/facts-source.ts'
import type { FactsRecord } from '#directory/record.ts'
import type { Store } from '#directory/store.ts'
import { createSecondLook } from '#proxy/second-look.ts'
import type { Judged } from '#proxy/exchange.ts'
import { basic, command, send } from '../support/eas-request.ts'
import { recordingUpstream, usualReply, type Reply } from '../support/recording-upstream.ts'
import { testProxy } from '../support/test-proxy.ts'

const alice = { user: 'alice@example.com', enrolled: true, registered: true } as const
const held: FactsRecord = { ...alice, deviceId: 'HELD', complianceState: 'noncompliant' }

/** Knows the password `demo`; 401 to all else. */
const login: Reply = (request, res) => {
  const credential = Buffer.from(
    (request.headers.authorization ?? '').replace('Basic ', ''),
    'base64',
  ).toString()
  if (credential.endsWith(':demo')) return usualReply(request, res)
  res.writeHead(401).end()
}

/** A proxy that enforces, before a source that says what `found` says. */
async function asking(t: Test, found: (store: Store) => Promise<LookUpOutcome>, policy: unknown = {}) {
  const upstream = await recordingUpstream(t, login)
  const asked: string[] = []
  const proxy = await testProxy(t, {
    servers: [upstream.url],
    policy,
    facts: [held],
    lookUpNow: async (store, user, deviceId) => {
      asked.push(`${user} ${deviceId}`)
      return found(store)
    },
  })
  const forwarded = () => upstream.requests.filter(({ method }) => method === 'POST')
  return { proxy, asked, forwarded }
}

const turned = (record: FactsRecord) => async (store: Store) => {
  await store.upsert('file', [record])
  return 'answered' as const
}
const answered = async () => 'answered' as const
const failed = async () => 'failed' as const

void t.test('a phone that was just put right gets its mail with the request that asks', async (t) => {
  const { proxy, asked, forwarded } = await asking(t, turned({ ...held, complianceState: 'compliant' }))
  const body = Buffer.from('the bytes of the client')
  const answer = await send(t, proxy, { query: command('Sync', 'HELD'), body })
  t.equal(answer.status, 200)
  t.strictSame(asked, ['alice@example.com HELD'])
  t.strictSame(await forwarded()[0]?.body(), body, 'nothing of the request was lost meanwhile')
  t.match(await proxy.outcome(0), { action: 'allow', reason: 'compliant' })
  t.match(proxy.sightings[0], { action: 'allow', allowed: true })
})

void t.test('a device that was never known is found by its first request', async (t) => {
  const { proxy, asked } = await asking(
    t,
    turned({ ...alice, deviceId: 'NEW', complianceState: 'compliant' }),
  )
  t.equal((await send(t, proxy, { query: command('Sync', 'NEW') })).status, 200)
  t.strictSame(asked, ['alice@example.com NEW'])
})

void t.test('nobody is asked about for who cannot log in (T-20)', async (t) => {
  const { proxy, asked } = await asking(t, answered)
  const authorization = basic('alice@example.com', 'wrong')
  t.equal((await send(t, proxy, { query: command('Sync', 'HELD'), authorization })).status, 401)
  t.strictSame(asked, [])
})

void t.test(
  'a device that stays refused is asked for once in a pause, not at each request (T-51)',
  async (t) => {
    const { proxy, asked, forwarded } = await asking(t, answered)
    for (const index of [0, 1, 2]) {
      await send(t, proxy, { query: command('Sync', 'HELD') })
      t.match(await proxy.outcome(index), { action: 'block', reason: 'noncompliant' })
    }
    t.equal(asked.length, 1)
    t.strictSame(forwarded(), [])
  },
)

void t.test(
  'where the sources cannot be asked, an unknown device keeps its mail and comes back',
  async (t) => {
    const { proxy, asked, forwarded } = await asking(t, failed)
    for (const index of [0, 1]) {
      const answer = await send(t, proxy, { query: command('Sync', 'NEW') })
      t.equal(answer.status, 503)
      t.ok(answer.header('retry-after'))
      t.match(await proxy.outcome(index), { action: 'unavailable', reason: 'source-unavailable' })
    }
    t.equal(asked.length, 1)
    t.strictSame(forwarded(), [])
  },
)

void t.test('... or gets what the policy chose for it', async (t) => {
  const { proxy } = await asking(t, failed, { onSourceUnavailable: { unknownDevice: 'block' } })
  await send(t, proxy, { query: command('Sync', 'NEW') })
  t.match(await proxy.outcome(0), { action: 'block', reason: 'source-unavailable' })
})

void t.test('a device that is known stays what it is known for', async (t) => {
  const { proxy } = await asking(t, failed)
  await send(t, proxy, { query: command('Sync', 'HELD') })
  t.match(await proxy.outcome(0), { action: 'block', reason: 'noncompliant' })
})

void t.test('what no newer fact can change is not asked for', async (t) => {
  const { proxy, asked } = await asking(t, answered, {
    deviceRules: [{ name: 'none of these', match: { deviceType: 'iPhone' }, action: 'block' }],
  })
  await send(t, proxy, { query: command('Sync', 'HELD') })
  t.match(await proxy.outcome(0), { action: 'block', reason: 'device-rule' })
  t.strictSame(asked, [])
})

void t.test('a source that is slow is waited for two seconds, and no longer', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => mock.timers.reset())
  const secondLook = createSecondLook(() => new Promise(() => undefined))
  const judged = {
    user: 'alice@example.com',
    decision: { reason: 'not-enrolled' },
    request: { deviceId: 'NEW' },
    identity: { deviceKey: 'new' },
  } as Judged
  const options: unknown[] = []
  const looked = secondLook(judged, (given) => {
    options.push(given)
    return judged
  })
  mock.timers.tick(1999)
  await Promise.resolve()
  t.strictSame(options, [])
  mock.timers.tick(1)
  t.equal(await looked, judged)
  t.strictSame(options, [{ absenceProves: false }])
})
