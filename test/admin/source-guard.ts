import t, { type Test } from 'tap'
import { createConfirmedRefusals } from '#admin/confirmed-refusals.ts'
import { createSourceGuard } from '#admin/source-guard.ts'
import type { FactsRecord } from '#directory/record.ts'
import { phone } from '../support/directory-store.ts'
import {
  metricValue,
  policyNow,
  seenPhones,
  startPolicyNode,
  type PolicyNode,
  type PolicyNodeOptions,
} from '../support/policy-node.ts'

/** The records of as many phones as are seen. */
function records(count: number, fields: Partial<FactsRecord> = {}): FactsRecord[] {
  return Array.from({ length: count }, (_, number) =>
    phone(`user${number}@example.com`, `Appl${number}`, {
      platform: 'iOS',
      groups: ['staff'],
      registered: true,
      ...fields,
    }),
  )
}

/** As many, of which the first ones are noncompliant. */
function withNoncompliant(count: number, noncompliant: number): FactsRecord[] {
  return [
    ...records(noncompliant, { complianceState: 'noncompliant' }),
    ...records(count).slice(noncompliant),
  ]
}

interface Guarded extends PolicyNode {
  /** Reads the source `file`, which holds this; true where it is held. */
  readonly read: (set: readonly FactsRecord[], complete?: boolean) => Promise<boolean>
  readonly stateOf: (number: number) => string | undefined
  /** Confirms what is held. */
  readonly confirm: () => Promise<unknown>
}

async function startGuarded(t: Test, options: PolicyNodeOptions): Promise<Guarded> {
  const node = await startPolicyNode(t, options)
  const { store, judges, held, keeper } = node
  let last: readonly FactsRecord[] = []
  const read = async (set: readonly FactsRecord[], complete = true) => {
    last = set
    return (await store.replace('file', set, { complete })).held
  }
  const readAgain = async () => void (await read(last))
  store.guardSets(
    createSourceGuard({
      store,
      judges,
      held,
      confirmed: createConfirmedRefusals(),
      policy: keeper.current,
      readAgain,
      now: () => policyNow,
    }),
  )
  return {
    ...node,
    read,
    stateOf: (number) =>
      store.deviceFacts(`user${number}@example.com`, `appl${number}`)?.value.complianceState,
    confirm: () => held.confirm(held.list()[0]?.digest ?? '', 'api'),
  }
}

void t.test('a set that refuses too many is held, and the old facts stay', async (t) => {
  const node = await startGuarded(t, { phones: 10 })
  t.equal(await node.read(withNoncompliant(10, 6)), true)
  t.equal(node.stateOf(0), 'compliant')
  t.match(node.held.list(), [
    {
      kind: 'source',
      name: 'file',
      digest: /^[0-9a-f]{12}$/,
      weight: { inUse: 10, newlyRefused: 6, maxNewRefusals: 5 },
      tally: { byReason: [{ reason: 'noncompliant', newlyRefused: 6 }], byGroup: [{ group: 'staff' }] },
    },
  ])
  t.equal(await metricValue(node.metrics, 'easgate_changes_held', { kind: 'source' }), 1)
  t.equal(await metricValue(node.metrics, 'easgate_changes_held', { kind: 'policy' }), 0)
  t.match(node.store.syncState('file'), { outcome: 'held' })
})

void t.test('every way in which a set can refuse is weighed', async (t) => {
  for (const [name, set] of [
    ['nobody is listed any more', []],
    ['the devices are gone, the users are not', records(10).map(({ user }) => ({ user }))],
    [
      "the devices are other people's",
      records(10).map((record, number) => ({ ...record, user: `user${9 - number}@example.com` })),
    ],
    [
      'the devices have other ids',
      records(10).map((record) => ({ ...record, deviceId: `${record.deviceId}x` })),
    ],
    ['they are another kind of device', records(10, { platform: 'Android' })],
  ] as const) {
    const node = await startGuarded(t, { phones: 10 })
    t.equal(await node.read(set), true, name)
    t.match(node.held.list(), [{ weight: { newlyRefused: 10 } }], name)
  }
})

void t.test('groups count as devices do', async (t) => {
  const policy = 'conditionalAccess: { onPremises: { targetedGroups: [judged], noncompliant: block } }\n'
  const seen = seenPhones(10)
  const node = await startGuarded(t, { policy, seen })
  t.equal(await node.read(records(10, { complianceState: 'noncompliant' })), false, 'nobody is judged')
  t.equal(await node.read(records(10, { complianceState: 'noncompliant', groups: ['judged'] })), true)
  t.match(node.held.list(), [{ weight: { newlyRefused: 10 } }])
})

void t.test('confirmed, what was shown takes place, and not much more', async (t) => {
  const node = await startGuarded(t, { phones: 20 })
  t.equal(await node.read(withNoncompliant(20, 8)), true)
  await node.confirm()
  t.equal(node.stateOf(7), 'noncompliant')
  t.strictSame(node.held.list(), [])
  t.equal(await metricValue(node.metrics, 'easgate_changes_held', { kind: 'source' }), 0)
  t.match(node.store.auditEvents({}).events[0], {
    event: 'change-confirmed',
    actor: 'api',
    detail: { kind: 'source' },
  })

  t.equal(await node.read(withNoncompliant(20, 16)), true, 'the word is spent')
})

void t.test('a source that went on when it is read again brings what was confirmed', async (t) => {
  for (const [name, later, held] of [
    ['a few more', withNoncompliant(30, 15), false],
    ['a few less', withNoncompliant(30, 8), false],
    ['many more', withNoncompliant(30, 25), true],
  ] as const) {
    const node = await startPolicyNode(t, { phones: 30 })
    let set = withNoncompliant(30, 10)
    const read = async () => (await node.store.replace('file', set, { complete: true })).held
    const { store, judges, keeper } = node
    const readAgain = async () => void (await read())
    store.guardSets(
      createSourceGuard({
        store,
        judges,
        held: node.held,
        confirmed: createConfirmedRefusals(),
        policy: keeper.current,
        readAgain,
        now: () => policyNow,
      }),
    )
    t.equal(await read(), true)
    const digest = node.held.list()[0]?.digest ?? ''
    set = later
    await node.held.confirm(digest, 'api')
    t.equal(node.held.list().length === 1, held, name)
    if (!held) continue
    t.match(node.held.list(), [{ weight: { newlyRefused: 15 } }], 'the others of them')
    await node.held.confirm(node.held.list()[0]?.digest ?? '', 'api')
    t.strictSame(node.held.list(), [], 'both words count')
  }
})

void t.test('what is held is gone with its cause; each set is weighed anew', async (t) => {
  const node = await startGuarded(t, { phones: 10 })
  t.equal(await node.read(withNoncompliant(10, 10)), true)
  const [first] = node.held.list()
  t.equal(await node.read(withNoncompliant(10, 8)), true)
  t.equal(node.held.list().length, 1, 'one a source')
  t.equal(await node.held.confirm(first?.digest ?? '', 'api'), undefined, 'what was shown first is no more')
  t.equal(await node.read(records(10)), false, 'the same facts as before')
  t.strictSame(node.held.list(), [])
  t.equal(await node.read(withNoncompliant(10, 8)), true)
  t.equal(await node.read(withNoncompliant(10, 2)), false, 'a few')
  t.strictSame(node.held.list(), [])
  t.equal(node.stateOf(1), 'noncompliant')
})

void t.test('a set is taken where few are refused, or nobody is seen, or some are let in', async (t) => {
  for (const [name, options, set] of [
    ['as few as are always allowed', { phones: 10 }, withNoncompliant(10, 5)],
    ['nobody is seen', { phones: 0 }, withNoncompliant(10, 10)],
    ['report-only', { phones: 10, policy: 'conditionalAccess: { onPremises: { mode: report-only } }\n' }, []],
    ['the catch is off', { phones: 10, policy: 'maxNewRefusals: 100%\n' }, []],
  ] as const) {
    const node = await startGuarded(t, options)
    t.equal(await node.read(set), false, name)
  }
  const refused = seenPhones(10, { action: 'block', reason: 'noncompliant', allowed: false })
  const node = await startGuarded(t, { seen: refused })
  await node.store.upsert('api', withNoncompliant(10, 10))
  t.equal(await node.read(records(10, { model: 'iPhone 15' })), false)
})

void t.test('a set with faults takes nothing away, so it is weighed by what it says', async (t) => {
  const node = await startGuarded(t, { phones: 10 })
  t.equal(await node.read([], false), false)
  t.equal(await node.read(withNoncompliant(10, 10), false), true)
  t.equal(node.stateOf(0), 'compliant')
})

void t.test('who pushes facts is not asked', async (t) => {
  const node = await startGuarded(t, { phones: 10 })
  await node.store.upsert('api', withNoncompliant(10, 10))
  t.equal(node.stateOf(0), 'noncompliant')
  t.strictSame(node.held.list(), [])
})
