import t from 'tap'
import { sighting, testStore } from '../support/directory-store.ts'

const count = 100

void t.test('gives every pair that was seen lately, by user and device, a window at a time', async (t) => {
  const { store } = testStore(t)
  const pairs = Array.from({ length: count }, (_, number) => {
    const user = `user${number % 10}@example.com`
    const deviceId = `Appl${number}`
    const at = number % 4 === 0 ? 500 : 2000
    return sighting({ user, deviceId, deviceKey: deviceId.toLowerCase(), at, allowed: number % 2 === 0 })
  })
  await store.recordSightings(pairs.toReversed())
  const all = [...store.seenWindows(0)]
  t.ok(all.length > 2, 'in more than one window')
  t.ok(all.every((window) => window.length < count / 2))
  const seen = all.flat()
  t.equal(seen.length, count)
  const keys = seen.map(({ user, deviceKey }) => JSON.stringify([user, deviceKey]))
  t.strictSame(keys, keys.toSorted())
  const lately = [...store.seenWindows(2000)].flat()
  t.equal(lately.length, (count * 3) / 4)
  t.ok(lately.every(({ lastAt }) => lastAt === 2000))
  t.match(
    lately.find(({ deviceId }) => deviceId === 'Appl2'),
    {
      user: 'user2@example.com',
      action: 'block',
      reason: 'not-enrolled',
      deviceType: 'iPhone',
      allowedAt: 2000,
    },
  )
  t.equal(lately.find(({ deviceId }) => deviceId === 'Appl1')?.allowedAt, undefined)
})

void t.test('a pair that is seen during the walk does not end it', async (t) => {
  const { store } = testStore(t)
  await store.recordSightings([sighting(), sighting({ user: 'bob@example.com' })])
  const users: string[] = []
  for (const window of store.seenWindows(0)) {
    for (const { user } of window) users.push(user)
    await store.recordSightings([sighting({ user: 'aaron@example.com' })])
  }
  t.strictSame(users, ['alice@example.com', 'bob@example.com'])
})
