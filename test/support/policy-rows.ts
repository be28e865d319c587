import { readFileSync } from 'node:fs'
import t from 'tap'
import { z } from 'zod'
import type { Criterion, DecisionRequest } from '#policy/criterion.ts'
import { decide } from '#policy/decide.ts'
import type { Facts } from '#policy/facts.ts'
import { actions, reasons } from '#policy/reasons.ts'
import { policySchema } from '#policy/schema.ts'

/** Asked where a row says nothing else: the compliant, registered phone of a known user, on-premises. */
const usualRequest: DecisionRequest = {
  service: 'onPremises',
  deviceId: 'ApplDEMOALICE1',
  userMismatch: false,
}
const usualDevice = {
  enrolled: true,
  registered: true,
  activated: true,
  complianceState: 'compliant',
  origin: { sources: ['file'], asOf: 0 },
}
const usualFacts: Facts = {
  user: { user: 'alice@example.com', groups: ['staff'] },
  device: usualDevice,
  otherOwner: false,
  userHasEnrolledDevice: true,
  sourcesComplete: true,
  history: { allowedBefore: false },
  revision: 1,
}

const answer = z.strictObject({
  action: z.enum(actions),
  reason: z.enum(reasons),
  /** Absent: time alone never changes the answer. */
  validUntil: z.number().default(Infinity),
})

/** What differs from the usual; a null takes the field or the record away. */
const situation = {
  /** The behaviour, as a test title. */
  name: z.string(),
  /** The clause of facts.md or design.md, the issue or the threat that asks for it. */
  proves: z.string(),
  request: z
    .strictObject({
      service: z.enum(['onPremises', 'online']),
      deviceId: z.null(),
      userMismatch: z.boolean(),
    })
    .partial()
    .default({}),
  facts: z
    .strictObject({
      user: z.strictObject({ user: z.string(), groups: z.array(z.string()) }).nullable(),
      device: z
        .strictObject({
          enrolled: z.boolean().nullable(),
          registered: z.boolean().nullable(),
          activated: z.boolean().nullable(),
          complianceState: z.string().nullable(),
          graceUntil: z.number(),
          wipePending: z.boolean(),
        })
        .partial()
        .nullable(),
      otherOwner: z.boolean(),
      userHasEnrolledDevice: z.boolean(),
      sourcesComplete: z.boolean(),
      history: z.strictObject({ allowedBefore: z.boolean() }),
    })
    .partial()
    .default({}),
  /** As the policy file would say it. */
  policy: policySchema.prefault({}),
  /** Milliseconds since the epoch, as every time in a row. */
  now: z.number().default(1000),
}
const criterionRows = z.array(z.strictObject({ ...situation, expected: answer.or(z.literal('passed')) }))
const decisionRows = z.array(z.strictObject({ ...situation, expected: answer.extend({ rule: z.string() }) }))

type Differences = Pick<z.infer<typeof criterionRows>[number], 'request' | 'facts'>

/** Asks one criterion every row of `test/fixtures/policy/NAME.json`. */
export function testCriterion(criterion: Criterion): void {
  for (const row of criterionRows.parse(readTable(criterion.name))) {
    void t.test(`${row.name} (${row.proves})`, (t) => {
      const request = requestOf(row)
      const rules = row.policy.conditionalAccess[request.service]
      const verdict = criterion.judge({ request, facts: factsOf(row), rules, now: row.now })
      if (row.expected === 'passed' || verdict === undefined) {
        t.equal(verdict ?? 'passed', row.expected)
      } else {
        const { detail, ...answered } = verdict
        t.strictSame(answered, row.expected)
        t.not(detail, '')
      }
      t.end()
    })
  }
}

/** Asks the whole flow every row of `test/fixtures/policy/NAME.json`. */
export function testDecisions(name: string): void {
  for (const row of decisionRows.parse(readTable(name))) {
    void t.test(`${row.name} (${row.proves})`, (t) => {
      const { mode } = row.policy.conditionalAccess[requestOf(row).service]
      t.strictSame(decide(requestOf(row), factsOf(row), row.policy, row.now), { ...row.expected, mode })
      t.end()
    })
  }
}

function readTable(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../fixtures/policy/${name}.json`, import.meta.url), 'utf8'))
}

function requestOf({ request }: Differences): DecisionRequest {
  return changed(usualRequest, request) as DecisionRequest
}

function factsOf({ facts }: Differences): Facts {
  const device = facts.device === null ? null : changed(usualDevice, facts.device ?? {})
  return changed(usualFacts, { ...facts, device }) as Facts
}

/** The row schemas above are strict, so what comes out is of the type of `usual` again. */
function changed(usual: object, differences: object): object {
  const entries = Object.entries({ ...usual, ...differences })
  return Object.fromEntries(entries.filter(([, value]) => value !== null))
}
