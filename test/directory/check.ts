import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { migrations } from '#directory/schema.ts'
import { openStore, openStoreReader } from '#directory/store.ts'
import { phones, testStore } from '../support/directory-store.ts'

void t.test('check counts the rows of a sound store', async (t) => {
  const { store, path } = testStore(t)
  await store.replace('file', phones(5), { complete: true })
  const reader = openStoreReader(path, { sourceOrder: [] })
  t.teardown(() => reader.close())
  t.match(reader.check(), {
    ok: true,
    problems: [],
    rows: { device_facts: 5, users: 5, overrides: 0, traces: 0, outbox: 10, sync_state: 1 },
    schemaVersion: migrations.length,
    revision: 10,
  })
})

void t.test('a backup is a store of its own that only its owner may read', async (t) => {
  const { store, path } = testStore(t)
  await store.upsert('file', phones(5))
  const target = `${path}.backup`
  await store.backup(target)
  t.equal(statSync(target).mode & 0o777, 0o600)
  const copy = openStore(target, { sourceOrder: ['file'], now: Date.now })
  t.teardown(() => copy.close())
  t.match(copy.check(), { ok: true, rows: { device_facts: 5 } })
})

void t.test('a backup never writes over a file', async (t) => {
  const { store, path } = testStore(t)
  writeFileSync(`${path}.backup`, 'precious')
  await t.rejects(store.backup(`${path}.backup`), { code: 'STORE_UNREADABLE', message: /backup/ })
  t.equal(readFileSync(`${path}.backup`, 'utf8'), 'precious')
  await t.rejects(store.backup(join(path, 'nowhere')), { code: 'STORE_UNREADABLE' })
})

void t.test('check and backup work beside a node that writes without pause', async (t) => {
  const path = join(t.testdir(), 'easgate.db')
  const writer = join(import.meta.dirname, '../support/write-until-killed.ts')
  const child = spawn(process.execPath, [writer, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  for await (const line of createInterface({ input: child.stdout })) if (Number(line) >= 10) break
  child.stdout.resume()
  const reader = openStoreReader(path, { sourceOrder: ['file'] })
  t.equal(reader.check().ok, true)
  await reader.backup(`${path}.backup`)
  reader.close()
  t.equal(child.exitCode, null)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const copy = openStore(`${path}.backup`, { sourceOrder: ['file'], now: Date.now })
  t.teardown(() => copy.close())
  t.equal(copy.check().ok, true)
  t.ok(copy.deviceFacts('user10@api', 'appl10'))
})
