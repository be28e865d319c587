import t from 'tap'
import type { Explanation } from '#admin/explanation.ts'
import { adminNow, startAdmin, type AdminNode } from '../support/admin-node.ts'
import { phone } from '../support/directory-store.ts'

const bobs = { user: 'bob@example.com', deviceId: 'androidDEMOBOB1' }
const path = `/api/devices/${bobs.user}/${bobs.deviceId}/override`
const nextDay = new Date(adminNow + 86_400_000).toISOString()

async function explain({ call }: AdminNode, user: string, deviceId: string): Promise<Explanation> {
  const query = new URLSearchParams({ user, deviceId }).toString()
  return (await call('GET', `/api/explain?${query}`)).json() as Explanation
}

void t.test('an override is in force when the answer comes, is shown, and can be taken back', async (t) => {
  const node = await startAdmin(t)
  t.match(await explain(node, bobs.user, bobs.deviceId), { action: 'block', reason: 'noncompliant' })
  const body = { action: 'allow', until: nextDay, note: 'new phone is on its way' }
  const put = await node.call('PUT', path, { body })
  t.equal(put.status, 200)
  const override = { ...body, exclusive: false, actor: 'api', at: new Date(adminNow).toISOString() }
  t.match(put.json(), { ...bobs, override, facts: { complianceState: 'noncompliant' } })
  t.equal(node.waits.enforced, 1)
  t.strictSame((await node.call('GET', `/api/devices/${bobs.user}/${bobs.deviceId}`)).json(), put.json())
  const allowed = await explain(node, bobs.user, bobs.deviceId)
  t.match(allowed, { action: 'allow', reason: 'personal-allow', validUntil: nextDay })
  t.match(allowed.facts, {
    override: 'allow',
    overrideUntil: nextDay,
    overrideExclusive: false,
    overrideNote: body.note,
  })

  t.equal((await node.call('DELETE', path)).status, 204)
  t.equal(node.waits.enforced, 2)
  t.match(await explain(node, bobs.user, bobs.deviceId), { action: 'block', reason: 'noncompliant' })
  t.match((await node.call('DELETE', path)).json(), {
    status: 404,
    detail: 'this device is neither allowed nor blocked',
  })
  t.equal(node.waits.enforced, 2)
  t.match(node.store.auditEvents({}).events, [
    { event: 'personal-allow-removed', actor: 'api', user: bobs.user, detail: { note: body.note } },
    { event: 'personal-allow-set', actor: 'api', user: bobs.user, deviceId: bobs.deviceId },
  ])
})

void t.test('a device can be spoken of before it comes, and a user whom no source knows', async (t) => {
  const node = await startAdmin(t)
  const body = { action: 'block', note: 'stolen' }
  for (const [user, deviceId, login] of [
    ['alice@example.com', 'ApplNEW1', 'EXAMPLE\\alice'],
    ['Eve', 'ApplEVE1', 'eve@example.com'],
    ['EXAMPLE\\mallory', 'ApplMALLORY1', 'mallory'],
    ['guest@elsewhere.example', 'ApplGUEST1', 'guest@elsewhere.example'],
  ] as const) {
    const target = `/api/devices/${encodeURIComponent(user)}/${deviceId}`
    const put = await node.call('PUT', `${target}/override`, { body })
    t.match(put.json(), { deviceId, records: [], override: body }, user)
    t.match((await node.call('GET', target)).json(), { override: body }, 'by the name that was given')
    t.match(await explain(node, login, deviceId), { action: 'block', reason: 'personal-block' }, login)
    t.equal((await node.call('DELETE', `${target}/override`)).status, 204)
  }
})

void t.test('an exclusive allow shuts out the other devices of its user alone', async (t) => {
  const node = await startAdmin(t)
  const body = { action: 'allow', exclusive: true, note: 'the only one' }
  await node.call('PUT', '/api/devices/alice@example.com/ApplNEW1/override', { body })
  const others = await explain(node, 'alice@example.com', 'ApplDEMOALICE1')
  t.match(others, { action: 'block', reason: 'personal-block', facts: { exclusiveAllows: ['applnew1'] } })
  t.match(await explain(node, 'alice@example.com', 'ApplNEW1'), { action: 'allow', reason: 'personal-allow' })
  t.match(await explain(node, bobs.user, bobs.deviceId), { reason: 'noncompliant' })
})

void t.test('the devices with an override can be listed', async (t) => {
  const node = await startAdmin(t)
  await node.store.upsert('file', [phone('zoe@example.com', 'ApplZOE1')])
  await node.call('PUT', path, { body: { action: 'block', note: 'lost' } })
  await node.call('PUT', '/api/devices/eve/ApplEVE1/override', { body: { action: 'allow', note: 'guest' } })
  const ids = async (query: string) => {
    const answer = (await node.call('GET', `/api/devices?${query}`)).json() as {
      devices: { deviceId: string }[]
    }
    return answer.devices.map(({ deviceId }) => deviceId)
  }
  t.strictSame(await ids('override=any'), ['androidDEMOBOB1', 'ApplEVE1'])
  t.strictSame(await ids('override=allow'), ['ApplEVE1'])
  t.strictSame(await ids('override=block'), ['androidDEMOBOB1'])
  t.strictSame(await ids('override=block&user=eve@example.com'), [])
  t.strictSame(await ids('user=EXAMPLE%5CEve'), ['ApplEVE1'], 'by every name that a phone may use')
  t.match((await node.call('GET', '/api/devices?override=yes')).json(), {
    status: 400,
    detail: 'there is no override yes; expected one of allow, block, any',
  })
})

void t.test('a fault is named by its field, and nothing is changed', async (t) => {
  const node = await startAdmin(t)
  const before = node.store.currentRevision()
  const good = { action: 'allow', note: 'good' }
  const anyTime = { field: 'until', message: /^expected a time in the future/ }
  const anyNote = { field: 'note', message: /^expected text of 1 to 256 characters/ }
  for (const [body, errors] of [
    [{ ...good, action: 'quarantine' }, [{ field: 'action', message: 'expected allow or block' }]],
    [{ note: 'good' }, [{ field: 'action', message: 'expected allow or block' }]],
    [{ action: 'allow' }, [anyNote]],
    [{ ...good, note: '' }, [anyNote]],
    [{ ...good, note: ' ' }, [anyNote]],
    [{ ...good, note: 'two\nlines' }, [anyNote]],
    [{ ...good, note: 'x'.repeat(257) }, [anyNote]],
    [{ ...good, until: new Date(adminNow).toISOString() }, [anyTime]],
    [{ ...good, until: '9999-12-31T23:59:59Z' }, [anyTime]],
    [{ ...good, until: 'tomorrow' }, [{ field: 'until', message: /^expected a time with its zone/ }]],
    [{ ...good, until: '2026-07-01' }, [{ field: 'until' }]],
    [{ ...good, until: adminNow + 1 }, [{ field: 'until' }]],
    [{ ...good, until: null }, [{ field: 'until' }]],
    [{ ...good, exclusive: 'yes' }, [{ field: 'exclusive', message: 'expected true or false' }]],
    [{ ...good, action: 'block', exclusive: true }, [{ field: 'exclusive', message: /^only an allow/ }]],
    [
      { ...good, colour: 'red' },
      [{ field: 'colour', message: /^not a known field; expected one of action,/ }],
    ],
    [[good], [{ field: '', message: 'expected an object' }]],
    ['allow', [{ field: '', message: 'expected an object' }]],
  ] as const) {
    const answer = await node.call('PUT', path, { body: JSON.stringify(body) })
    t.match(answer.json(), { status: 400, detail: 'nothing was changed', errors }, JSON.stringify(body))
  }
  for (const [target, status, errors] of [
    ['/api/devices/bob/x/y', 404, undefined],
    ['/api/devices/bob/x', 404, undefined],
    ['/api/devices/bob/x/override/', 404, undefined],
    ['/api/devices/bob/a%20b/override', 400, [{ field: 'deviceId' }]],
    ['/api/devices/bob//override', 400, [{ field: 'deviceId' }]],
    ['/api/devices//x/override', 400, [{ field: 'user' }]],
    ['/api/devices/a%00b/x!/override', 400, [{ field: 'user' }, { field: 'deviceId' }]],
    [`/api/devices/${'u'.repeat(257)}/x/override`, 400, [{ field: 'user' }]],
  ] as const) {
    for (const method of ['PUT', 'DELETE']) {
      const answer = await node.call(method, target, method === 'PUT' ? { body: good } : {})
      t.match(answer.json(), { status, ...(errors && { errors }) }, `${method} ${target}`)
    }
  }
  t.equal(node.store.currentRevision(), before)
  t.strictSame(node.store.auditEvents({}).events, [])
  t.equal(node.waits.enforced, 0)
  t.equal(
    (await node.call('PUT', path, { body: good, headers: { 'content-type': 'text/plain' } })).status,
    415,
  )
})
