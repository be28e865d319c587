import {
  existsSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { digestOf } from '#config/digest.ts'
import { rebuildStore } from '#directory/rebuild.ts'
import { applicationId, migrate, migrations } from '#directory/schema.ts'
import { openStore, openStoreReader, type Store } from '#directory/store.ts'
import type { Override } from '#policy/facts.ts'
import { phones, sighting } from '../support/directory-store.ts'
import { explained, traceReport } from '../support/traces.ts'

const devices = 1500
const now = () => Date.UTC(2026, 2, 1)
const open = (path: string): Store => openStore(path, { sourceOrder: ['file'], now })

const text = 'deviceRules: []\n'
const policy = { revision: 3, text, digest: digestOf(text), at: 1, actor: 'file' }

const push = { signature: 'signed', signedAt: 1, records: [], removed: [] }

const lostPhone: Override = { action: 'block', until: now() + 1000, exclusive: false, note: 'lost' }

async function filledStore(t: Test): Promise<string> {
  const path = join(t.testdir(), 'easgate.db')
  const store = open(path)
  await store.replace('file', phones(devices), { complete: true })
  await store.upsert('api', [{ user: 'user7@example.com', aliases: ['example\\seven'] }])
  await store.recordSightings([sighting({ allowed: true, selfNoncompliant: true })])
  await store.recordTraces([traceReport()])
  store.setOverride({ user: 'guest', deviceId: 'ApplG' }, lostPhone, 'api')
  store.keepPolicy(policy)
  store.keepQuarantineHold({ heldSince: 5, countsFrom: 4 })
  await store.takePush('file', push)
  store.audit({ at: 1, actor: 'admin', event: 'facts-imported', detail: { records: devices } })
  store.close()
  return path
}

/** Overwrites a part of the file, as a failing disk does. */
function scribble(path: string, from: number, to: number): void {
  const handle = openSync(path, 'r+')
  const size = statSync(path).size
  const garbage = Buffer.alloc(Math.floor(size * (to - from)), 'scribble ')
  writeSync(handle, garbage, 0, garbage.length, Math.floor(size * from))
  closeSync(handle)
}

const damages: readonly {
  readonly title: string
  readonly damage: (path: string) => void
  /** Devices that must survive `store rebuild`. */
  readonly salvaged: readonly [least: number, most: number]
}[] = [
  {
    title: 'cut in half',
    damage: (path) => truncateSync(path, statSync(path).size / 2),
    salvaged: [1, devices - 1],
  },
  { title: 'cut to nothing', damage: (path) => truncateSync(path, 0), salvaged: [0, 0] },
  { title: 'garbage instead of the header', damage: (path) => scribble(path, 0, 0.001), salvaged: [0, 0] },
  { title: 'garbage in the middle', damage: (path) => scribble(path, 0.5, 0.55), salvaged: [1, devices - 1] },
  {
    title: 'another text file',
    damage: (path) => writeFileSync(path, 'user,deviceId\nalice@example.com,ApplA\n'),
    salvaged: [0, 0],
  },
]

for (const { title, damage, salvaged } of damages) {
  void t.test(`a store that was damaged (${title})`, async (t) => {
    const path = await filledStore(t)
    damage(path)
    const before = readFileSync(path)
    t.throws(() => open(path), { code: 'STORE_CORRUPT', message: /easgate\.db .*easgate store rebuild/ })
    t.same(readFileSync(path), before, 'is left as it is')

    const rebuilt = rebuildStore(path, { now })
    t.same(readFileSync(rebuilt.movedTo), before, 'is moved aside')
    t.match(rebuilt, { movedTo: /easgate\.db\.broken-2026-03-01T00-00-00\.000Z$/, complete: false })
    const store = open(path)
    t.teardown(() => store.close())
    const check = store.check()
    t.same([check.ok, check.problems], [true, []])
    const found = check.rows['device_facts'] ?? -1
    t.ok(found >= salvaged[0] && found <= salvaged[1], `${found} devices`)
    t.equal(rebuilt.salvaged['device_facts'], found)
    t.equal(store.sourcesComplete(), false, 'until each source was read again, an absence proves nothing')
    t.match(store.auditEvents({}).events[0], { event: 'store-rebuilt' })
    await store.replace('file', phones(devices), { complete: true })
    t.equal(store.check().rows['device_facts'], devices)
  })
}

void t.test('a reader of a damaged store is told the same', async (t) => {
  const path = await filledStore(t)
  scribble(path, 0, 0.001)
  t.throws(() => openStoreReader(path, { sourceOrder: [] }), { code: 'STORE_CORRUPT' })
  truncateSync(path, 0)
  t.throws(() => openStoreReader(path, { sourceOrder: [] }), { code: 'STORE_CORRUPT', message: /empty/ })
})

void t.test('damage found while reading has the same code', async (t) => {
  const path = await filledStore(t)
  scribble(path, 0.2, 0.95)
  const reader = openStoreReader(path, { sourceOrder: ['file'] })
  t.teardown(() => reader.close())
  const check = reader.check()
  t.equal(check.ok, false)
  t.ok(check.problems.length > 0)
})

void t.test('a sound store is carried over whole', async (t) => {
  const path = await filledStore(t)
  const rebuilt = rebuildStore(path, { now })
  t.equal(rebuilt.complete, true)
  t.same(rebuilt.salvaged, {
    device_facts: devices,
    users: devices + 1,
    overrides: 1,
    sightings: 1,
    traces: 1,
    kept_policy: 1,
    store_secret: 1,
    quarantine_hold: 1,
    push_marks: 1,
    audit_events: 3,
  })
  const store = open(path)
  t.teardown(() => store.close())
  t.equal(store.resolve('example\\seven'), 'user7@example.com')
  t.match(store.deviceFacts('user7@example.com', 'appl7')?.value, { complianceState: 'compliant' })
  t.match(store.history('alice@example.com', 'appla').pair, {
    allowedBefore: true,
    noncompliantSince: 1_000_000,
  })
  t.same(store.overrides('guest', [], 'applg').override, lostPhone)
  t.match(store.traces('alice@example.com', 'appla'), [{ requestId: 'r-1', explained }])
  t.same(store.keptPolicy(), policy)
  t.same(store.quarantineHold(), { heldSince: 5, countsFrom: 4 })
  t.equal(store.isPushTaken('file', push), true, 'a push cannot be played again')
  t.ok(store.currentRevision() > 2 * devices, 'revisions go on rising')
})

void t.test('a sound store of an older version is carried over whole', async (t) => {
  const path = join(t.testdir(), 'easgate.db')
  const database = new DatabaseSync(path)
  database.exec(`PRAGMA application_id = ${applicationId}`)
  migrate(database, path, migrations.slice(0, 1))
  database.exec(
    `INSERT INTO sightings (user, device_key, device_id, action, reason, platform, seen, first_at, last_at, revision)
     VALUES ('alice@example.com', 'appla', 'ApplA', 'allow', 'compliant', 'iOS', '{"client":"Gmail"}', 5, 6, 7)`,
  )
  database.close()
  t.match(rebuildStore(path, { now }), {
    complete: true,
    salvaged: { overrides: 0, traces: 0, sightings: 1 },
  })
  const store = open(path)
  t.teardown(() => store.close())
  t.same(store.history('alice@example.com', 'appla').pair, { allowedBefore: false, firstSeenAt: 5 })
})

void t.test('what is only in the write-ahead log is carried over', async (t) => {
  const path = await filledStore(t)
  const writer = new DatabaseSync(path)
  writer.exec('PRAGMA wal_autocheckpoint = 0')
  const reader = new DatabaseSync(path)
  reader.exec('BEGIN; SELECT count(*) FROM users')
  writer.exec(`UPDATE users SET aliases = '["late"]' WHERE user = 'user9@example.com'`)
  t.ok(statSync(`${path}-wal`).size > 0)
  rebuildStore(path, { now })
  reader.close()
  writer.close()
  const store = open(path)
  t.teardown(() => store.close())
  t.equal(store.resolve('late'), 'user9@example.com')
})

void t.test('the database of another program is refused', async (t) => {
  const path = join(t.testdir(), 'easgate.db')
  const database = new DatabaseSync(path)
  database.exec('CREATE TABLE cookies (id INTEGER PRIMARY KEY)')
  database.close()
  t.throws(() => open(path), { code: 'STORE_FOREIGN', message: /store\.path/ })
  t.throws(() => openStoreReader(path, { sourceOrder: [] }), { code: 'STORE_FOREIGN' })
})

void t.test('a log without its store is no empty store', async (t) => {
  const path = join(t.testdir({ 'easgate.db-wal': 'frames' }), 'easgate.db')
  t.throws(() => open(path), { code: 'STORE_CORRUPT', message: /write-ahead log/ })
  t.equal(existsSync(path), false)
  rebuildStore(path, { now })
  open(path).close()
  t.match(readdirSync(dirname(path)).toSorted(), ['easgate.db', 'easgate.db-owner', /broken-.*-wal$/])
})

void t.test('neither a folder nor a missing file is rebuilt', async (t) => {
  const folder = t.testdir({ 'easgate.db': {} })
  t.throws(() => open(join(folder, 'easgate.db')), { code: 'STORE_UNREADABLE' })
  t.throws(() => rebuildStore(join(folder, 'none.db'), { now }), { code: 'STORE_MISSING' })
  t.throws(() => openStoreReader(join(folder, 'none.db'), { sourceOrder: [] }), {
    code: 'STORE_MISSING',
    message: /none\.db/,
  })
})

void t.test('a running node is not pulled from under its feet', async (t) => {
  const path = await filledStore(t)
  const store = open(path)
  t.teardown(() => store.close())
  t.throws(() => rebuildStore(path, { now }), { code: 'STORE_LOCKED' })
})
