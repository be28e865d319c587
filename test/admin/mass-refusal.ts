import { mock } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createHeldChanges } from '#admin/held-changes.ts'
import { createMassRefusal, type MassRefusalDeps } from '#admin/mass-refusal.ts'
import type { Sighting } from '#directory/sightings.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { sighting, testStore, type TestStore } from '../support/directory-store.ts'

const minute = 60_000

/** Phones of as many users; `from` is the number of the first. */
function phones(count: number, fields: Partial<Sighting>, from = 0): Sighting[] {
  return Array.from({ length: count }, (_, number) =>
    sighting({ user: `user${from + number}@example.com`, ...fields }),
  )
}

async function setUp(t: Test, inUse: number, options: Partial<MassRefusalDeps> = {}) {
  const made: TestStore = testStore(t)
  const { store, clock } = made
  clock.now = 1000 * minute
  const now = () => clock.now
  const metrics = createMetrics()
  const alarms: unknown[][] = []
  const log = { error: (...line: unknown[]) => alarms.push(line), info: () => undefined }
  const held = createHeldChanges({ store, metrics, log, now })
  const told: (number | undefined)[] = []
  const deps: MassRefusalDeps = {
    store,
    held,
    share: 0.2,
    log,
    now,
    onChange: async (heldSince) => void told.push(heldSince),
    ...options,
  }
  const turn = async (count: number, refused: boolean, from = 0) => {
    const fields = refused
      ? ({ action: 'quarantine', reason: 'noncompliant', refused } as const)
      : ({ action: 'allow', reason: 'compliant', allowed: true, refused } as const)
    await store.recordSightings(phones(count, { ...fields, at: clock.now }, from))
  }
  await turn(inUse, false)
  const watch = createMassRefusal(deps)
  return { ...made, held, told, alarms, metrics, deps, turn, watch }
}

void t.test('holds quarantine where more than the share turns refused within 10 minutes', async (t) => {
  const { clock, watch, held, told, alarms, metrics, turn, store } = await setUp(t, 50)
  await turn(10, true)
  await watch.look()
  t.equal(watch.heldSince(), undefined, '20% is no more than the share')
  clock.now += minute
  await turn(1, true, 10)
  await watch.look()
  t.equal(watch.heldSince(), clock.now)
  t.strictSame(told, [clock.now])
  const weight = { inUse: 50, newlyRefused: 11, maxNewRefusals: 10, tooHeavy: true }
  t.match(held.list(), [{ kind: 'quarantine', name: 'mass-refusal', heldAt: clock.now, weight }])
  t.match(alarms, [
    [{ ...weight, byReason: [{ reason: 'noncompliant', newlyRefused: 11 }] }, /blocked in place/],
  ])
  t.match((await metrics.changesHeld.get()).values, [{ value: 0 }, { value: 0 }, { value: 1 }])
  t.match(store.auditEvents({}).events[0], { event: 'change-held' })
  await watch.look()
  t.equal(alarms.length, 1, 'one alarm')
})

void t.test('refusals that come by and by are no alarm', async (t) => {
  const { clock, watch, turn } = await setUp(t, 50)
  for (let number = 0; number < 30; number++) {
    clock.now += 2 * minute
    await turn(1, true, number)
    await watch.look()
  }
  t.equal(watch.heldSince(), undefined)
})

void t.test('a small site needs more than a few', async (t) => {
  const { watch, turn } = await setUp(t, 6)
  await turn(5, true)
  await watch.look()
  t.equal(watch.heldSince(), undefined)
  await turn(1, true, 5)
  await watch.look()
  t.not(watch.heldSince(), undefined)
})

void t.test('the share is of those that are in use then', async (t) => {
  const { watch, turn } = await setUp(t, 6)
  await turn(44, false, 6)
  await turn(10, true)
  await watch.look()
  t.equal(watch.heldSince(), undefined)
})

void t.test('it ends when enough are let in again, however long it took', async (t) => {
  const { clock, watch, held, told, turn } = await setUp(t, 50)
  await turn(20, true)
  await watch.look()
  clock.now += 300 * minute
  await watch.look()
  t.not(watch.heldSince(), undefined, 'time alone would send them all to quarantine')
  await turn(9, false)
  await watch.look()
  t.not(watch.heldSince(), undefined)
  await turn(1, false, 9)
  await watch.look()
  t.equal(watch.heldSince(), undefined)
  t.strictSame([held.list(), told.at(-1)], [[], undefined])
})

void t.test('an operator who means it ends it, and who turned before counts no more', async (t) => {
  const { clock, watch, held, told, turn, store } = await setUp(t, 50)
  await turn(20, true)
  await watch.look()
  clock.now += minute
  await held.confirm(held.list()[0]?.digest ?? '', 'api')
  t.strictSame([watch.heldSince(), held.list(), told.at(-1)], [undefined, [], undefined])
  t.match(store.auditEvents({}).events[0], { event: 'change-confirmed', actor: 'api' })
  clock.now += 1
  await turn(10, true, 20)
  await watch.look()
  t.equal(watch.heldSince(), undefined)
  await turn(1, true, 30)
  await watch.look()
  t.equal(watch.heldSince(), clock.now, 'but more of them are another alarm')
})

void t.test('what an operator confirmed before is not asked of him again', async (t) => {
  const { clock, watch, held, turn } = await setUp(t, 50)
  const weight = { inUse: 50, newlyRefused: 15, maxNewRefusals: 10, tooHeavy: true }
  const tally = { devices: 50, newlyRefused: 15, newlyAllowed: 0, byReason: [], byPlatform: [], byGroup: [] }
  held.hold(
    { kind: 'policy', name: 'p', digest: 'abc', heldAt: clock.now, weight, tally },
    async () => undefined,
  )
  await held.confirm('abc', 'api')
  await turn(25, true)
  await watch.look()
  t.equal(watch.heldSince(), undefined)
  await turn(1, true, 25)
  await watch.look()
  t.not(watch.heldSince(), undefined)
})

void t.test('what is confirmed covers an hour', async (t) => {
  const { clock, watch, held, turn } = await setUp(t, 50)
  const weight = { inUse: 50, newlyRefused: 15, maxNewRefusals: 10, tooHeavy: true }
  const tally = { devices: 50, newlyRefused: 15, newlyAllowed: 0, byReason: [], byPlatform: [], byGroup: [] }
  held.hold(
    { kind: 'source', name: 's', digest: 'abc', heldAt: clock.now, weight, tally },
    async () => undefined,
  )
  await held.confirm('abc', 'api')
  clock.now += 60 * minute + 1
  await turn(11, true)
  await watch.look()
  t.not(watch.heldSince(), undefined)
})

void t.test('a restart goes on with it', async (t) => {
  const { clock, watch, deps, turn, store, metrics } = await setUp(t, 50)
  await turn(20, true)
  await watch.look()
  const heldSince = clock.now
  clock.now += 100 * minute
  const held = createHeldChanges({
    store,
    metrics,
    log: { error: () => undefined, info: () => undefined },
    now: () => clock.now,
  })
  const again = createMassRefusal({ ...deps, held })
  t.equal(again.heldSince(), heldSince)
  t.match(held.list(), [{ kind: 'quarantine', heldAt: heldSince, weight: { newlyRefused: 20 } }])
  await again.look()
  t.equal(again.heldSince(), heldSince)
})

void t.test('watches by itself, and tells of a store that fails', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const { watch, turn, store, alarms } = await setUp(t, 50)
  const stop = watch.watch()
  await turn(20, true)
  mock.timers.tick(1000)
  while (watch.heldSince() === undefined) await nextTurn()
  store.close()
  mock.timers.tick(1000)
  await nextTurn()
  t.match(alarms.at(-1), [{ err: Error }, 'refused devices could not be counted'])
  stop()
  const told = alarms.length
  mock.timers.tick(10_000)
  t.equal(alarms.length, told)
})
