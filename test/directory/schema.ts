import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { applicationId, migrate, migrations, schemaVersion } from '#directory/schema.ts'
import { openStore, openStoreReader } from '#directory/store.ts'
import { phone } from '../support/directory-store.ts'

async function storeWithAlice(t: Test): Promise<string> {
  const path = join(t.testdir(), 'easgate.db')
  const store = openStore(path, { sourceOrder: [], now: Date.now })
  await store.upsert('api', [phone('alice@example.com', 'ApplA')])
  store.close()
  return path
}

void t.test('a file of an older version is brought forward, its rows kept', async (t) => {
  const path = await storeWithAlice(t)
  const database = new DatabaseSync(path)
  t.teardown(() => database.close())
  const steps = [
    ...migrations,
    `ALTER TABLE device_facts ADD COLUMN note TEXT NOT NULL DEFAULT 'none'`,
    `UPDATE device_facts SET note = 'moved'; CREATE TABLE later (id INTEGER PRIMARY KEY) STRICT;`,
  ]
  migrate(database, path, steps)
  t.equal(schemaVersion(database), steps.length)
  t.match(database.prepare('SELECT user, note FROM device_facts').all(), [
    { user: 'alice@example.com', note: 'moved' },
  ])
  migrate(database, path, steps)
  t.equal(schemaVersion(database), steps.length, 'a second time does nothing')
})

void t.test('a step that fails leaves the version before it', async (t) => {
  const path = await storeWithAlice(t)
  const database = new DatabaseSync(path)
  t.teardown(() => database.close())
  const failing = `DELETE FROM device_facts; ALTER TABLE nowhere ADD COLUMN x TEXT;`
  t.throws(() => migrate(database, path, [...migrations, failing]), /nowhere/)
  t.equal(schemaVersion(database), migrations.length)
  t.equal(database.prepare('SELECT * FROM device_facts').all().length, 1)
})

void t.test('a file of a newer version is refused, by owner and reader, and left as it is', async (t) => {
  const path = await storeWithAlice(t)
  const database = new DatabaseSync(path)
  database.exec('PRAGMA user_version = 99')
  database.close()
  const newer = { code: 'STORE_NEWER', message: /version 99.*easgate store rebuild/ }
  t.throws(() => openStore(path, { sourceOrder: [], now: Date.now }), newer)
  t.throws(() => openStoreReader(path, { sourceOrder: [] }), newer)
})

void t.test('a reader leaves the migration of an older file to the owner', async (t) => {
  const path = join(t.testdir(), 'easgate.db')
  const database = new DatabaseSync(path)
  database.exec(`PRAGMA application_id = ${applicationId}`)
  database.exec('PRAGMA journal_mode = WAL')
  t.throws(() => openStoreReader(path, { sourceOrder: [] }), {
    code: 'STORE_OLDER',
    message: /easgate serve/,
  })
  database.close()
  openStore(path, { sourceOrder: [], now: Date.now }).close()
  openStoreReader(path, { sourceOrder: [] }).close()
})
