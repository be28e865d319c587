import t from 'tap'
import { criteria, decide, type TraceStep } from '#policy/decide.ts'
import type { Facts } from '#policy/facts.ts'
import { policySchema } from '#policy/schema.ts'
import { testDecisions } from '../support/policy-rows.ts'

testDecisions('decisions')

void t.test('asks in the order of the flow', (t) => {
  t.strictSame(
    criteria.map(({ name }) => name),
    [
      'user-mismatch',
      'targeted',
      'exempt',
      'user-alone',
      'owner',
      'wipe-pending',
      'enrolled',
      'registered',
      'compliance',
    ],
  )
  t.end()
})

void t.test('explains each question that was asked, the last one decided', (t) => {
  const facts: Facts = {
    user: { user: 'bob@example.com', groups: ['staff'] },
    device: { enrolled: false, origin: { sources: ['file'], asOf: 0 } },
    otherOwner: false,
    userHasEnrolledDevice: false,
    sourcesComplete: true,
    history: { allowedBefore: false },
    revision: 1,
  }
  const trace: TraceStep[] = []
  decide(
    { service: 'onPremises', deviceId: 'androidDEMOBOB1', userMismatch: false },
    facts,
    policySchema.parse({}),
    1000,
    trace,
  )
  t.strictSame(trace, [
    { criterion: 'user-mismatch', outcome: 'passed', detail: '' },
    { criterion: 'targeted', outcome: 'passed', detail: '' },
    { criterion: 'exempt', outcome: 'passed', detail: '' },
    { criterion: 'user-alone', outcome: 'passed', detail: '' },
    { criterion: 'owner', outcome: 'passed', detail: '' },
    { criterion: 'wipe-pending', outcome: 'passed', detail: '' },
    {
      criterion: 'enrolled',
      outcome: 'quarantine',
      detail: 'the record of this device says it is not enrolled',
    },
  ])
  t.end()
})
