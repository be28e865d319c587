import t from 'tap'
import { adminNow, startAdmin, type AdminNode } from '../support/admin-node.ts'
import { phone, sighting } from '../support/directory-store.ts'

const bob = { user: 'bob@example.com', deviceId: 'androidDEMOBOB1' }

async function reasonOf({ call }: AdminNode, { user, deviceId }: typeof bob): Promise<unknown> {
  const explained = (await call('GET', `/api/explain?user=${user}&deviceId=${deviceId}`)).json()
  return (explained as { reason: string }).reason
}

interface Page {
  readonly devices: readonly { readonly user: string; readonly deviceId: string }[]
  readonly next: string | null
}

async function list({ call }: AdminNode, query = ''): Promise<Page> {
  const answer = await call('GET', `/api/devices${query}`)
  if (answer.status !== 200) throw new Error(answer.text)
  return answer.json() as Page
}

async function idsOf(node: AdminNode, query = ''): Promise<string[]> {
  return (await list(node, query)).devices.map(({ deviceId }) => deviceId)
}

void t.test('takes one record, a list, and a list with a name; answers when they are in force', async (t) => {
  for (const [form, body, records] of [
    ['one', { ...bob, complianceState: 'compliant' }, 1],
    ['a list', [{ ...bob, complianceState: 'compliant' }, { user: 'eve@example.com' }], 2],
    ['devices', { devices: [{ ...bob, complianceState: 'compliant' }] }, 1],
  ] as const) {
    const node = await startAdmin(t)
    t.equal(await reasonOf(node, bob), 'noncompliant')
    const answer = await node.call('POST', '/api/facts', { body })
    t.equal(answer.status, 200, form)
    const revision = node.store.currentRevision()
    t.match(answer.json(), { records, revision }, form)
    t.equal(await reasonOf(node, bob), 'compliant', `${form}: api goes before the file`)
    t.equal(node.waits.enforced, 1, `${form}: the workers were waited for`)
    t.match(node.store.auditEvents({}).events, [
      { at: adminNow, actor: 'api', event: 'facts-pushed', detail: { records } },
    ])
  }
})

void t.test('the same facts again are no change', async (t) => {
  const node = await startAdmin(t)
  const body = [{ ...bob, encrypted: true }]
  t.match(
    (await node.call('POST', '/api/facts', { body })).json(),
    { records: 1, changed: 2 },
    'the user and the device',
  )
  const { revision } = (await node.call('POST', '/api/facts', { body })).json() as { revision: number }
  t.match((await node.call('POST', '/api/facts', { body })).json(), { records: 1, changed: 0, revision })
  t.match((await node.call('POST', '/api/facts', { body: [] })).json(), { records: 0, changed: 0 })
})

void t.test('a fault is named by index and field, and nothing is changed', async (t) => {
  const node = await startAdmin(t)
  const before = node.store.currentRevision()
  const good = { user: 'new@example.com', deviceId: 'ApplNEW1', enrolled: true }
  for (const [body, errors] of [
    [
      [good, { ...good, deviceId: 'B', colour: 'red' }],
      [{ index: 1, field: 'colour', message: /not a known field; expected one of user,/ }],
    ],
    [[good, { ...good, deviceId: 'B', enrolled: 'yes' }], [{ index: 1, field: 'enrolled' }]],
    [
      [good, { deviceId: 'B!', graceUntil: 'tomorrow' }],
      [
        { index: 1, field: 'user' },
        { index: 1, field: 'deviceId' },
        { index: 1, field: 'graceUntil' },
      ],
    ],
    [{ devices: [good, {}] }, [{ index: 1, field: 'user' }]],
    [[good, good], [{ index: 1, field: 'deviceId', message: 'already given in index 0' }]],
    [
      [good, null, 5],
      [{ index: 1 }, { index: 2 }],
    ],
    [{ user: 'x@example.com', enrolled: true }, [{ index: 0, field: 'deviceId' }]],
    ['text', [{ index: 0 }]],
    [null, [{ index: 0 }]],
    [{ ...good, __proto__: undefined, constructor: 1 }, [{ index: 0, field: 'constructor' }]],
  ] as const) {
    const answer = await node.call('POST', '/api/facts', { body: JSON.stringify(body) })
    t.equal(answer.status, 400, JSON.stringify(body))
    t.match(answer.json(), { detail: `${errors.length} faults; nothing was changed`, errors })
  }
  for (const body of [{ devices: good }, { devices: [good], more: [] }, { devices: null }]) {
    const answer = await node.call('POST', '/api/facts', { body })
    t.match(answer.json(), { status: 400, detail: /^expected devices to be a list/ })
  }
  t.equal(node.store.currentRevision(), before)
  t.strictSame(node.store.auditEvents({}).events, [])
  t.equal(node.waits.enforced, 0)
})

void t.test('a list of nonsense has an answer of some length', async (t) => {
  const node = await startAdmin(t)
  const answer = await node.call('POST', '/api/facts', { body: Array.from({ length: 200_000 }, () => 0) })
  const { detail, errors } = answer.json() as { detail: string; errors: unknown[] }
  t.equal(answer.status, 400)
  t.equal(detail, '100 or more faults; nothing was changed')
  t.equal(errors.length, 100)
})

void t.test('while many records are checked, others are answered (T-52)', async (t) => {
  const node = await startAdmin(t)
  // the last one is at fault, so that the check is all there is
  const good = Array.from({ length: 5000 }, (_, number) =>
    phone(`user${number}@example.com`, `Appl${number}`),
  )
  const push = { ended: false }
  const pushed = node.call('POST', '/api/facts', { body: [...good, {}] }).finally(() => {
    push.ended = true
  })
  let answered = 0
  while (!push.ended) {
    await node.call('GET', '/healthz')
    answered++
  }
  t.match((await pushed).json(), { errors: [{ index: 5000, field: 'user' }] })
  t.ok(answered > 4, `${answered} others were answered meanwhile`)
})

void t.test('what was pushed can be taken back; what others say stands', async (t) => {
  const node = await startAdmin(t)
  const path = `/api/facts/${bob.user}/${bob.deviceId}`
  t.equal((await node.call('DELETE', path)).status, 404, 'the file gave it, not the API')
  await node.call('POST', '/api/facts', { body: { ...bob, complianceState: 'compliant' } })
  t.equal(await reasonOf(node, bob), 'compliant')
  const deleted = await node.call('DELETE', '/api/facts/BOB%40example.com/ANDROIDdemobob1')
  t.equal(deleted.status, 204, 'in any letter case')
  t.equal(await reasonOf(node, bob), 'noncompliant')
  t.equal(node.waits.enforced, 2)
  t.match(node.store.auditEvents({}).events, [{ event: 'facts-removed', user: 'bob@example.com' }, {}])
  t.equal((await node.call('DELETE', path)).status, 404)
  for (const target of ['/api/facts/bob@example.com', '/api/facts//x', '/api/facts/a/b/c', '/api/facts/a/']) {
    t.equal((await node.call('DELETE', target)).status, 404, target)
  }
})

/** Phones on record and seen, so that every filter has something to find and something to leave. */
async function startInventory(t: Parameters<typeof startAdmin>[0]): Promise<AdminNode> {
  const node = await startAdmin(t)
  await node.call('POST', '/api/facts', {
    body: [
      { user: 'alice@example.com', aliases: ['alice.adams@example.com'], groups: ['Sales'] },
      { user: 'dave@example.com', deviceId: 'ApplDAVE1', platform: 'iOS', groups: ['executives'] },
    ],
  })
  await node.store.recordSightings([
    sighting({ user: 'alice@example.com', deviceId: 'ApplDEMOALICE1', deviceKey: 'appldemoalice1' }),
    sighting({
      user: 'bob@example.com',
      deviceId: 'androidDEMOBOB1',
      deviceKey: 'androiddemobob1',
      reason: 'noncompliant',
      platform: 'Android',
    }),
    sighting({
      user: 'carol@example.com',
      deviceId: 'ApplDEMOCAROL1',
      deviceKey: 'appldemocarol1',
      action: 'quarantine',
      platform: 'unknown',
    }),
  ])
  return node
}

void t.test('lists what is on record and what was seen, by every filter', async (t) => {
  const node = await startInventory(t)
  const all = ['ApplDEMOALICE1', 'androidDEMOBOB1', 'ApplDEMOCAROL1', 'ApplDAVE1']
  for (const [query, expected] of [
    ['', all],
    ['?', all],
    ['?state=&user=', all],
    ['?state=block', ['ApplDEMOALICE1', 'androidDEMOBOB1']],
    ['?state=quarantine', ['ApplDEMOCAROL1']],
    ['?state=redirect', []],
    ['?reason=noncompliant', ['androidDEMOBOB1']],
    ['?platform=ios', ['ApplDEMOALICE1', 'ApplDAVE1']],
    ['?platform=unknown', ['ApplDEMOCAROL1']],
    ['?group=sales', ['ApplDEMOALICE1']],
    ['?group=Executives', ['ApplDAVE1']],
    ['?user=bob@example.com', ['androidDEMOBOB1']],
    ['?user=ALICE.adams%40example.com', ['ApplDEMOALICE1']],
    ['?user=nobody@example.com', []],
    ['?state=block&reason=not-enrolled', ['ApplDEMOALICE1']],
  ] as const) {
    t.strictSame(await idsOf(node, query), expected, query)
  }
})

void t.test('pages by cursor, each device once', async (t) => {
  const node = await startInventory(t)
  for (const limit of [1, 2, 3, 4]) {
    const found: string[] = []
    let next: string | null = ''
    let pages = 0
    while (next !== null) {
      const page = await list(node, `?limit=${limit}&cursor=${next}`)
      found.push(...page.devices.map(({ deviceId }) => deviceId))
      next = page.next
      pages++
    }
    t.strictSame(found, await idsOf(node), `${limit} a page`)
    t.ok(pages >= 4 / limit)
  }
  t.strictSame(await idsOf(node, '?limit=1000'), await idsOf(node))
})

void t.test('a parameter that is wrong is named', async (t) => {
  const node = await startInventory(t)
  for (const [query, detail] of [
    ['?limit=0', /^limit must be 1 to 1000/],
    ['?limit=1001', /^limit must be 1 to 1000/],
    ['?limit=1e2', /^limit/],
    ['?limit=-1', /^limit/],
    ['?limit=ten', /^limit/],
    [
      '?colour=red',
      /^there is no parameter colour; expected state, reason, platform, group, override, user, cursor, limit/,
    ],
    ['?State=block', /^there is no parameter State/],
    ['?user=a&user=b', /^user is given twice/],
    ['?state=blocked', /^there is no state blocked; expected one of allow, block/],
    ['?reason=nonsense', /^there is no reason nonsense; expected one of not-targeted/],
    ['?cursor=nonsense', /^the cursor is not one that this store gave/],
    ['?cursor=WzEsMl0', /^the cursor/],
  ] as const) {
    const answer = await node.call('GET', `/api/devices${query}`)
    t.match(answer.json(), { status: 400, detail }, query)
  }
})

void t.test(
  'shows a device with what each source says and when it was seen, times in ISO 8601',
  async (t) => {
    const node = await startInventory(t)
    await node.call('POST', '/api/facts', {
      body: {
        user: 'alice@example.com',
        deviceId: 'appldemoalice1',
        graceUntil: '2026-07-01T00:00:00+02:00',
        lastCheckIn: '2026-05-31T08:00:00Z',
      },
    })
    for (const target of [
      '/api/devices/alice@example.com/ApplDEMOALICE1',
      '/api/devices/Alice.Adams%40example.com/APPLdemoALICE1',
    ]) {
      const answer = await node.call('GET', target)
      t.equal(answer.status, 200, target)
      t.match(answer.json(), {
        user: 'alice@example.com',
        deviceId: 'ApplDEMOALICE1',
        groups: ['sales'],
        facts: {
          enrolled: true,
          complianceState: 'compliant',
          graceUntil: '2026-06-30T22:00:00.000Z',
          lastCheckIn: '2026-05-31T08:00:00.000Z',
          origin: { sources: ['api', 'file'], asOf: '2026-06-01T12:00:00.000Z' },
        },
        records: [
          { source: 'api', facts: { graceUntil: '2026-06-30T22:00:00.000Z' } },
          { source: 'file', asOf: '2026-06-01T12:00:00.000Z' },
        ],
        seen: { action: 'block', reason: 'not-enrolled', lastAt: '1970-01-01T00:16:40.000Z' },
      })
      t.notMatch(answer.text, 'deviceKey')
    }
    for (const target of ['/api/devices/alice@example.com/none', '/api/devices/nobody/ApplDEMOALICE1']) {
      t.match((await node.call('GET', target)).json(), { status: 404 }, target)
    }
    for (const target of ['/api/devices/', '/api/devices/alice@example.com', '/api/devices/a/b/c']) {
      t.match((await node.call('GET', target)).json(), { detail: 'expected /{user}/{deviceId}' }, target)
    }
  },
)
