import { readFileSync } from 'node:fs'
import t from 'tap'
import { z } from 'zod'
import { deviceFields } from '#directory/record.ts'
import { platforms } from '#eas/client/platform.ts'
import { protocolVersions } from '#eas/versions.ts'
import { compilePolicy } from '#policy/compile.ts'
import type { Criterion, DecisionRequest, Situation } from '#policy/criterion.ts'
import { decide } from '#policy/decide.ts'
import { versionOf, viewDevice } from '#policy/device-view.ts'
import type { Facts } from '#policy/facts.ts'
import { actions, reasons } from '#policy/reasons.ts'
import { policySchema, type Policy } from '#policy/schema.ts'

const usualClient = {
  platform: 'iOS',
  osVersion: '17.5.1',
  model: 'iPhone 15',
  client: 'Apple Mail',
  contradiction: false,
} as const

/** Asked where a test says nothing else: the compliant, registered phone of a known user, on-premises. */
export const usualRequest: DecisionRequest = {
  service: 'onPremises',
  deviceId: 'ApplDEMOALICE1',
  userMismatch: false,
  deviceType: 'iPhone',
  userAgent: 'Apple-iPhone15C4/2106.80',
  client: usualClient,
  protocolVersion: '16.1',
  minProtocolVersion: '2.5',
}
const usualDevice = {
  enrolled: true,
  registered: true,
  activated: true,
  complianceState: 'compliant',
  origin: { sources: ['file'], asOf: 0 },
}

/** What is known of it. */
export const usualFacts: Facts = {
  user: { user: 'alice@example.com', groups: ['staff'] },
  device: usualDevice,
  otherOwner: false,
  userHasEnrolledDevice: true,
  sourcesComplete: true,
  history: { allowedBefore: false },
  exclusiveAllows: [],
  otherDevices: [],
  unreadGroups: [],
  revision: 1,
}

const answer = z.strictObject({
  action: z.enum(actions),
  reason: z.enum(reasons),
  /** Absent: time alone never changes the answer. */
  validUntil: z.number().default(Infinity),
})
const criterionAnswer = answer.extend({
  grants: z.enum(['outside', 'admitted']).optional(),
  rule: z.string().optional(),
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
      deviceType: z.string().nullable(),
      userAgent: z.string().nullable(),
      client: z
        .strictObject({
          platform: z.enum(platforms),
          osVersion: z.string(),
          model: z.string(),
          client: z.string(),
          contradiction: z.boolean(),
        })
        .partial(),
      protocolVersion: z.enum(protocolVersions).nullable(),
      minProtocolVersion: z.enum(protocolVersions),
    })
    .partial()
    .default({}),
  facts: z
    .strictObject({
      user: z.strictObject({ user: z.string(), groups: z.array(z.string()) }).nullable(),
      device: z
        .partialRecord(
          z.enum([...deviceFields, 'origin']),
          z
            .union([
              z.boolean(),
              z.string(),
              z.number(),
              z.strictObject({ sources: z.array(z.string()), asOf: z.number() }),
            ])
            .nullable(),
        )
        .nullable(),
      otherOwner: z.boolean(),
      userHasEnrolledDevice: z.boolean(),
      sourcesComplete: z.boolean(),
      history: z.strictObject({
        allowedBefore: z.boolean().default(false),
        firstSeenAt: z.number().optional(),
        noncompliantSince: z.number().optional(),
      }),
      override: z.strictObject({
        action: z.enum(['allow', 'block']),
        until: z.number().optional(),
        exclusive: z.boolean().default(false),
        note: z.string().default('a note'),
      }),
      exclusiveAllows: z.array(z.strictObject({ deviceKey: z.string(), until: z.number().optional() })),
      otherDevices: z.array(z.strictObject({ firstSeenAt: z.number(), lastSeenAt: z.number() })),
      unreadGroups: z.array(z.string()),
    })
    .partial()
    .default({}),
  /** What an earlier criterion granted; absent: nothing. */
  granted: answer.extend({ grants: z.enum(['outside', 'admitted']) }).optional(),
  /** As the policy file would say it. */
  policy: policySchema.prefault({}),
  /** Milliseconds since the epoch, as every time in a row. */
  now: z.number().default(1000),
}
const criterionRows = z.array(
  z.strictObject({
    ...situation,
    expected: criterionAnswer.or(z.literal('passed')),
    /** Where a criterion passes for a time only. */
    passesUntil: z.number().default(Infinity),
    /** What explain says of the rules within the criterion; absent: not looked at. */
    notes: z.array(z.string()).optional(),
    selfNoncompliant: z.boolean().optional(),
  }),
)
const decisionRows = z.array(
  z.strictObject({
    ...situation,
    expected: answer.extend({ rule: z.string(), selfNoncompliant: z.boolean().optional() }),
  }),
)

type Differences = Pick<z.infer<typeof criterionRows>[number], 'request' | 'facts'>

/** Asks one criterion every row of `test/fixtures/policy/NAME.json`, by default the table of its own name. */
export function testCriterion(criterion: Criterion, name = criterion.name): void {
  for (const row of criterionRows.parse(readTable(name))) {
    void t.test(`${row.name} (${row.proves})`, async (t) => {
      const asked = situationOf(row)
      const verdict = criterion.judge(asked)
      if (row.expected === 'passed' || verdict === undefined) {
        t.equal(verdict ?? 'passed', row.expected)
      } else {
        const { detail, ...answered } = verdict
        t.strictSame(answered, row.expected)
        t.not(detail, '')
      }
      t.equal(asked.validUntil, row.passesUntil)
      t.equal(asked.selfNoncompliant, row.selfNoncompliant)
      if (row.notes !== undefined) t.strictSame(asked.notes, row.notes)
    })
  }
}

/** Asks the whole flow every row of `test/fixtures/policy/NAME.json`. */
export function testDecisions(name: string): void {
  for (const row of decisionRows.parse(readTable(name))) {
    void t.test(`${row.name} (${row.proves})`, async (t) => {
      const { mode } = row.policy.conditionalAccess[requestOf(row).service]
      t.strictSame(decide(requestOf(row), factsOf(row), compilePolicy(row.policy), row.now), {
        ...row.expected,
        mode,
      })
    })
  }
}

function situationOf(row: z.infer<typeof criterionRows>[number]): Situation {
  const granted = row.granted === undefined ? undefined : { ...row.granted, detail: 'granted before' }
  return { ...situationFor(requestOf(row), factsOf(row), row.policy, row.now), granted }
}

/** What a criterion is shown before any other was asked. */
export function situationFor(request: DecisionRequest, facts: Facts, policy: Policy, now: number): Situation {
  const device = viewDevice(facts.device, request.client)
  return {
    request,
    facts,
    rules: compilePolicy(policy)[request.service],
    now,
    device,
    version: versionOf(device),
    membership: undefined,
    granted: undefined,
    validUntil: Infinity,
    selfNoncompliant: undefined,
    notes: [],
  }
}

/** The usual request and facts under an empty policy. */
export const usualSituation = situationFor(usualRequest, usualFacts, policySchema.parse({}), 1000)

function readTable(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`../fixtures/policy/${name}.json`, import.meta.url), 'utf8'))
}

function requestOf({ request }: Differences): DecisionRequest {
  const client = { ...usualClient, ...request.client }
  return changed(usualRequest, { ...request, client }) as DecisionRequest
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
