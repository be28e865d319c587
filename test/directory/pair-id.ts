import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { pairId } from '#directory/pair-id.ts'
import { rebuildStore } from '#directory/rebuild.ts'
import { openStore } from '#directory/store.ts'
import { sighting, testStore } from '../support/directory-store.ts'

const alice = 'alice@example.com'

void t.test('is the same everywhere, and another one for any other pair', async (t) => {
  t.equal(pairId(alice, 'appla'), '3RGRJo872YV_To52VaNzbA')
  t.not(pairId(alice, 'applb'), pairId(alice, 'appla'))
  t.not(pairId('a', 'b","c'), pairId('a","b', 'c'), 'no two pairs are one text')
})

void t.test('leads to the pair once it was seen', async (t) => {
  const { store } = testStore(t)
  const id = pairId(alice, 'appla')
  t.equal(store.seenPair(id), undefined)
  await store.recordSightings([sighting(), sighting({ deviceId: 'ApplB', deviceKey: 'applb' })])
  t.match(store.seenPair(id), { user: alice, deviceId: 'ApplA', deviceKey: 'appla', deviceType: 'iPhone' })
  t.equal(store.seenPair('no such id'), undefined)
})

void t.test('a pair of an older store gets its id when it comes again, however soon', async (t) => {
  const { store, path } = testStore(t)
  await store.recordSightings([sighting()])
  const database = new DatabaseSync(path)
  database.exec('UPDATE sightings SET pair_id = NULL')
  database.close()
  t.equal(store.seenPair(pairId(alice, 'appla')), undefined)
  await store.recordSightings([sighting()])
  t.match(store.seenPair(pairId(alice, 'appla')), { user: alice })
})

void t.test('a rebuild keeps it', async (t) => {
  const { store, path } = testStore(t)
  await store.recordSightings([sighting()])
  store.close()
  rebuildStore(path, { now: Date.now })
  const rebuilt = openStore(path, { sourceOrder: [], now: Date.now })
  t.teardown(() => rebuilt.close())
  t.match(rebuilt.seenPair(pairId(alice, 'appla')), { user: alice })
})
