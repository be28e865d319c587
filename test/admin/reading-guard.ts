import t, { type Test } from 'tap'
import { createConfirmedRefusals } from '#admin/confirmed-refusals.ts'
import { createReadingGuard } from '#admin/reading-guard.ts'
import type { SourceDevice } from '#directory/sweep-devices.ts'
import {
  hourMs,
  metricValue,
  policyNow,
  seenPhones,
  startPolicyNode,
  type PolicyNode,
  type PolicyNodeOptions,
} from '../support/policy-node.ts'

/** The first phones of as many, as a source with records of its own lists them. */
function devices(from: number, to: number, complianceState: string): SourceDevice[] {
  return Array.from({ length: to - from }, (_, index) => ({
    user: `user${from + index}@example.com`,
    deviceId: `Appl${from + index}`,
    recordId: `record${from + index}`,
    otherIds: [],
    facts: { enrolled: true, registered: true, platform: 'iOS', complianceState },
  }))
}

interface Guarded extends PolicyNode {
  readonly clock: { now: number }
  /** Reads everything, ten records a page. */
  readonly sweep: (listed: readonly SourceDevice[]) => Promise<void>
  /** Reads what changed. */
  readonly poll: (listed: readonly SourceDevice[]) => Promise<unknown>
  readonly noncompliant: () => number
  readonly confirm: () => Promise<unknown>
  readonly readAgain: string[]
}

const count = 40

async function startGuarded(t: Test, options: PolicyNodeOptions = {}): Promise<Guarded> {
  const node = await startPolicyNode(t, { seen: seenPhones(count), ...options })
  const { store, judges, held, keeper } = node
  const clock = { now: policyNow }
  const readAgain: string[] = []
  const sweep = async (listed: readonly SourceDevice[]) => {
    const reading = store.sweepDevices('file')
    for (let from = 0; from < listed.length; from += 10) {
      await reading.add(listed.slice(from, from + 10), store.currentRevision())
    }
    await reading.finish({ outcome: 'complete' })
  }
  // the records of before had no ids of their own
  await sweep(devices(0, count, 'compliant'))
  store.guardReadings(
    createReadingGuard({
      store,
      judges,
      held,
      confirmed: createConfirmedRefusals(),
      policy: keeper.current,
      readAgain: async (source) => void readAgain.push(source),
      now: () => clock.now,
    }),
  )
  return {
    ...node,
    clock,
    sweep,
    poll: (listed) => store.putDevices('file', listed),
    noncompliant: () =>
      devices(0, count, '').filter(
        ({ user, deviceId }) =>
          store.deviceFacts(user, deviceId.toLowerCase())?.value.complianceState === 'noncompliant',
      ).length,
    confirm: () => held.confirm(held.list()[0]?.digest ?? '', 'api'),
    readAgain,
  }
}

void t.test(
  'a source may refuse a share one after the other; the rest waits with the facts of before',
  async (t) => {
    const node = await startGuarded(t)
    await node.sweep(devices(0, count, 'noncompliant'))
    t.equal(node.noncompliant(), 8, '20% of 40')
    t.match(node.held.list(), [
      {
        kind: 'source',
        name: 'file',
        weight: { inUse: 40, newlyRefused: 40, maxNewRefusals: 8, tooHeavy: true },
        tally: { newlyRefused: 32, byReason: [{ reason: 'noncompliant', newlyRefused: 32 }] },
      },
    ])
    t.equal(await metricValue(node.metrics, 'easgate_changes_held', { kind: 'source' }), 1)
    t.equal(
      node.logged.filter((message) => message.includes('is held')).length,
      2,
      'at the first, and at the end',
    )
    t.equal(node.store.check().rows['device_facts'], count, 'what waits is not gone')
  },
)

void t.test('what lets in, and what refuses nobody who is let in, goes on', async (t) => {
  const node = await startGuarded(t)
  await node.sweep(devices(0, count, 'noncompliant'))
  const better = devices(0, 8, 'compliant')
  const newer = devices(8, count, 'compliant').map((device) => ({
    ...device,
    facts: { ...device.facts, model: 'iPhone 15' },
  }))
  await node.sweep([...better, ...newer])
  t.equal(node.noncompliant(), 0)
  t.equal(node.store.deviceFacts('user9@example.com', 'appl9')?.value.model, 'iPhone 15')
  t.strictSame(node.held.list(), [], 'a reading of everything in which nothing waits ends it')
})

void t.test('what was read as it changed counts with the rest, for a day', async (t) => {
  const node = await startGuarded(t)
  for (let from = 0; from < 8; from += 2) await node.poll(devices(from, from + 2, 'noncompliant'))
  t.equal(node.noncompliant(), 8)
  t.strictSame(node.held.list(), [])
  await node.poll(devices(8, 12, 'noncompliant'))
  t.equal(node.noncompliant(), 8)
  t.match(node.held.list(), [{ weight: { newlyRefused: 12 } }])

  await node.poll(devices(0, 8, 'compliant'))
  await node.poll(devices(0, 8, 'noncompliant'))
  t.equal(node.noncompliant(), 8, 'the same devices again are no others')

  node.clock.now += 25 * hourMs
  await node.store.recordSightings(seenPhones(count, { at: node.clock.now }))
  await node.poll(devices(8, 12, 'noncompliant'))
  t.equal(node.noncompliant(), 12, 'the next day')
})

void t.test('a single device never waits', async (t) => {
  const node = await startGuarded(t)
  await node.sweep(devices(0, count, 'noncompliant'))
  for (const device of devices(8, 20, 'noncompliant')) await node.poll([device])
  t.equal(node.noncompliant(), 20)
})

void t.test('confirmed, what was shown takes place at the next reading', async (t) => {
  const node = await startGuarded(t)
  await node.sweep(devices(0, 30, 'noncompliant').concat(devices(30, count, 'compliant')))
  t.equal(node.noncompliant(), 8)
  await node.confirm()
  t.strictSame(node.readAgain, ['file'])
  t.strictSame(node.held.list(), [])
  await node.sweep(devices(0, count, 'noncompliant'))
  t.equal(node.noncompliant(), 30, 'those that were shown, and no others')
  t.match(node.held.list(), [{ tally: { newlyRefused: 10 } }])
  await node.confirm()
  await node.sweep(devices(0, count, 'noncompliant'))
  t.equal(node.noncompliant(), count)
  t.strictSame(node.held.list(), [])
})

void t.test('a device that waits is shown once, however often it is read', async (t) => {
  const node = await startGuarded(t)
  await node.poll(devices(0, 8, 'noncompliant'))
  await node.poll(devices(10, 15, 'noncompliant'))
  const [first] = node.held.list()
  await node.poll(devices(10, 15, 'noncompliant'))
  t.strictSame(node.held.list(), [first])
  await node.poll(devices(10, 17, 'noncompliant'))
  t.match(node.held.list(), [{ tally: { newlyRefused: 7 } }])
  t.not(node.held.list()[0]?.digest, first?.digest)
})

void t.test('members of a group are weighed as devices are', async (t) => {
  const policy = 'conditionalAccess: { onPremises: { targetedGroups: [judged], noncompliant: block } }\n'
  const node = await startGuarded(t, { policy })
  await node.sweep(devices(0, count, 'noncompliant'))
  t.equal(node.noncompliant(), count, 'nobody is judged')
  const members = devices(0, count, '').map(({ user }) => user)
  const reading = node.store.sweepGroup('file', 'judged')
  await reading.add(members)
  const judged = members.filter((user) => node.store.userFacts(user).value.groups.includes('judged'))
  t.equal(judged.length, 8)
  t.match(node.held.list(), [{ tally: { newlyRefused: 32 } }])
  t.match(await reading.unlisted(10), { count: 0 })
})

void t.test('with few devices, or none in use, or the catch off, nothing waits', async (t) => {
  for (const [name, options] of [
    ['none in use', { seen: seenPhones(count, { at: policyNow - 25 * hourMs }) }],
    ['refused before', { seen: seenPhones(count, { action: 'block', allowed: false }) }],
    ['off', { seen: seenPhones(count), policy: 'maxNewRefusals: 100%\n' }],
    [
      'report-only',
      { seen: seenPhones(count), policy: 'conditionalAccess: { onPremises: { mode: report-only } }\n' },
    ],
  ] as const) {
    const node = await startGuarded(t, options)
    await node.sweep(devices(0, count, 'noncompliant'))
    t.equal(node.noncompliant(), count, name)
    t.strictSame(node.held.list(), [], name)
  }
})
