import { once } from 'node:events'
import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { FactsSource } from '#directory/facts-source.ts'
import type { RowFault } from '#directory/rows.ts'
import type { SyncOutcome } from '#directory/sync-state.ts'
import { createFileSource, type Schedule } from '#sources/file.ts'
import { testStore, type TestStore } from '../support/directory-store.ts'

const header = 'user,deviceId,complianceState\n'
const row = (name: string, state = 'compliant') => `${name}@example.com,Appl${name},${state}\n`

interface Clockwork {
  readonly schedule: Schedule
  readonly delays: readonly number[]
  /** Lets the pending look happen and waits until the next one is due. */
  readonly tick: () => Promise<void>
}

/** Timers that run when the test says so. */
function clockwork(): Clockwork {
  let pending: (() => void) | undefined
  let onScheduled: (() => void) | undefined
  const delays: number[] = []
  return {
    delays,
    schedule: (work, delayMs) => {
      pending = work
      delays.push(delayMs)
      onScheduled?.()
      return () => {
        if (pending === work) pending = undefined
      }
    },
    async tick() {
      const scheduled = new Promise<void>((resolve) => {
        onScheduled = resolve
      })
      const work = pending
      pending = undefined
      work?.()
      await scheduled
    },
  }
}

interface WatchedFile extends TestStore {
  readonly file: string
  readonly source: FactsSource
  readonly faults: RowFault[]
  readonly reads: SyncOutcome[]
  readonly tick: () => Promise<void>
  /** Starts the source and ticks until its first read has ended. */
  readonly start: () => Promise<void>
  /** The compliance state on record. */
  readonly stateOf: (name: string) => string | undefined
  /** How long the source wanted to wait, each time, ms. */
  readonly delays: readonly number[]
}

function watchedFile(t: Test, content: string | undefined, name = 'facts.csv'): WatchedFile {
  const test = testStore(t, ['file'])
  const file = join(test.path, '..', name)
  if (content !== undefined) writeFileSync(file, content)
  const faults: RowFault[] = []
  const reads: SyncOutcome[] = []
  const { schedule, tick, delays } = clockwork()
  const source = createFileSource({
    name: 'file',
    path: file,
    store: test.store,
    onFault: (fault) => faults.push(fault),
    onRead: (outcome) => reads.push(outcome),
    now: () => test.clock.now,
    schedule,
  })
  const abort = new AbortController()
  t.teardown(() => abort.abort())
  return {
    ...test,
    file,
    source,
    faults,
    reads,
    tick,
    delays,
    async start() {
      void source.start(abort.signal)
      // the first look and, where it found a file, the second
      await tick()
      await tick()
    },
    stateOf: (who) => test.store.deviceFacts(`${who}@example.com`, `appl${who}`)?.value.complianceState,
  }
}

void t.test('reads CSV at the start, and the directory is complete', async (t) => {
  const { start, source, stateOf, store, faults } = watchedFile(t, header + row('alice'))
  await start()
  t.equal(stateOf('alice'), 'compliant')
  t.equal(store.sourcesComplete(), true)
  t.same(source.status(), { records: 1, faults: 0, lastCompleteAt: 1_000_000 })
  t.same(faults, [])
})

void t.test('reads JSON', async (t) => {
  const devices = [{ user: 'alice@example.com', deviceId: 'Applalice', complianceState: 'conflict' }]
  const { start, stateOf } = watchedFile(t, JSON.stringify({ devices }), 'facts.JSON')
  await start()
  t.equal(stateOf('alice'), 'conflict')
})

void t.test('a changed file is read again, rows that are gone are removed', async (t) => {
  const { start, tick, file, stateOf } = watchedFile(t, header + row('alice') + row('bob'))
  await start()
  writeFileSync(file, header + row('alice', 'noncompliant'))
  await tick()
  await tick()
  t.same([stateOf('alice'), stateOf('bob')], ['noncompliant', undefined])
})

void t.test('a file that is still being written is not taken', async (t) => {
  const { start, tick, file, stateOf } = watchedFile(t, header + row('alice') + row('bob'))
  await start()
  writeFileSync(file, header + row('alice', 'noncompliant'))
  await tick()
  t.equal(stateOf('alice'), 'compliant')
  appendFileSync(file, 'bob@example.com,Appl')
  await tick()
  t.equal(stateOf('alice'), 'compliant')
  appendFileSync(file, 'bob,compliant\n')
  await tick()
  t.equal(stateOf('alice'), 'compliant')
  await tick()
  t.same([stateOf('alice'), stateOf('bob')], ['noncompliant', 'compliant'])
})

void t.test('a bad row costs that row only, and nothing is removed while there is one', async (t) => {
  const { start, tick, file, source, stateOf, faults, store } = watchedFile(
    t,
    header + row('alice') + row('bob'),
  )
  await start()
  writeFileSync(file, header + row('alice', 'noncompliant') + 'carol@example.com,Appl carol,compliant\n')
  await tick()
  await tick()
  t.match(faults, [{ place: 3, field: 'deviceId' }])
  t.same([stateOf('alice'), stateOf('bob')], ['noncompliant', 'compliant'])
  t.match(source.status(), { records: 1, faults: 1, lastCompleteAt: 1_000_000 })
  t.match(store.syncState('file'), { outcome: 'partial', faults: 1 })
})

void t.test('a file of which nothing can be read leaves everything as it was', async (t) => {
  const { start, tick, file, source, stateOf, store } = watchedFile(t, header + row('alice'))
  await start()
  const contents = ['user;deviceId\n', Buffer.from([0x75, 0xff, 0xfe]), `${header}\u0000,\u0000,\n`]
  for (const content of contents) {
    writeFileSync(file, content)
    await tick()
    await tick()
    t.equal(stateOf('alice'), 'compliant')
    t.match(source.status(), { error: /no row could be read/, records: 1 })
  }
  t.match(store.syncState('file'), { outcome: 'failed', completeAt: 1_000_000 })
  writeFileSync(file, header + row('alice', 'error'))
  await tick()
  await tick()
  t.equal(stateOf('alice'), 'error')
  t.equal(source.status().error, undefined)
})

void t.test(
  'an empty file is refused where there were rows, and is fine where there were none (T-56)',
  async (t) => {
    const { start, tick, file, source, stateOf, store } = watchedFile(t, header)
    await start()
    t.same(source.status(), { records: 0, faults: 0, lastCompleteAt: 1_000_000 })
    t.equal(store.sourcesComplete(), true)
    writeFileSync(file, header + row('alice'))
    await tick()
    await tick()
    writeFileSync(file, header)
    await tick()
    await tick()
    t.equal(stateOf('alice'), 'compliant')
    t.match(source.status(), { error: /is empty; the records of before are kept/ })
  },
)

void t.test('a file that is missing or goes missing is told, and taken when it comes', async (t) => {
  const { start, tick, file, source, stateOf, store } = watchedFile(t, undefined)
  await start()
  t.match(source.status(), { error: /ENOENT/ })
  t.equal(store.sourcesComplete(), false)
  writeFileSync(`${file}.new`, header + row('alice'))
  renameSync(`${file}.new`, file)
  await tick()
  await tick()
  t.equal(stateOf('alice'), 'compliant')
  rmSync(file)
  await tick()
  t.match(source.status(), { error: /ENOENT/ })
  t.equal(stateOf('alice'), 'compliant')
})

void t.test('a file that is neither CSV nor JSON is told', async (t) => {
  const { start, source, faults } = watchedFile(t, 'x', 'facts.xlsx')
  await start()
  t.match(faults, [{ message: /\.csv or \.json/ }])
  t.match(source.status(), { error: /no row could be read/ })
})

void t.test('the number of faults that are told is bounded', async (t) => {
  const { start, source, faults } = watchedFile(t, `${header}${row('alice')}${'x,y z,\n'.repeat(1500)}`)
  await start()
  t.equal(faults.length, 100)
  t.match(source.status(), { records: 1, faults: 1500 })
})

void t.test('a store that cannot be written is told, and the file tried again', async (t) => {
  const { start, tick, source, store, stateOf } = watchedFile(t, header + row('alice'))
  store.close()
  await start()
  t.match(source.status(), { error: /is closed/, records: 0 })
  await tick()
  await tick()
  t.throws(() => stateOf('alice'))
})

void t.test('with its own timers, a change reaches the store without being asked for', async (t) => {
  const { store, path } = testStore(t, ['file'])
  const file = join(path, '..', 'facts.csv')
  writeFileSync(file, header + row('alice'))
  const source = createFileSource({
    name: 'file',
    path: file,
    store,
    onFault: () => t.fail('no fault'),
    onRead: () => undefined,
    now: Date.now,
  })
  const abort = new AbortController()
  t.teardown(() => abort.abort())
  await source.start(abort.signal)
  t.equal(source.status().records, 1)
  const changed = new Promise((resolve) => store.onChange(resolve))
  writeFileSync(file, header + row('alice', 'noncompliant'))
  t.match(await changed, [{ kind: 'device', user: 'alice@example.com' }])
})

void t.test(
  'tells how each read ended, also the tenth in vain; a look at a file that stands is no read',
  async (t) => {
    const { start, tick, file, reads } = watchedFile(t, undefined)
    await start()
    t.same(reads, ['failed', 'failed'], 'a file that is not there')
    writeFileSync(file, header + row('alice'))
    for (let look = 0; look < 4; look++) await tick()
    t.same(reads, ['failed', 'failed', 'complete'])
    writeFileSync(file, header + row('alice') + 'bob@example.com,a b,compliant\n')
    for (let look = 0; look < 4; look++) await tick()
    t.same(reads.slice(3), ['partial'])
    writeFileSync(file, '')
    for (let look = 0; look < 4; look++) await tick()
    t.same(reads.slice(4), ['failed'])
  },
)

void t.test('a source whose signal has already ended does nothing', async (t) => {
  const { store, path } = testStore(t, ['file'])
  const file = join(path, '..', 'facts.csv')
  const source = createFileSource({
    name: 'file',
    path: file,
    store,
    onFault: () => t.fail('no fault'),
    onRead: () => t.fail('no read'),
    now: Date.now,
  })
  await source.start(AbortSignal.abort())
  t.same(source.status(), { records: 0, faults: 0 })
})

void t.test('an aborted source settles and stops', async (t) => {
  const { store, path } = testStore(t, ['file'])
  const file = join(path, '..', 'facts.csv')
  writeFileSync(file, header + row('alice'))
  const abort = new AbortController()
  const source = createFileSource({
    name: 'file',
    path: file,
    store,
    onFault: () => t.fail('no fault'),
    onRead: () => t.fail('no read'),
    now: Date.now,
  })
  const started = source.start(abort.signal)
  const aborted = once(abort.signal, 'abort')
  abort.abort()
  await Promise.all([started, aborted])
  t.same(source.status(), { records: 0, faults: 0 })
})

void t.test('a set that is held leaves the facts as they were, and is not read again unasked', async (t) => {
  const { start, tick, file, source, reads, stateOf, store } = watchedFile(t, header + row('alice'))
  await start()
  const admitted = { next: false }
  store.guardSets(async () => admitted.next)
  writeFileSync(file, header + row('alice', 'noncompliant'))
  await tick()
  await tick()
  t.equal(stateOf('alice'), 'compliant')
  t.match(source.status(), {
    records: 1,
    lastCompleteAt: 1_000_000,
    error: /would refuse too many devices and is held/,
  })
  await tick()
  await tick()
  t.strictSame(reads, ['complete', 'held'])

  admitted.next = true
  const done = source.readAgain?.()
  await tick()
  await done
  t.equal(stateOf('alice'), 'noncompliant')
  t.equal(source.status().error, undefined)
  t.strictSame(reads, ['complete', 'held', 'complete'])
})

void t.test('who asks for another read waits for one that began after that', async (t) => {
  const { start, tick, file, source, stateOf, store, reads } = watchedFile(t, header + row('alice'))
  await start()
  const guard = { entered: Promise.withResolvers<void>(), leave: Promise.withResolvers<void>() }
  let admits = false
  store.guardSets(async () => {
    const answer = admits
    guard.entered.resolve()
    await guard.leave.promise
    return answer
  })
  writeFileSync(file, header + row('alice', 'noncompliant'))
  await tick()
  const look = tick()
  await guard.entered.promise
  admits = true
  let isDone = false
  const done = source.readAgain?.().then(() => {
    isDone = true
  })
  guard.leave.resolve()
  await look
  t.strictSame([isDone, stateOf('alice')], [false, 'compliant'], 'the read that was under way is held')
  await tick()
  await done
  t.equal(stateOf('alice'), 'noncompliant')
  t.strictSame(reads, ['complete', 'held', 'complete'])
})

void t.test('nobody waits for a source that has ended, or whose file is gone', async (t) => {
  const { start, tick, file, source, reads } = watchedFile(t, header + row('alice'))
  await source.readAgain?.()
  await start()
  rmSync(file)
  const done = source.readAgain?.()
  await tick()
  await done
  t.strictSame(reads, ['complete', 'failed'])

  const other = watchedFile(t, header + row('alice'))
  const abort = new AbortController()
  const started = other.source.start(abort.signal)
  const asked = other.source.readAgain?.()
  abort.abort()
  await Promise.all([started, asked])
})

void t.test(
  'facts of a file that nobody changes do not grow old, and no row is written for it',
  async (t) => {
    const { start, tick, store, clock, changes, source, reads } = watchedFile(t, header + row('alice'))
    await start()
    const asOf = () => store.deviceFacts('alice@example.com', 'applalice')?.value.origin.asOf
    t.equal(asOf(), 1_000_000)
    changes.length = 0
    const revision = store.currentRevision()
    clock.now += 29_000
    await tick()
    t.equal(asOf(), 1_000_000, 'not at every look')
    clock.now += 1000
    await tick()
    t.equal(asOf(), 1_030_000)
    t.equal(store.syncState('file')?.completeAt, 1_030_000)
    t.equal(source.status().lastCompleteAt, 1_030_000)
    t.strictSame([changes, store.currentRevision(), reads], [[], revision, ['complete']])
  },
)

void t.test('a file that cannot be read any more confirms nothing', async (t) => {
  const { start, tick, file, store, clock } = watchedFile(t, header + row('alice'))
  await start()
  rmSync(file)
  clock.now += 60_000
  await tick()
  t.equal(store.deviceFacts('alice@example.com', 'applalice')?.value.origin.asOf, 1_000_000)
})

void t.test('of a file with faults the good rows are confirmed by another reading', async (t) => {
  const { start, tick, store, clock, reads } = watchedFile(t, `${header}${row('alice')}x,y z,\n`)
  await start()
  clock.now += 599_000
  await tick()
  t.strictSame(reads, ['partial'])
  clock.now += 1000
  await tick()
  t.strictSame(reads, ['partial', 'partial'])
  t.equal(store.deviceFacts('alice@example.com', 'applalice')?.value.origin.asOf, 1_600_000)
})

void t.test('a file that was cut off changes nothing, wherever the cut is (T-56)', async (t) => {
  const names = ['alice', 'bob']
  const devices = names.map((name) => ({ user: `${name}@example.com`, deviceId: `Appl${name}` }))
  const csv = 'user,deviceId\n' + devices.map(({ user, deviceId }) => `${user},${deviceId}\n`).join('')
  for (const [name, whole] of [
    ['facts.csv', csv],
    ['facts.json', `${JSON.stringify({ devices })}\n`],
  ] as const) {
    const test = watchedFile(t, whole, name)
    await test.start()
    // behind a whole row, a CSV that was cut is no other than a shorter one
    const cuts = [0, 1, 10, 25, 26, 40, 41, 1, 2, 3, 4, 9, 18].map((at, index) =>
      index < 7 ? at : whole.length - at,
    )
    for (const cut of cuts.filter((at) => whole[at - 1] !== '\n')) {
      writeFileSync(`${test.file}.new`, whole.slice(0, cut))
      renameSync(`${test.file}.new`, test.file)
      await test.tick()
      await test.tick()
      const kept = names.map((user) => test.store.deviceFacts(`${user}@example.com`, `appl${user}`))
      t.notOk(kept.includes(undefined), `${name} cut at ${cut}`)
    }
    t.match(test.source.status(), { records: 2 })
  }
})

void t.test('a file that is written over where it stands gets a second to be finished', async (t) => {
  const { start, tick, file, stateOf, delays } = watchedFile(t, header + row('alice') + row('bob'))
  await start()
  truncateSync(file)
  appendFileSync(file, header + row('alice', 'noncompliant'))
  await tick()
  t.equal(delays.at(-1), 1000)
  appendFileSync(file, row('bob'))
  await tick()
  t.equal(delays.at(-1), 1000)
  await tick()
  t.strictSame([stateOf('alice'), stateOf('bob')], ['noncompliant', 'compliant'])
  writeFileSync(`${file}.new`, header + row('alice') + row('bob'))
  renameSync(`${file}.new`, file)
  await tick()
  t.equal(delays.at(-1), 100, 'one that is moved into place is whole')
})

void t.test('an editor that moves the old file away before it writes the new one harms nobody', async (t) => {
  const { start, tick, file, stateOf, reads } = watchedFile(t, header + row('alice') + row('bob'))
  await start()
  renameSync(file, `${file}~`)
  await tick()
  writeFileSync(file, '')
  writeFileSync(join(file, '..', '.facts.csv.swp'), 'b0VIM')
  await tick()
  await tick()
  t.equal(stateOf('bob'), 'compliant', 'gone, and empty')
  writeFileSync(file, header + row('alice', 'noncompliant') + row('bob'))
  await tick()
  await tick()
  await tick()
  t.strictSame([stateOf('alice'), stateOf('bob')], ['noncompliant', 'compliant'])
  t.equal(reads.at(-1), 'complete')
})
