import t from 'tap'
import { parseRequest } from '#eas/parse.ts'
import { compilePolicy } from '#policy/compile.ts'
import { policySchema } from '#policy/schema.ts'
import type { Action } from '#policy/reasons.ts'
import type { ActResult, Judged } from '#proxy/exchange.ts'
import { nextRequestId } from '#proxy/exchange.ts'
import { outcomeOf, sightingOf } from '#proxy/observe.ts'
import { usualFacts } from '../support/policy-rows.ts'
import { refusingUrls } from '../support/recording-upstream.ts'
import { testUpstreams } from '../support/test-upstreams.ts'

const { backend } = testUpstreams(t, [refusingUrls[0]])

const { user: _user, device: _device, ...unknownDevice } = { ...usualFacts, revision: 7 }

/** An allowed Sync of alice's phone, with what differs from it. */
function judgedAs(differences: Partial<Judged> = {}): Judged {
  const request = parseRequest({
    method: 'POST',
    target: '/Microsoft-Server-ActiveSync?Cmd=Sync&DeviceId=Phone1&DeviceType=iPhone',
    httpVersion: '1.1',
    rawHeaders: [],
  })
  return {
    request,
    identity: { names: ['alice@example.com'], otherNames: [], deviceKey: 'phone1', claims: {} },
    facts: unknownDevice,
    client: {
      platform: 'iOS',
      osVersion: '17.5',
      model: 'unknown',
      client: 'Apple Mail',
      contradiction: false,
    },
    user: 'alice@example.com',
    backend,
    decision: {
      action: 'allow',
      reason: 'compliant',
      rule: 'compliance',
      mode: 'enforce',
      validUntil: Infinity,
    },
    policy: { value: compilePolicy(policySchema.parse({})), revision: 3, digest: 'abc' },
    decidedAt: 1000,
    clientAddress: '192.0.2.1',
    decisionMs: 1,
    ...differences,
  }
}

const proved: ActResult = { status: 200, proved: true }

function sighted(judged: Judged, result: ActResult) {
  const exchange = { requestId: 'x', startedMs: performance.now() }
  const outcome = outcomeOf(exchange as Parameters<typeof outcomeOf>[0], judged, result)
  return sightingOf(outcome, judged, result, 1000)
}

void t.test('a pair is seen only where its credential was proved (T-56)', async (t) => {
  t.match(sighted(judgedAs(), proved), { deviceId: 'Phone1', deviceKey: 'phone1', at: 1000 })
  t.equal(sighted(judgedAs(), { status: 200 }), undefined)
  t.equal(sighted(judgedAs(), { status: 401, proved: false }), undefined)
})

void t.test('what names no device or user is no pair', async (t) => {
  const options = parseRequest({
    method: 'OPTIONS',
    target: '/Microsoft-Server-ActiveSync',
    httpVersion: '1.1',
    rawHeaders: [],
  })
  t.equal(sighted(judgedAs({ request: options }), proved), undefined)
  t.equal(sighted(judgedAs({ user: '' }), proved), undefined)
  const { identity } = judgedAs()
  t.equal(sighted(judgedAs({ identity: { ...identity, deviceKey: undefined } }), proved), undefined)
})

function allowed(judged: Judged, result: ActResult): boolean | undefined {
  return sighted(judged, result)?.allowed
}

void t.test('only a whole success of Exchange counts as mail', async (t) => {
  const refused = { ...judgedAs().decision, action: 'block', reason: 'noncompliant' } as const
  const answered = { ...proved, server: 'mail1:443' }
  t.equal(allowed(judgedAs(), answered), true)
  t.equal(allowed(judgedAs(), proved), false, 'ours, that leads it from the quarantine mailbox to Exchange')
  t.equal(allowed(judgedAs(), { ...answered, status: 503 }), false)
  t.equal(allowed(judgedAs({ decision: refused }), proved), false, 'our own 200 is a refusal')
  t.equal(allowed(judgedAs({ decision: refused }), { ...answered, reportOnly: true }), true)
  const cut = { ...answered, action: 'unavailable', reason: 'upstream-unavailable' } as const
  t.equal(allowed(judgedAs(), cut), false)
})

function standing(action: Action, result: Partial<ActResult> = {}): boolean | undefined {
  const decision = { ...judgedAs().decision, action }
  return sighted(judgedAs({ decision }), { ...proved, ...result })?.refused
}

void t.test('a pair is refused until Exchange serves it', async (t) => {
  for (const action of ['block', 'quarantine', 'redirect'] as const) {
    t.equal(standing(action), true, action)
    t.equal(standing(action, { reportOnly: true, server: 'mail1:443' }), false, `${action}, only reported`)
  }
  t.equal(standing('unavailable', { status: 503 }), undefined, 'a 503 says nothing of the device')
  t.equal(standing('allow', { server: 'mail1:443' }), false)
  t.equal(standing('allow', { server: 'mail1:443', status: 500 }), undefined)
})

void t.test('what became of it stands before what was decided', async (t) => {
  const result = { status: 503, action: 'unavailable', reason: 'upstream-unavailable' } as const
  const exchange = { requestId: 'x', startedMs: performance.now() }
  t.match(outcomeOf(exchange as Parameters<typeof outcomeOf>[0], judgedAs(), result), {
    action: 'unavailable',
    reason: 'upstream-unavailable',
    rule: 'compliance',
    policyRevision: 3,
    factsRevision: 7,
  })
})

void t.test('no two requests have one id', async (t) => {
  const ids = Array.from({ length: 1000 }, () => nextRequestId())
  t.equal(new Set(ids).size, 1000)
})
