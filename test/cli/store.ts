import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { openStore, type Store } from '#directory/store.ts'
import { run } from '../support/command.ts'
import { phones } from '../support/directory-store.ts'
import { writeConfig } from '../support/node-process.ts'

interface ConfiguredStore {
  readonly configFile: string
  readonly path: string
  /** As the running node has it. */
  readonly store: Store
}

/** The store of a config, opened by its owner, with some devices. */
async function startStore(t: Test): Promise<ConfiguredStore> {
  const configFile = writeConfig(t)
  const path = join(dirname(configFile), 'easgate.db')
  const store = openStore(path, { sourceOrder: ['file'], now: () => 1_000_000 })
  t.teardown(() => store.close())
  await store.replace('file', phones(300), { complete: true })
  return { configFile, path, store }
}

void t.test('check reads the whole store, beside a running node', async (t) => {
  const { configFile, path, store } = await startStore(t)
  const { status, out, error } = await run('store', 'check', '--config', configFile)
  t.strictSame([status, error], [0, ''])
  t.ok(out.startsWith(`${path}: schema `), out)
  t.match(out, `, revision ${store.currentRevision()}, ${statSync(path).size} bytes`)
  t.match(out, /^ {2}device_facts {5}300$/m)
  t.match(out, /^ {2}users {12}300$/m)
})

void t.test('backup copies the store, beside a running node, into a file of its own', async (t) => {
  const { configFile, path, store } = await startStore(t)
  const target = join(dirname(path), 'copy.db')
  const { status, out } = await run('store', 'backup', target, '--config', configFile)
  t.strictSame([status, out], [0, `${path} copied to ${target}`])
  await store.upsert('api', phones(1))
  const copy = openStore(target, { sourceOrder: ['file'], now: () => 1_000_000 })
  t.teardown(() => copy.close())
  t.equal((await copy.devices({ limit: 1000 })).devices.length, 300)
  t.equal(statSync(target).mode & 0o777, 0o600, 'that only its owner may read')

  writeFileSync(join(dirname(path), 'precious'), 'precious')
  const again = await run('store', 'backup', join(dirname(path), 'precious'), '--config', configFile)
  t.equal(again.status, 1)
  t.match(again.error, /^cannot write the backup .*precious: EEXIST/)
  t.equal(readFileSync(join(dirname(path), 'precious'), 'utf8'), 'precious')
})

void t.test('damage is told, with the command that rebuilds it; what can be read is kept', async (t) => {
  const { configFile, path, store } = await startStore(t)
  store.close()
  // the first page, which says what the file is, stays
  truncateSync(path, Math.floor(statSync(path).size / 4096 / 2) * 4096)
  const checked = await run('store', 'check', '--config', configFile)
  t.equal(checked.status, 1)
  t.match(checked.error, /is damaged.*easgate store rebuild/)

  const rebuilt = await run('store', 'rebuild', '--config', configFile)
  t.equal(rebuilt.status, 0, rebuilt.error)
  const movedTo = /^the old store lies at (.+)$/m.exec(rebuilt.out)?.[1] ?? ''
  t.ok(existsSync(movedTo))
  t.match(rebuilt.out, /^ {2}device_facts +\d+ rows carried over$/m)
  t.match(rebuilt.out, /facts that were pushed may be missing and must be pushed again/)
  t.equal((await run('store', 'check', '--config', configFile)).status, 0)
})

void t.test('a sound store is rebuilt without a loss', async (t) => {
  const { configFile, store } = await startStore(t)
  store.close()
  const { status, out } = await run('store', 'rebuild', '--config', configFile)
  t.equal(status, 0)
  t.match(out, /^ {2}device_facts {5}300 rows carried over$/m)
  t.notMatch(out, 'may be missing')
})

void t.test('the store of a running node is not rebuilt', async (t) => {
  const { configFile, path } = await startStore(t)
  const { status, error } = await run('store', 'rebuild', '--config', configFile)
  t.strictSame([status, error], [1, `the store ${path} is owned by a running easgate`])
})

void t.test('a store that is not there, or is none, is said so', async (t) => {
  const configFile = writeConfig(t)
  const path = join(dirname(configFile), 'easgate.db')
  for (const args of [['check'], ['backup', join(dirname(path), 'copy.db')], ['rebuild']]) {
    const { status, error } = await run('store', ...args, '--config', configFile)
    t.strictSame([status, error], [1, `there is no store at ${path}; easgate serve makes it`])
  }
  for (const content of ['', 'not a database, but some text that is longer than a header of SQLite']) {
    writeFileSync(path, content)
    const { status, error } = await run('store', 'check', '--config', configFile)
    t.equal(status, 1)
    t.match(error, /easgate store rebuild/)
  }
})
