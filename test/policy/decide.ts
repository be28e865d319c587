import t from 'tap'
import { compilePolicy } from '#policy/compile.ts'
import { criteria, decide, isEnforcedRefusal, type TraceStep } from '#policy/decide.ts'
import { actions } from '#policy/reasons.ts'
import { policySchema } from '#policy/schema.ts'
import { testDecisions, usualFacts, usualRequest } from '../support/policy-rows.ts'

testDecisions('decisions')
testDecisions('flow-order')
testDecisions('abq-order')
testDecisions('platform-matrix')
testDecisions('graph-values')

void t.test('asks in the order of the flow', async (t) => {
  t.strictSame(
    criteria.map(({ name }) => name),
    [
      'user-mismatch',
      'wipe-pending',
      'personal-block',
      'personal-allow',
      'exclusive-allow',
      'targeted',
      'rollout',
      'exempt',
      'user-alone',
      'grandfathered',
      'owner',
      'device-mismatch',
      'blocked-client',
      'unsupported-platform',
      'device-quota',
      'device-rules',
      'domain-joined',
      'enrolled',
      'registered',
      'compliance',
      'protocol-version',
      'facts-age',
      'default-access',
    ],
  )
})

void t.test('explains each question that was asked, the last one decided', async (t) => {
  const facts = { ...usualFacts, device: { enrolled: false, origin: { sources: ['file'], asOf: 0 } } }
  const trace: TraceStep[] = []
  decide(usualRequest, facts, compilePolicy(policySchema.parse({})), 1000, trace)
  t.match(trace.at(-1), {
    criterion: 'enrolled',
    outcome: 'quarantine',
    detail: 'the record of this device says it is not enrolled',
    reads: ['enrolled', 'managementAgent', 'userHasEnrolledDevice', 'history'],
    notes: [],
  })
  t.ok(trace.slice(0, -1).every(({ outcome }) => outcome === 'passed'))
  t.strictSame(
    trace.map(({ criterion }) => criterion),
    criteria.slice(0, trace.length).map((criterion) => criterion.name),
  )
})

void t.test('every refusal keeps a request from Exchange, unless it is only reported', async (t) => {
  const answer = { reason: 'noncompliant', rule: 'compliance', validUntil: Infinity } as const
  const kept = (['enforce', 'off', 'report-only'] as const).map((mode) =>
    actions.filter((action) => isEnforcedRefusal({ ...answer, action, mode })),
  )
  const refusals = ['block', 'quarantine', 'redirect', 'unavailable', 'reject']
  // with off device rules, the default and administrators still refuse
  t.strictSame(kept, [refusals, refusals, []])
})
