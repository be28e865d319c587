import { DatabaseSync } from 'node:sqlite'
import t from 'tap'
import { rebuildStore } from '#directory/rebuild.ts'
import { openStore, openStoreReader } from '#directory/store.ts'
import { testStore } from '../support/directory-store.ts'

const mailbox = 'quarantine mailbox'

/** The key as a worker reads it. */
function keyOf(path: string): string {
  const reader = openStoreReader(path, { sourceOrder: [] })
  try {
    return Buffer.from(reader.signingKey(mailbox)).toString('hex')
  } finally {
    reader.close()
  }
}

void t.test('each purpose has a key of its own, the same for every process', async (t) => {
  const { store, path } = testStore(t)
  const key = store.signingKey(mailbox)
  t.equal(key.length, 32)
  t.equal(keyOf(path), Buffer.from(key).toString('hex'))
  t.notSame(store.signingKey('enrollment link'), key)
})

void t.test('the keys of two stores differ', async (t) => {
  const { store, path } = testStore(t)
  const other = openStore(`${path}.other`, { sourceOrder: [], now: Date.now })
  t.teardown(() => other.close())
  t.notSame(store.signingKey(mailbox), other.signingKey(mailbox))
})

void t.test('a restart, a backup and a rebuild keep them', async (t) => {
  const { store, path } = testStore(t)
  const key = keyOf(path)
  const copy = `${path}.copy`
  await store.backup(copy)
  t.equal(keyOf(copy), key)
  store.close()
  rebuildStore(path, { now: Date.now })
  openStore(path, { sourceOrder: [], now: Date.now }).close()
  t.equal(keyOf(path), key)
})

void t.test('a secret that is lost is no key of zeros; the owner makes another', async (t) => {
  const { store, path } = testStore(t)
  const before = keyOf(path)
  store.close()
  const database = new DatabaseSync(path)
  database.exec('DELETE FROM store_secret')
  t.throws(() => keyOf(path), { code: 'STORE_CORRUPT', message: /secret/ })
  openStore(path, { sourceOrder: [], now: Date.now }).close()
  t.not(keyOf(path), before)
  database.exec(`UPDATE store_secret SET bytes = x'00'`)
  t.throws(() => keyOf(path), { code: 'STORE_CORRUPT' })
  database.close()
  rebuildStore(path, { now: Date.now })
  openStore(path, { sourceOrder: [], now: Date.now }).close()
  t.match(keyOf(path), /^[0-9a-f]{64}$/)
})
