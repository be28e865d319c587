import t from 'tap'
import {
  harshPolicy,
  metricValue,
  mildPolicy,
  policyNow,
  seenPhones,
  startPolicyNode,
  hourMs,
  type PolicyNode,
} from '../support/policy-node.ts'

const reportOnly = harshPolicy.replace('{ noncompliant', '{ mode: report-only, noncompliant')

function reloads({ metrics }: PolicyNode, outcome: string): Promise<number | undefined> {
  return metricValue(metrics, 'easgate_policy_reload_total', { outcome })
}

void t.test('a policy that refuses too many is held, and the old one stays in force', async (t) => {
  const node = await startPolicyNode(t, { phones: 10 })
  const before = node.keeper.current()
  node.write(harshPolicy)
  await node.keeper.reload()
  t.equal(node.keeper.current(), before)
  t.strictSame(node.handed, [], 'no worker hears of it')
  t.equal(node.store.keptPolicy()?.text, mildPolicy)
  const [held, ...others] = node.held.list()
  t.match(held, {
    kind: 'policy',
    name: node.file,
    heldAt: policyNow,
    weight: { inUse: 10, newlyRefused: 10, maxNewRefusals: 5, tooHeavy: true },
    tally: {
      newlyRefused: 10,
      byReason: [{ reason: 'posture-unknown', newlyRefused: 10 }],
      byPlatform: [{ platform: 'iOS', newlyRefused: 10 }],
      byGroup: [{ group: 'staff', newlyRefused: 10 }],
    },
  })
  t.strictSame(others, [])
  t.equal(await metricValue(node.metrics, 'easgate_changes_held', { kind: 'policy' }), 1)
  t.equal(await reloads(node, 'held'), 1)
  t.match(node.logged.at(-1), /would refuse too many devices and is held/)
  t.match(node.store.auditEvents({}).events[0], {
    event: 'change-held',
    detail: { kind: 'policy', inUse: 10, newlyRefused: 10 },
  })
})

void t.test('confirmed, it comes into force as it was when it was held', async (t) => {
  const node = await startPolicyNode(t, { phones: 10 })
  node.write(harshPolicy)
  await node.keeper.reload()
  const digest = node.held.list()[0]?.digest ?? ''
  node.write('nonsense: true\n')
  t.equal(await node.held.confirm('000000000000', 'api'), undefined, 'no other digest does')
  t.equal(node.keeper.current().text, mildPolicy)
  t.match(await node.held.confirm(digest, 'api'), { digest })
  t.match(node.keeper.current(), { text: harshPolicy, digest, revision: 2, since: policyNow, actor: 'api' })
  t.match(node.handed, [{ digest, revision: 2 }])
  t.match(node.store.keptPolicy(), { text: harshPolicy, digest, actor: 'api' })
  t.strictSame(node.held.list(), [])
  t.equal(await metricValue(node.metrics, 'easgate_changes_held', { kind: 'policy' }), 0)
  t.equal(await metricValue(node.metrics, 'easgate_policy_revision'), 2)
  t.equal(await reloads(node, 'confirmed'), 1)
  t.equal(await node.held.confirm(digest, 'api'), undefined, 'once')
  const events = node.store.auditEvents({}).events.map(({ event, actor }) => [event, actor])
  t.strictSame(events.slice(0, 2), [
    ['change-confirmed', 'api'],
    ['policy-in-force', 'api'],
  ])
})

void t.test('what is held is gone with its cause', async (t) => {
  const node = await startPolicyNode(t, { phones: 10 })
  for (const [name, policy] of [
    ['the old file again', mildPolicy],
    ['a file that refuses nobody', `# another\n${mildPolicy}`],
  ] as const) {
    node.write(harshPolicy)
    await node.keeper.reload()
    t.equal(node.held.list().length, 1)
    node.write(policy)
    await node.keeper.reload()
    t.strictSame(node.held.list(), [], name)
    t.equal(node.keeper.current().text, policy, name)
    t.equal(await metricValue(node.metrics, 'easgate_changes_held', { kind: 'policy' }), 0, name)
  }
  t.equal(await reloads(node, 'unchanged'), 1)
  t.equal(await reloads(node, 'loaded'), 1)
})

void t.test('a later file takes the place of the one that is held', async (t) => {
  const node = await startPolicyNode(t, { phones: 10 })
  node.write(harshPolicy)
  await node.keeper.reload()
  const [first] = node.held.list()
  node.write(`# again\n${harshPolicy}`)
  await node.keeper.reload()
  t.equal(node.held.list().length, 1)
  t.equal(await node.held.confirm(first?.digest ?? '', 'api'), undefined, 'what was shown first is no more')
  t.equal(node.keeper.current().text, mildPolicy)
})

void t.test('a file with faults leaves the old policy in force, and what is held stays held', async (t) => {
  const node = await startPolicyNode(t, { phones: 10 })
  node.write(harshPolicy)
  await node.keeper.reload()
  node.write('conditionalAccess: { onPremises: { mode: nonsense } }\n')
  await node.keeper.reload()
  t.equal(node.keeper.current().text, mildPolicy)
  t.equal(node.held.list().length, 1)
  t.equal(await reloads(node, 'faulty'), 1)
  t.match(node.logged.at(-1), /has faults; the old one stays in force/)
})

void t.test('a policy is taken where few are refused, or nobody is seen, or it only reports', async (t) => {
  for (const [name, options, policy] of [
    ['as few as are always allowed', { phones: 5 }, harshPolicy],
    ['nobody was seen', { phones: 0 }, harshPolicy],
    ['nobody was seen in 24 hours', { seen: seenPhones(10, { at: policyNow - 25 * hourMs }) }, harshPolicy],
    [
      'who was seen was refused then',
      { seen: seenPhones(10, { action: 'block', allowed: false }) },
      harshPolicy,
    ],
    ['report-only', { phones: 10 }, reportOnly],
    ['the catch is off', { phones: 10, policy: `${mildPolicy}maxNewRefusals: 100%\n` }, harshPolicy],
  ] as const) {
    const node = await startPolicyNode(t, options)
    node.write(policy)
    await node.keeper.reload()
    t.equal(node.keeper.current().text, policy, name)
    t.strictSame(node.held.list(), [], name)
  }
})

void t.test('from report-only to enforce is a change like any other', async (t) => {
  const seen = seenPhones(10, { action: 'block', reason: 'posture-unknown' })
  const node = await startPolicyNode(t, { seen, policy: reportOnly })
  node.write(harshPolicy)
  await node.keeper.reload()
  t.match(node.held.list(), [{ weight: { inUse: 10, newlyRefused: 10 } }])
})

void t.test('a draft does not lift the catch that judges it', async (t) => {
  const node = await startPolicyNode(t, { phones: 10 })
  node.write(`${harshPolicy}maxNewRefusals: 100%\n`)
  await node.keeper.reload()
  t.equal(node.held.list().length, 1)
})

void t.test('a restart knows the policy of before', async (t) => {
  const node = await startPolicyNode(t, { phones: 10 })
  const same = node.restart()
  await same.started
  t.match(same.current(), { text: mildPolicy, since: policyNow, actor: 'file' })
  t.strictSame(node.handed, [], 'the same file is no change')

  node.write(harshPolicy)
  const changed = node.restart()
  t.equal(changed.current().text, mildPolicy, 'until it is decided')
  await changed.started
  t.equal(changed.current().text, mildPolicy)
  t.equal(node.held.list().length, 1)

  node.write(`# another\n${mildPolicy}`)
  const harmless = node.restart()
  await harmless.started
  t.equal(harmless.current().text, `# another\n${mildPolicy}`)
  t.equal(node.store.keptPolicy()?.text, `# another\n${mildPolicy}`)
})

void t.test('a policy of before that cannot be read any more gives way to the file', async (t) => {
  const node = await startPolicyNode(t, { phones: 10 })
  const kept = node.store.keptPolicy()
  if (kept === undefined) throw new Error('no policy is kept')
  node.store.keepPolicy({ ...kept, digest: 'gone', text: 'keyOfAnotherVersion: 1\n' })
  node.write(harshPolicy)
  const keeper = node.restart()
  await keeper.started
  t.equal(keeper.current().text, harshPolicy)
  t.ok(node.logged.includes('the policy of before cannot be read any more; that of the file counts'))
})

void t.test('reloads that come at once are one, and each sees the file as it is then', async (t) => {
  const node = await startPolicyNode(t)
  node.write(`# 1\n${mildPolicy}`)
  const first = node.keeper.reload()
  const second = node.keeper.reload()
  t.equal(first, second)
  node.write(`# 2\n${mildPolicy}`)
  await second
  t.equal(node.keeper.current().text, `# 2\n${mildPolicy}`)
  t.equal(node.handed.length, 1)
})

void t.test('a policy that cannot be kept is not in force, and stays held where it was', async (t) => {
  const node = await startPolicyNode(t, { phones: 10 })
  node.write(harshPolicy)
  await node.keeper.reload()
  const digest = node.held.list()[0]?.digest ?? ''
  node.store.close()
  await t.rejects(node.held.confirm(digest, 'api'))
  t.equal(node.held.list().length, 1)
  t.equal(node.keeper.current().text, mildPolicy)
  node.write(`# another\n${mildPolicy}`)
  await node.keeper.reload()
  t.equal(node.keeper.current().text, mildPolicy)
  t.match(node.logged.at(-1), /could not be taken; the old one stays in force/)
})
