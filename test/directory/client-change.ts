import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { followClient, type ClientClaim, type KnownClient } from '#directory/client-change.ts'
import { sighting, testStore } from '../support/directory-store.ts'

const hour = 3_600_000
const iPhone: ClientClaim = { deviceType: 'iPhone', client: 'Apple Mail' }
const pixel: ClientClaim = { deviceType: 'Android', client: 'Gmail' }

/** Follows a pair through the hours; gives the hours at which it was another client. */
function alarms(...claims: readonly (readonly [hours: number, claim: ClientClaim])[]): readonly number[] {
  let known: KnownClient | undefined
  const found: number[] = []
  for (const [hours, claim] of claims) {
    const next = followClient(known, claim, hours * hour)
    known = next.known
    if (next.before !== undefined) found.push(hours)
  }
  return found
}

void t.test('another device type or mail client is told once', async (t) => {
  t.same(alarms([0, iPhone], [1, pixel], [2, pixel]), [1])
  t.same(
    alarms([0, iPhone], [1, { ...iPhone, deviceType: 'iPad' }], [5, { ...iPhone, deviceType: 'iPad' }]),
    [1],
  )
  t.same(alarms([0, iPhone], [1, { ...iPhone, client: 'Nine' }]), [1])
  t.same(alarms([0, iPhone], [1, pixel], [3, iPhone]), [1, 3], 'and so is the way back')
})

void t.test('what says nothing is no change', async (t) => {
  const mute: ClientClaim = { client: 'unknown' }
  t.same(alarms([0, iPhone], [1, mute], [2, iPhone]), [])
  t.same(alarms([0, mute], [1, iPhone], [2, iPhone]), [], 'nor is its first word')
  t.same(alarms([0, iPhone], [1, mute], [2, pixel]), [2], 'and it hides none')
  t.same(alarms([0, iPhone], [1, { ...iPhone, deviceType: 'IPHONE' }]), [], 'nor is another letter case')
})

void t.test(
  'two phones that take turns are told once an hour; a change that lasts is told then (T-51)',
  async (t) => {
    t.same(
      alarms([0, iPhone], [1, pixel], [1.1, iPhone], [1.2, pixel], [1.9, iPhone], [2.1, iPhone]),
      [1, 2.1],
    )
    t.same(alarms([0, iPhone], [1, pixel], [1.5, iPhone], [2.5, pixel]), [1])
  },
)

void t.test('the change stands in the audit; a new version is none', async (t) => {
  const { store } = testStore(t)
  const record = async (...sightings: Parameters<typeof store.recordSightings>[0]) =>
    (await store.recordSightings(sightings)).clientChanges
  t.same(await record(sighting({ at: 1 })), [])
  const updated = { userAgent: 'Apple-iPhone15C2/2205.1', osVersion: '18.0', protocolVersion: '16.1' }
  t.same(await record(sighting({ at: 2, ...updated })), [])
  const [change, ...others] = await record(sighting({ at: 3, ...pixel }), sighting({ at: 4, ...pixel }))
  t.same(change, { user: 'alice@example.com', deviceId: 'ApplA', before: iPhone, after: pixel })
  t.same(others, [])
  t.same(store.auditEvents({}).events, [
    {
      at: 3,
      actor: 'easgate',
      event: 'client-changed',
      user: 'alice@example.com',
      deviceId: 'ApplA',
      detail: {
        deviceTypeBefore: 'iPhone',
        deviceType: 'Android',
        clientBefore: 'Apple Mail',
        client: 'Gmail',
      },
    },
  ])
})

void t.test('of a pair that an older version wrote, what was seen last is known', async (t) => {
  const { store, path } = testStore(t)
  await store.recordSightings([sighting({ at: 1 })])
  const database = new DatabaseSync(path)
  database.exec('UPDATE sightings SET known_client = NULL')
  database.close()
  const { clientChanges } = await store.recordSightings([sighting({ at: 2, ...pixel })])
  t.match(clientChanges, [{ before: iPhone, after: pixel }])
})
