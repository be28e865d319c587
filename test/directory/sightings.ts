import t from 'tap'
import { createSightingBatch } from '#directory/sightings.ts'
import { sighting } from '../support/directory-store.ts'

void t.test('one sighting per pair: the last, with what happened only before', async (t) => {
  const batch = createSightingBatch({ max: 10 })
  batch.add(sighting({ at: 1, allowed: true, command: 'Sync', information: { imei: '1' } }))
  batch.add(sighting({ at: 2, provisionAsked: true, command: 'Provision' }))
  batch.add(sighting({ at: 3, command: 'Ping', reason: 'noncompliant' }))
  const { sightings, dropped } = batch.drain()
  t.same(sightings, [
    sighting({
      at: 3,
      command: 'Ping',
      reason: 'noncompliant',
      allowed: true,
      provisionAsked: true,
      information: { imei: '1' },
    }),
  ])
  t.equal(dropped, 0)
})

void t.test('what our own policies found stays, until they find something else', async (t) => {
  const batch = createSightingBatch({ max: 10 })
  const found = () => batch.drain().sightings.map(({ selfNoncompliant }) => selfNoncompliant)
  batch.add(sighting({ at: 1, selfNoncompliant: true }))
  batch.add(sighting({ at: 2 }))
  t.same(found(), [true])
  batch.add(sighting({ at: 3, selfNoncompliant: true }))
  batch.add(sighting({ at: 4, selfNoncompliant: false }))
  t.same(found(), [false])
  batch.add(sighting({ at: 5 }))
  t.same(found(), [undefined])
})

void t.test('the batch is bounded; what does not fit is counted (T-51)', async (t) => {
  const batch = createSightingBatch({ max: 2 })
  for (const deviceKey of ['a', 'b', 'c', 'd', 'a']) batch.add(sighting({ deviceKey }))
  batch.add(sighting({ user: 'bob@example.com', deviceKey: 'a' }))
  const { sightings, dropped } = batch.drain()
  t.same(
    sightings.map(({ deviceKey }) => deviceKey),
    ['a', 'b'],
  )
  t.equal(dropped, 3)
  t.same(batch.drain(), { sightings: [], dropped: 0 })
})
