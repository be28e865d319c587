import t from 'tap'
import { startAdmin } from '../support/admin-node.ts'

/** A phone as the import sends it. */
function device(fields: Readonly<Record<string, unknown>> = {}) {
  return {
    names: ['alice@example.com'],
    deviceId: 'ApplALICE2',
    deviceType: 'iPhone',
    userAgent: 'Apple-iPhone15C2/2105.219',
    model: 'iPhone15C2',
    os: 'iOS 17.4.1 21E236',
    protocolVersion: '16.1',
    action: 'allow',
    firstSeenAt: '2023-01-02T03:04:05Z',
    lastSeenAt: '2026-05-31T10:00:00Z',
    ...fields,
  }
}

void t.test('a device of Exchange is in the inventory, and known by what it says of itself', async (t) => {
  const node = await startAdmin(t)
  const answer = await node.call('POST', '/api/inventory', { body: [device()] })
  t.equal(answer.status, 200)
  t.match(answer.json(), { devices: 1, taken: 1, notTaken: [] })
  t.equal(node.waits.enforced, 1)
  const shown = await node.call('GET', '/api/devices/alice@example.com/ApplALICE2')
  t.match(shown.json(), {
    seen: {
      action: 'allow',
      reason: 'default-access',
      platform: 'iOS',
      osVersion: '17.4.1',
      model: 'iPhone15,2',
      client: 'Apple Mail',
      protocolVersion: '16.1',
      firstAt: '2023-01-02T03:04:05.000Z',
      lastAt: '2026-05-31T10:00:00.000Z',
      allowedAt: '2026-05-31T10:00:00.000Z',
      importedAt: '2026-06-01T12:00:00.000Z',
    },
  })
  t.match(node.store.auditEvents({}).events, [
    { actor: 'api', event: 'inventory-imported', detail: { devices: 1 } },
  ])
})

void t.test('grandfathering goes by the time at which Exchange first saw the device', async (t) => {
  const grandfathered = { seenBefore: '2024-01-01', until: '2027-01-01' }
  const policy = { conditionalAccess: { onPremises: { grandfathered } } }
  const node = await startAdmin(t, { policy })
  const body = [device(), device({ deviceId: 'ApplALICE3', firstSeenAt: '2025-01-02T03:04:05Z' })]
  await node.call('POST', '/api/inventory', { body })
  const explained = async (deviceId: string) =>
    (await node.call('GET', `/api/explain?user=alice&deviceId=${deviceId}`)).json()
  t.match(await explained('ApplALICE2'), { action: 'allow', reason: 'grandfathered' })
  t.match(await explained('ApplALICE3'), { action: 'quarantine' })
})

void t.test('users are told by any of their names, but never by a display name', async (t) => {
  const facts = ['user,aliases', 'alice@example.com,al@example.org;asmith', 'bob@example.com,', ''].join('\n')
  const node = await startAdmin(t, { facts })
  const names = [
    ['AL@example.org'],
    ['new@example.com', 'al@example.org'],
    ['EXAMPLE\\alice'],
    ['asmith'],
    ['nobody@example.com', 'Nobody'],
    ['Alice Smith'],
    ['bob'],
  ]
  const body = names.map((list, index) => device({ names: list, deviceId: `Appl${index}` }))
  const answer = await node.call('POST', '/api/inventory', { body })
  const message = 'no directory entry has this name, and it is no login'
  t.match(answer.json(), {
    devices: 7,
    taken: 5,
    notTaken: [
      { index: 5, field: 'names', message },
      { index: 6, field: 'names', message },
    ],
  })
  const users = names.map((_, index) => node.store.device('alice@example.com', `Appl${index}`)?.user)
  t.strictSame(users.slice(0, 4), Array(4).fill('alice@example.com'))
  t.ok(node.store.device('nobody@example.com', 'Appl4'), 'who is not in the directory is called by the login')
  t.notOk(node.store.device('bob@example.com', 'Appl6'), 'a bare name gets no domain')
})

void t.test('what Exchange refuses, and a device without claims and times', async (t) => {
  const node = await startAdmin(t)
  const bare = { names: ['bob@example.com'], deviceId: 'X1', action: 'quarantine', reason: 'device-rule' }
  await node.call('POST', '/api/inventory', { body: [{ ...bare, firstSeenAt: '0001-01-01T00:00:00Z' }] })
  t.strictSame(node.store.device('bob@example.com', 'X1')?.seen, {
    osVersion: 'unknown',
    model: 'unknown',
    client: 'unknown',
    command: 'none',
    backend: 'none',
    action: 'quarantine',
    reason: 'device-rule',
    platform: 'unknown',
    firstAt: Date.parse('2026-06-01T12:00:00Z'),
    lastAt: Date.parse('2026-06-01T12:00:00Z'),
    importedAt: Date.parse('2026-06-01T12:00:00Z'),
  })
})

void t.test('a device for whose user there is no room is named', async (t) => {
  const node = await startAdmin(t)
  const body = Array.from({ length: 102 }, (_, index) => device({ deviceId: `Appl${index}` }))
  const answer = await node.call('POST', '/api/inventory', { body })
  const refused = { field: 'deviceId', message: 'its user has as many devices as are kept' }
  t.match(answer.json(), {
    taken: 100,
    notTaken: [
      { index: 100, ...refused },
      { index: 101, ...refused },
    ],
  })
})

void t.test('one fault refuses all, and every fault is named', async (t) => {
  const node = await startAdmin(t)
  const before = node.store.currentRevision()
  const body = [
    device(),
    device({ deviceId: 'a/b', action: 'let in', colour: 'red' }),
    device({ names: [], firstSeenAt: 'yesterday' }),
    device({ firstSeenAt: '2026-06-03T00:00:00Z', lastSeenAt: '2027-01-01T00:00:00Z' }),
    7,
  ]
  const answer = await node.call('POST', '/api/inventory', { body })
  t.equal(answer.status, 400)
  const { detail, errors } = answer.json() as { detail: string; errors: { index: number; field: string }[] }
  t.equal(detail, '8 faults; nothing was changed')
  t.strictSame(
    errors.map(({ index, field }) => [index, field]),
    [
      [1, 'deviceId'],
      [1, 'action'],
      [1, 'colour'],
      [2, 'names'],
      [2, 'firstSeenAt'],
      [3, 'firstSeenAt'],
      [3, 'lastSeenAt'],
      [4, ''],
    ],
  )
  t.equal(node.store.currentRevision(), before)
  t.equal((await node.call('POST', '/api/inventory', { body: device() })).status, 400, 'not a list')
})
