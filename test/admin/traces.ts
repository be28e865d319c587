import t from 'tap'
import type { Explanation } from '#admin/explanation.ts'
import { adminNow, startAdmin, type AdminNode, type AdminNodeOptions } from '../support/admin-node.ts'
import { sighting } from '../support/directory-store.ts'
import { explained, traceReport } from '../support/traces.ts'

const bob = { user: 'bob@example.com', deviceId: 'androidDEMOBOB1', deviceKey: 'androiddemobob1' }
const lastAt = adminNow - 1000

/** A node that kept why bob's phone was refused, twelve times. */
async function refused(t: Parameters<typeof startAdmin>[0], options: AdminNodeOptions = {}) {
  const node = await startAdmin(t, options)
  await node.store.recordSightings([sighting({ ...bob, deviceType: 'Android', userAgent: undefined })])
  const { deviceId: _, ...pair } = bob
  const ids = { requestId: 'abc-1', lastRequestId: 'abc-z', requests: 12, lastAt }
  await node.store.recordTraces([traceReport({ ...pair, ...ids })])
  return node
}

async function ask({ call }: AdminNode, parameters: Readonly<Record<string, string>> = {}) {
  const query = new URLSearchParams({ user: 'bob', deviceId: bob.deviceId, ...parameters }).toString()
  const answer = await call('GET', `/api/explain?${query}`)
  return { status: answer.status, ...(answer.json() as Partial<Explanation>) }
}

const kept = {
  action: 'block',
  reason: 'noncompliant',
  at: explained.at,
  requestId: 'abc-1',
  lastRequestId: 'abc-z',
  requests: 12,
  lastAt: new Date(lastAt).toISOString(),
}

void t.test('lists what is kept of a device, in the shape of explain', async (t) => {
  const node = await refused(t)
  await node.store.recordTraces([
    traceReport({
      user: bob.user,
      deviceKey: bob.deviceKey,
      requestId: 'abc-2',
      factsRevision: 13,
      lastAt: lastAt + 1,
    }),
  ])
  for (const path of [
    'bob@example.com/androidDEMOBOB1',
    'BOB/ANDROIDdemobob1',
    'EXAMPLE%5Cbob/androidDEMOBOB1',
  ]) {
    const answer = await node.call('GET', `/api/devices/${path}/traces`)
    t.match(
      answer.json(),
      {
        user: 'bob@example.com',
        deviceId: 'androidDEMOBOB1',
        traces: [
          { requestId: 'abc-2' },
          {
            ...kept,
            status: 403,
            facts: { complianceState: 'noncompliant', known: true, onRecord: true, source: 'file' },
            trace: [
              {
                criterion: 'compliance',
                outcome: 'block',
                facts: [{ name: 'complianceState', value: 'noncompliant', source: 'file' }],
              },
            ],
            claims: { deviceType: 'iPhone', seenAt: explained.at },
          },
        ],
      },
      path,
    )
  }
})

void t.test('a device of which nothing is kept has an empty list, one that nobody knows none', async (t) => {
  const node = await startAdmin(t)
  const known = await node.call('GET', '/api/devices/alice/ApplDEMOALICE1/traces')
  t.match(known.json(), { deviceId: 'ApplDEMOALICE1', traces: [] })
  t.match((await node.call('GET', '/api/devices/nobody/x/traces')).json(), {
    status: 404,
    detail: 'this device is neither on record nor was it seen',
  })
  for (const path of [
    'alice/traces',
    'alice/x/traces/more',
    '/x/traces',
    'alice//traces',
    'alice/x/Traces',
  ]) {
    t.equal((await node.call('GET', `/api/devices/${path}`)).status, 404, path)
  }
})

void t.test('a request of which an explanation is kept gets that one, whatever is known now', async (t) => {
  const node = await refused(t)
  await node.call('POST', '/api/facts', {
    body: { user: bob.user, deviceId: bob.deviceId, complianceState: 'compliant' },
  })
  t.match(await ask(node), { action: 'allow' })
  for (const requestId of ['abc-1', 'abc-z']) {
    const answer = await ask(node, { requestId })
    t.match(answer, { ...kept, recomputed: false }, requestId)
    t.notOk('movedOn' in answer)
  }
})

void t.test(
  'the requests between its first and its last one are found by how they were decided',
  async (t) => {
    const node = await refused(t)
    const line = { requestId: 'abc-5', policyRevision: '1', factsRevision: '12', reason: 'noncompliant' }
    t.match(await ask(node, line), { ...kept, recomputed: false })
    for (const other of [
      { policyRevision: '2' },
      { factsRevision: '13' },
      { reason: 'jailbroken' },
      { reason: '' },
    ]) {
      t.match(
        await ask(node, { ...line, ...other }),
        { requestId: 'abc-5', recomputed: true },
        JSON.stringify(other),
      )
    }
    t.match(await ask(node, { requestId: 'abc-5' }), { recomputed: true, movedOn: null })
  },
)

void t.test(
  'what is not kept is made of what is known now, and says whether that has moved on',
  async (t) => {
    const node = await startAdmin(t)
    const now = await ask(node)
    const line = {
      requestId: 'abc-7',
      policyRevision: String(now.policyRevision),
      factsRevision: String(now.factsRevision),
    }
    const answer = await ask(node, line)
    t.match(answer, { action: 'block', requestId: 'abc-7', recomputed: true, movedOn: false })
    t.match(await ask(node, { ...line, policyRevision: '9' }), { recomputed: true, movedOn: true })
    await node.call('POST', '/api/facts', {
      body: { user: bob.user, deviceId: bob.deviceId, complianceState: 'compliant' },
    })
    t.match(await ask(node, line), { action: 'allow', recomputed: true, movedOn: true })
  },
)

void t.test('a record that is gone has moved on too, although what is left is old', async (t) => {
  const node = await refused(t)
  const { factsRevision } = await ask(node)
  const line = { requestId: 'abc-7', policyRevision: '1', factsRevision: String(factsRevision) }
  t.match(await ask(node, line), { movedOn: false })
  node.store.remove(bob.user, bob.deviceId)
  t.match(await ask(node, line), { reason: 'not-enrolled', movedOn: true })
})

void t.test('parameters that are wrong are told one by one', async (t) => {
  const node = await startAdmin(t)
  const wrong = {
    requestId: 'not an id',
    policyRevision: '1.5',
    factsRevision: '-1',
    reason: 'because',
  }
  t.match(await ask(node, wrong), {
    status: 400,
    errors: Object.keys(wrong).map((field) => ({ field, message: /\w/ })),
  })
  t.match(await ask(node, { requestId: 'abc-1', policyRevision: '1' }), {
    status: 400,
    errors: [{ field: 'factsRevision', message: /go together/ }],
  })
  for (const name of ['policyRevision', 'factsRevision', 'reason']) {
    t.match(await ask(node, { [name]: '1' }), { status: 400, detail: new RegExp(`^${name} .*requestId`) })
  }
  t.match(await ask(node, { requestId: 'abc-1', user: '' }), { status: 400, errors: [{ field: 'user' }] })
  t.match(await ask(node, { request: 'abc-1' }), { status: 400, detail: /there is no parameter request;/ })
})
