import t from 'tap'
import type { Explanation } from '#admin/explanation.ts'
import { changedBy } from '#policy/changed-by.ts'
import { criteria } from '#policy/decide.ts'
import { adminNow, startAdmin, type AdminNode } from '../support/admin-node.ts'
import { sighting } from '../support/directory-store.ts'

async function explain({ call }: AdminNode, query: Readonly<Record<string, string>>): Promise<Explanation> {
  const answer = await call('GET', `/api/explain?${new URLSearchParams(query).toString()}`)
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.json() as Explanation
}

const asOf = new Date(adminNow).toISOString()
const unknownDevice = { platform: 'unknown', osVersion: 'unknown', model: 'unknown', client: 'unknown' }

void t.test('explains the four demo users in the words of design.md, every field of them', async (t) => {
  const node = await startAdmin(t)
  const alice = await explain(node, {
    user: 'alice@example.com',
    deviceId: 'ApplDEMOALICE1',
    deviceType: 'iPhone',
    userAgent: 'Apple-iPhone15C2/2105.219',
  })
  const { fields, trace, ...told } = alice
  t.strictSame(told, {
    action: 'allow',
    reason: 'compliant',
    rule: 'compliance',
    mode: 'enforce',
    status: 200,
    detail: 'complianceState is compliant',
    changedBy: changedBy.compliant,
    at: asOf,
    validUntil: null,
    policyRevision: 1,
    policyDigest: 'policy-1',
    factsRevision: alice.factsRevision,
    user: 'alice@example.com',
    backend: 'simulator',
    device: { platform: 'iOS', osVersion: '17.5.1', model: 'iPhone 15', client: 'Apple Mail' },
    claims: {
      deviceType: 'iPhone',
      userAgent: 'Apple-iPhone15C2/2105.219',
      protocolVersion: null,
      seenAt: null,
    },
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
      userHasEnrolledDevice: true,
      sourcesComplete: true,
      allowedBefore: false,
      otherDevices: 0,
      source: 'file',
      asOf,
      revision: alice.factsRevision,
    },
  })
  t.strictSame(fields['complianceState'], { value: 'compliant', source: 'file', asOf })
  t.strictSame(
    trace.map(({ criterion }) => criterion),
    criteria.map(({ name }) => name),
  )
  t.strictSame(trace[0], { criterion: 'user-mismatch', outcome: 'passed', detail: '', notes: [], facts: [] })
  t.match(
    trace.findLast(({ outcome }) => outcome !== 'passed'),
    {
      criterion: 'compliance',
      outcome: 'allow',
      detail: alice.detail,
      facts: [
        { name: 'complianceState', value: 'compliant', source: 'file', asOf },
        { name: 'graceUntil', value: null, source: null, asOf: null },
      ],
    },
  )

  const bob = await explain(node, { user: 'bob@example.com', deviceId: 'androidDEMOBOB1' })
  t.match(bob, { action: 'block', reason: 'noncompliant', rule: 'compliance', status: 403 })
  t.match(bob.device, { platform: 'Android', osVersion: '14', model: 'Pixel 8' })

  const carol = await explain(node, { user: 'carol@example.com', deviceId: 'ApplDEMOCAROL1' })
  t.match(carol, { action: 'quarantine', reason: 'not-enrolled', rule: 'enrolled', status: 200 })
  t.strictSame(carol.facts, {
    known: true,
    groups: [],
    onRecord: false,
    otherOwner: false,
    userHasEnrolledDevice: false,
    sourcesComplete: true,
    allowedBefore: false,
    otherDevices: 0,
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
    ['user=alice&deviceId=x&protocolVersion=15', ['protocolVersion']],
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

void t.test('two sources that contradict each other are shown, the one that counts first', async (t) => {
  const node = await startAdmin(t)
  await node.call('POST', '/api/facts', {
    body: { user: 'bob@example.com', deviceId: 'androidDEMOBOB1', complianceState: 'compliant' },
  })
  const explained = await explain(node, { user: 'bob', deviceId: 'androidDEMOBOB1' })
  const state = {
    value: 'compliant',
    source: 'api',
    asOf,
    contradictedBy: [{ value: 'noncompliant', source: 'file', asOf }],
  }
  t.strictSame(explained.fields['complianceState'], state)
  t.match(explained.trace.find(({ criterion }) => criterion === 'compliance')?.facts, [
    { name: 'complianceState', ...state },
  ])
})

void t.test(
  'without any claim in the question, the client says what it said when it was last seen',
  async (t) => {
    const node = await startAdmin(t, {
      policy: {
        conditionalAccess: {
          onPremises: { blockedClients: ['Gmail'], notEnrolled: 'block', exemptedGroups: ['nobody'] },
        },
      },
    })
    const seen = { user: 'carol@example.com', deviceId: 'ApplDEMOCAROL1', deviceKey: 'appldemocarol1' }
    const userAgent = 'Android-Mail/2023.10.29'
    await node.store.recordSightings([
      sighting({ ...seen, deviceType: 'Android', userAgent, protocolVersion: '14.1', at: adminNow - 60_000 }),
    ])
    const question = { user: 'carol', deviceId: 'ApplDEMOCAROL1' }
    const { claims } = await explain(node, question)
    const seenAt = new Date(adminNow - 60_000).toISOString()
    t.strictSame(claims, { deviceType: 'Android', userAgent, protocolVersion: '14.1', seenAt })
    t.match(await explain(node, { ...question, deviceType: 'iPhone', protocolVersion: '16.1' }), {
      claims: { deviceType: 'iPhone', userAgent: null, protocolVersion: '16.1', seenAt: null },
      device: { platform: 'iOS' },
    })
  },
)

void t.test('a protocol that the backend no longer serves is told', async (t) => {
  const node = await startAdmin(t, {
    backends: {
      cloud: {
        kind: 'exchange-online',
        servers: ['https://mail.example.com'],
        tlsMinVersion: 'TLSv1.2',
        healthSeconds: 10,
      },
    },
    routing: { default: 'cloud', rules: [], passthrough: [] },
  })
  const question = { user: 'alice', deviceId: 'ApplDEMOALICE1', deviceType: 'iPhone' }
  t.match(await explain(node, { ...question, protocolVersion: '16.1' }), { reason: 'compliant' })
  t.match(await explain(node, { ...question, protocolVersion: '14.1' }), { reason: 'protocol-too-old' })
})
