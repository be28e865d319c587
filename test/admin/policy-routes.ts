import { parse } from 'csv-parse/sync'
import t from 'tap'
import { digestOf } from '#config/digest.ts'
import { request } from 'undici'
import {
  harshPolicy,
  hourMs,
  mildPolicy,
  policyNow,
  seenPhones,
  startPolicyNode,
  type PolicyNode,
} from '../support/policy-node.ts'

const evaluate = '/api/policy/evaluate'

function evaluateDraft({ call }: PolicyNode, policy: string, query = '') {
  return call('POST', `${evaluate}${query}`, { policy })
}

void t.test('shows the policy in force', async (t) => {
  const node = await startPolicyNode(t, { phones: 10 })
  t.strictSame((await node.call('GET', '/api/policy')).json(), {
    digest: digestOf(mildPolicy),
    revision: 1,
    since: '2026-06-01T12:00:00.000Z',
    actor: 'file',
    maxNewRefusals: 0.2,
    held: [],
  })
})

void t.test('shows what is held; confirmed by its digest, and by no other, it takes place', async (t) => {
  const node = await startPolicyNode(t, { phones: 10 })
  node.write(harshPolicy)
  await node.keeper.reload()
  const digest = digestOf(harshPolicy)
  t.match((await node.call('GET', '/api/policy')).json(), {
    digest: digestOf(mildPolicy),
    held: [
      {
        kind: 'policy',
        name: node.file,
        digest,
        heldAt: '2026-06-01T12:00:00.000Z',
        inUse: 10,
        newlyRefused: 10,
        maxNewRefusals: 5,
        byReason: [{ reason: 'posture-unknown', newlyRefused: 10, newlyAllowed: 0 }],
        byPlatform: [{ platform: 'iOS' }],
        byGroup: [{ group: 'staff' }],
      },
    ],
  })
  const other = await node.call('POST', '/api/policy/confirm', { digest: 'aaaaaaaaaaaa' })
  t.match(other.json(), {
    status: 409,
    detail: /aaaaaaaaaaaa is held; what is: policy .*policy\.yaml \(\w{12}\)$/,
  })
  t.equal(node.keeper.current().text, mildPolicy)
  for (const body of [{}, { digest: '' }, { digest: 5 }, { digest, force: true }, null, 'text']) {
    const answer = await node.call('POST', '/api/policy/confirm', body)
    t.equal(answer.status, 400, JSON.stringify(body))
  }
  const confirmed = await node.call('POST', '/api/policy/confirm', { digest })
  t.strictSame([confirmed.status, confirmed.json()], [200, { kind: 'policy', name: node.file, digest }])
  t.match((await node.call('GET', '/api/policy')).json(), { digest, revision: 2, actor: 'api', held: [] })
  const again = await node.call('POST', '/api/policy/confirm', { digest })
  t.match(again.json(), { status: 409, detail: /nothing is$/ })
})

void t.test('tries a draft without taking it', async (t) => {
  const node = await startPolicyNode(t, { phones: 8 })
  const answer = await evaluateDraft(node, harshPolicy, '?limit=1')
  t.equal(answer.status, 200)
  t.strictSame(answer.json(), {
    digest: digestOf(harshPolicy),
    inForce: { digest: digestOf(mildPolicy), revision: 1 },
    since: '2026-05-02T12:00:00.000Z',
    devices: 8,
    newlyRefused: 8,
    newlyAllowed: 0,
    byReason: [{ reason: 'posture-unknown', newlyRefused: 8, newlyAllowed: 0 }],
    byPlatform: [{ platform: 'iOS', newlyRefused: 8, newlyAllowed: 0 }],
    byGroup: [{ group: 'staff', newlyRefused: 8, newlyAllowed: 0 }],
    safetyCatch: { inUse: 8, newlyRefused: 8, maxNewRefusals: 5, tooHeavy: true },
    more: 7,
    changes: [
      {
        user: 'user0@example.com',
        deviceId: 'Appl0',
        to: 'refused',
        platform: 'iOS',
        groups: ['staff'],
        lastSeenAt: '2026-06-01T11:00:00.000Z',
        before: { action: 'allow', reason: 'compliant', rule: 'compliance', mode: 'enforce', refused: false },
        after: {
          action: 'block',
          reason: 'posture-unknown',
          rule: 'compliance: passcode',
          mode: 'enforce',
          refused: true,
        },
      },
    ],
  })
  t.equal(node.keeper.current().text, mildPolicy)
  t.strictSame(node.held.list(), [])
  t.strictSame(node.handed, [])
})

void t.test('gives every device as CSV, as the walk finds them', async (t) => {
  const node = await startPolicyNode(t, {
    phones: 250,
    seen: seenPhones(1, { user: 'z', at: policyNow - 40 * 24 * hourMs }),
  })
  const answer = await request(`${node.url}${evaluate}?format=csv&limit=1`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ policy: harshPolicy }),
  })
  t.equal(answer.headers['content-type'], 'text/csv; charset=utf-8')
  t.equal(answer.headers['transfer-encoding'], 'chunked', 'its length is not known before')
  const rows = parse(await answer.body.text(), { columns: true }) as { to: string; user: string }[]
  t.equal(rows.length, 250)
  t.ok(rows.every(({ to }) => to === 'refused'))
  const users = rows.map(({ user }) => user)
  t.strictSame(users, users.toSorted())
})

void t.test('names every fault of a draft with line and path', async (t) => {
  const node = await startPolicyNode(t)
  const draft = 'conditionalAccess:\n  onPremises:\n    mode: on\n    colour: red\n'
  for (const format of ['json', 'csv']) {
    const answer = await evaluateDraft(node, draft, `?format=${format}`)
    t.equal(answer.status, 400)
    t.match(answer.json(), {
      detail: 'the draft has 2 faults',
      errors: [
        { line: 3, path: 'conditionalAccess.onPremises.mode' },
        { line: 4, path: 'conditionalAccess.onPremises.colour', message: 'unknown key' },
      ],
    })
  }
  t.match((await evaluateDraft(node, 'a: [')).json(), { status: 400, errors: [{ line: 1 }] })
  for (const body of [{}, { policy: 5 }, { policy: {} }, { policy: '', more: 1 }, 'text', null]) {
    const answer = await node.call('POST', evaluate, body)
    t.match(answer.json(), { status: 400, detail: /^expected \{"policy": TEXT\}/ }, JSON.stringify(body))
  }
  t.equal((await evaluateDraft(node, `# ${'long '.repeat(100_000)}`)).status, 400)
})

void t.test('names a parameter that is wrong', async (t) => {
  const node = await startPolicyNode(t)
  for (const [query, detail] of [
    ['?since=yesterday', /^since must be a time span such as 12h or 30d/],
    ['?since=0d', /^since/],
    ['?limit=-1', /^limit must be 0 to 10000/],
    ['?limit=10001', /^limit/],
    ['?limit=1e3', /^limit/],
    ['?format=xml', /^there is no format xml; expected one of json, csv/],
    ['?colour=red', /^there is no parameter colour/],
  ] as const) {
    t.match((await evaluateDraft(node, mildPolicy, query)).json(), { status: 400, detail }, query)
  }
  t.equal((await evaluateDraft(node, mildPolicy, '?since=12h&limit=0')).status, 200)
})

void t.test('a draft cannot read the environment of the node', async (t) => {
  process.env['EASGATE_TEST_SECRET'] = 'sesame'
  process.env['EASGATE_TEST_GROUP'] = 'bosses'
  t.teardown(() => {
    delete process.env['EASGATE_TEST_SECRET']
    delete process.env['EASGATE_TEST_GROUP']
  })
  const policy = 'conditionalAccess: { onPremises: { exemptedGroups: ["${EASGATE_TEST_GROUP}"] } }\n'
  const node = await startPolicyNode(t, { policy, phones: 6 })
  const draft = 'deviceRules: [{ name: "${EASGATE_TEST_SECRET}", match: { os: [iOS] }, action: block }]\n'
  const answer = await evaluateDraft(node, draft)
  t.equal(answer.status, 400)
  t.match(answer.json(), { errors: [{ path: 'deviceRules.0.name', message: /EASGATE_TEST_SECRET/ }] })
  t.notMatch(answer.text, 'sesame')
  t.equal(
    (await evaluateDraft(node, `# the same variable\n${policy}`)).status,
    200,
    'but what the policy in force says',
  )
})
