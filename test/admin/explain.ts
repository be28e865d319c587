import t from 'tap'
import type { Explanation } from '#admin/explain.ts'
import { criteria } from '#policy/decide.ts'
import { adminNow, startAdmin, type AdminNode } from '../support/admin-node.ts'

async function explain({ call }: AdminNode, query: Readonly<Record<string, string>>): Promise<Explanation> {
  const answer = await call('GET', `/api/explain?${new URLSearchParams(query).toString()}`)
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.json() as Explanation
}

const asOf = new Date(adminNow).toISOString()
const passed = (criterion: string) => ({ criterion, outcome: 'passed', detail: '' })
const unknownDevice = { platform: 'unknown', osVersion: 'unknown', model: 'unknown', client: 'unknown' }

void t.test('explains the four demo users in the words of design.md, every field of them', async (t) => {
  const node = await startAdmin(t)
  const alice = await explain(node, {
    user: 'alice@example.com',
    deviceId: 'ApplDEMOALICE1',
    deviceType: 'iPhone',
    userAgent: 'Apple-iPhone15C2/2105.219',
  })
  t.strictSame(alice, {
    action: 'allow',
    reason: 'compliant',
    rule: 'compliance',
    mode: 'enforce',
    status: 200,
    validUntil: null,
    user: 'alice@example.com',
    backend: 'simulator',
    device: { platform: 'iOS', osVersion: '17.5.1', model: 'iPhone 15', client: 'Apple Mail' },
    facts: {
      enrolled: true,
      registered: true,
      complianceState: 'compliant',
      platform: 'iOS',
      osVersion: '17.5.1',
      model: 'iPhone 15',
      known: true,
      groups: [],
      onRecord: true,
      otherOwner: false,
      allowedBefore: false,
      source: 'file',
      asOf,
      revision: alice.facts['revision'],
    },
    trace: alice.trace,
  })
  t.strictSame(
    alice.trace.map(({ criterion }) => criterion),
    criteria.map(({ name }) => name),
  )
  t.strictSame(alice.trace[0], passed('user-mismatch'))
  t.match(alice.trace.at(-1), { criterion: 'compliance', outcome: 'allow', detail: /\w/ })

  const bob = await explain(node, { user: 'bob@example.com', deviceId: 'androidDEMOBOB1' })
  t.match(bob, { action: 'block', reason: 'noncompliant', rule: 'compliance', status: 403 })
  t.match(bob.device, { platform: 'Android', osVersion: '14', model: 'Pixel 8' })

  const carol = await explain(node, { user: 'carol@example.com', deviceId: 'ApplDEMOCAROL1' })
  t.match(carol, { action: 'quarantine', reason: 'not-enrolled', rule: 'enrolled', status: 403 })
  t.strictSame(carol.facts, {
    known: true,
    groups: [],
    onRecord: false,
    otherOwner: false,
    allowedBefore: false,
    source: null,
    asOf: null,
    revision: carol.facts['revision'],
  })
  t.equal(carol.trace.at(-1)?.outcome, 'quarantine', 'the trace ends where it was decided')

  const dave = await explain(node, { user: 'dave@example.com', deviceId: 'ApplDEMODAVE1' })
  t.match(dave, { action: 'allow', reason: 'exempt', rule: 'exempt', status: 200 })
  t.match(dave.facts, { groups: ['executives'] })
})

void t.test('finds the user by every name of a login, and the device in every spelling', async (t) => {
  const node = await startAdmin(t)
  for (const user of ['alice', 'ALICE@EXAMPLE.COM', 'EXAMPLE\\alice', 'example\\alice@example.com']) {
    t.match(
      await explain(node, { user, deviceId: 'appldemoalice1' }),
      { user: 'alice@example.com', reason: 'compliant' },
      user,
    )
  }
  const hex = Buffer.from('ApplDEMOALICE1').toString('hex')
  t.match(await explain(node, { user: 'alice', deviceId: hex }), { reason: 'compliant' })
})

void t.test('garbage gets an answer too: what is not known is unknown and never let in', async (t) => {
  const node = await startAdmin(t)
  for (const user of [
    'nobody',
    'OTHER\\alice',
    '\\',
    '@',
    'alice@example.com\n',
    'a'.repeat(5000),
    '<b>',
    '\u{202e}x',
  ]) {
    const { action, device, facts } = await explain(node, {
      user,
      deviceId: 'x',
      deviceType: '\u0000',
      userAgent: '<script>'.repeat(100),
    })
    t.strictSame([action, device, facts['known']], ['quarantine', unknownDevice, false], user.slice(0, 20))
  }
})

void t.test('a question that is wrong is told by field', async (t) => {
  const node = await startAdmin(t)
  for (const [query, fields] of [
    ['', ['user', 'deviceId']],
    ['user=alice', ['deviceId']],
    ['deviceId=x', ['user']],
    ['user=alice&deviceId=a%20b', ['deviceId']],
    [`user=alice&deviceId=${'a'.repeat(65)}`, ['deviceId']],
  ] as const) {
    const answer = await node.call('GET', `/api/explain?${query}`)
    t.match(answer.json(), { status: 400, errors: fields.map((field) => ({ field })) }, query)
  }
  for (const query of ['user=a&deviceId=b&device=c', 'user=a&user=b&deviceId=c']) {
    t.equal((await node.call('GET', `/api/explain?${query}`)).status, 400, query)
  }
})

void t.test('an id of somebody else is told as such', async (t) => {
  const node = await startAdmin(t)
  t.match(await explain(node, { user: 'bob', deviceId: 'ApplDEMOALICE1' }), {
    action: 'block',
    reason: 'owner-mismatch',
    facts: { onRecord: false, otherOwner: true, source: null },
  })
})

void t.test('the platform is a word of the closed list, whatever the MDM calls it', async (t) => {
  const node = await startAdmin(t)
  await node.call('POST', '/api/facts', {
    body: { user: 'alice@example.com', deviceId: 'ApplIPAD1', enrolled: true, platform: 'iPadOS' },
  })
  const question = {
    user: 'alice',
    deviceId: 'ApplIPAD1',
    deviceType: 'iPad',
    userAgent: 'Apple-iPad11C3/1903.258',
  }
  const { device, facts } = await explain(node, question)
  t.equal(device.platform, 'iOS')
  t.equal(facts['platform'], 'iPadOS', 'the fact stands as it was given')
})

void t.test(
  'tells the mode, the backend of the user and when time alone would change the answer',
  async (t) => {
    const server = {
      servers: ['https://mail.example.com'],
      tlsMinVersion: 'TLSv1.2',
      healthSeconds: 10,
    } as const
    const node = await startAdmin(t, {
      policy: { conditionalAccess: { online: { mode: 'report-only', requireRegistration: false } } },
      backends: {
        onsite: { kind: 'exchange-on-premises', ...server, servers: [...server.servers] },
        cloud: { kind: 'exchange-online', ...server, servers: [...server.servers] },
      },
      routing: { default: 'onsite', rules: [{ group: 'executives', backend: 'cloud' }], passthrough: [] },
    })
    const graceUntil = '2026-06-05T00:00:00.000Z'
    await node.call('POST', '/api/facts', {
      body: [
        {
          user: 'alice@example.com',
          deviceId: 'ApplDEMOALICE1',
          complianceState: 'inGracePeriod',
          graceUntil,
        },
        { user: 'dave@example.com', deviceId: 'ApplDAVE1', enrolled: true, complianceState: 'noncompliant' },
      ],
    })
    t.match(await explain(node, { user: 'alice', deviceId: 'ApplDEMOALICE1' }), {
      action: 'allow',
      reason: 'in-grace-period',
      mode: 'enforce',
      backend: 'onsite',
      validUntil: graceUntil,
      facts: { graceUntil, source: 'api, file' },
    })
    t.match(await explain(node, { user: 'dave', deviceId: 'ApplDAVE1' }), {
      action: 'block',
      reason: 'noncompliant',
      mode: 'report-only',
      backend: 'cloud',
      validUntil: null,
    })
  },
)
