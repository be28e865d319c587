import t, { type Test } from 'tap'
import type { JudgedPair } from '#admin/what-if/judge-seen.ts'
import type { FactsRecord } from '#directory/record.ts'
import type { Sighting } from '#directory/sightings.ts'
import { compilePolicy } from '#policy/compile.ts'
import { policySchema } from '#policy/schema.ts'
import { phone, sighting } from '../../support/directory-store.ts'
import {
  oneBackend,
  policyNow,
  startPolicyNode,
  type PolicyNode,
  type PolicyNodeOptions,
} from '../../support/policy-node.ts'

/** Exchange Online for the group cloud, the simulator for the others. */
const hybrid: NonNullable<PolicyNodeOptions['config']> = {
  backends: {
    ...oneBackend.backends,
    online: {
      kind: 'exchange-online',
      servers: ['https://outlook.example.com'],
      tlsMinVersion: 'TLSv1.2',
      healthSeconds: 10,
    },
  },
  routing: { ...oneBackend.routing, rules: [{ group: 'cloud', backend: 'online' }] },
}

/** Judges the one phone that was seen. */
function judge({ judges, store }: PolicyNode, policy: unknown = {}): JudgedPair | undefined {
  const judgeSeen = judges(store)(compilePolicy(policySchema.parse(policy)))
  const [pair] = [...store.seenWindows(0)].flat()
  return pair === undefined ? undefined : judgeSeen(pair)
}

async function startWith(t: Test, seen: Partial<Sighting>, ...records: FactsRecord[]): Promise<PolicyNode> {
  const node = await startPolicyNode(t, { config: hybrid })
  await node.store.upsert('file', records)
  await node.store.recordSightings([sighting(seen)])
  return node
}

const alice = phone('alice@example.com', 'ApplA', { platform: 'iOS', registered: true })

void t.test('judges by the claims of the last request and the facts of now', async (t) => {
  const node = await startWith(t, {}, alice)
  t.match(judge(node), {
    standing: { action: 'allow', reason: 'compliant', rule: 'compliance', mode: 'enforce', refused: false },
    platform: 'iOS',
    groups: [],
  })
  await node.store.upsert('file', [{ ...alice, complianceState: 'noncompliant', groups: ['staff'] }])
  t.match(judge(node), {
    standing: { action: 'block', reason: 'noncompliant', refused: true },
    groups: ['staff'],
  })
  node.store.setOverride(
    { user: 'alice@example.com', deviceId: 'ApplA' },
    { action: 'allow', exclusive: false, note: 'director' },
    'api',
  )
  t.match(judge(node), { standing: { action: 'allow', reason: 'personal-allow', refused: false } })
})

void t.test('a refusal that is only reported refuses nobody', async (t) => {
  const node = await startWith(t, {})
  for (const [mode, refused] of [
    ['enforce', true],
    ['report-only', false],
  ] as const) {
    t.match(
      judge(node, { conditionalAccess: { onPremises: { mode } } }),
      { standing: { reason: 'not-enrolled', mode, refused } },
      mode,
    )
  }
})

void t.test('asks the rules of the backend that the user is routed to now', async (t) => {
  const node = await startWith(t, { protocolVersion: '14.1', backend: 'simulator' }, alice)
  t.match(judge(node), { standing: { reason: 'compliant' } })
  await node.store.upsert('file', [{ ...alice, groups: ['cloud'] }])
  t.match(
    judge(node),
    { standing: { reason: 'protocol-too-old', refused: true } },
    'Exchange Online asks for 16.1',
  )
  t.match(
    judge(node, { conditionalAccess: { online: { mode: 'off' } } }),
    { standing: { reason: 'not-targeted', mode: 'off', refused: false } },
    'and has its own part of the policy',
  )
})

void t.test('knows what the phone once said of itself', async (t) => {
  const claims = { deviceType: 'SmartPhone', userAgent: undefined, deviceId: 'abc123', deviceKey: 'abc123' }
  const policy = { deviceRules: [{ name: 'no Android', match: { os: ['Android'] }, action: 'block' }] }
  const node = await startWith(t, claims)
  t.notMatch(judge(node, policy), { platform: 'Android' })
  await node.store.recordSightings([
    sighting({ ...claims, information: { os: 'Android 14', model: 'Pixel 8' }, at: policyNow }),
  ])
  t.match(judge(node, policy), { platform: 'Android' })
})

void t.test('a phone of a user whom nobody knows is judged as its next request would be', async (t) => {
  const node = await startWith(t, { user: 'stranger' })
  t.match(judge(node), {
    standing: { action: 'quarantine', reason: 'not-enrolled', refused: true },
    groups: [],
  })
})
