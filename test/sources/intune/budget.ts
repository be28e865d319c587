import t from 'tap'
import { createBudget, type Priority } from '#sources/intune/budget.ts'
import { manualClock } from '../../support/manual-clock.ts'

const { signal } = new AbortController()

/** A budget of 100 units in 10 s: 60 for readings, 90 with look-ups. */
function budget() {
  const clock = manualClock()
  const { take, ...rest } = createBudget({ units: 100, windowMs: 10_000 }, clock)
  const served: string[] = []
  return {
    clock,
    served,
    ...rest,
    ask: (name: string, units: number, priority: Priority, of = signal) =>
      take(units, priority, of).then(() => void served.push(name)),
    /** Lets everybody go on who may. */
    settle: () => clock.advance(0),
  }
}

void t.test('readings leave a part of the limit to look-ups', async (t) => {
  const { ask, served, settle, clock } = budget()
  void ask('read 1', 60, 'low')
  void ask('read 2', 1, 'low')
  void ask('look-up', 30, 'high')
  await settle()
  t.same(served, ['read 1', 'look-up'])
  await clock.advance(9_999)
  t.same(served.length, 2)
  await clock.advance(1)
  t.same(served, ['read 1', 'look-up', 'read 2'])
})

void t.test('look-ups go first, whoever came first', async (t) => {
  const { ask, served, clock } = budget()
  void ask('before', 60, 'low')
  await clock.advance(1000)
  void ask('look-up before', 30, 'high')
  void ask('read', 10, 'low')
  void ask('look-up', 40, 'high')
  await clock.advance(9000)
  t.same(served, ['before', 'look-up before', 'look-up'], 'as soon as the first 60 are forgotten')
  await clock.advance(10_000)
  t.same(served.at(-1), 'read')
})

void t.test('the window slides: what was spent is free again after its length', async (t) => {
  const { ask, served, clock } = budget()
  void ask('a', 50, 'low')
  await clock.advance(4000)
  void ask('b', 10, 'low')
  void ask('c', 40, 'low')
  void ask('d', 20, 'low')
  await clock.advance(6000)
  t.same(served, ['a', 'b', 'c'])
  await clock.advance(3999)
  t.same(served, ['a', 'b', 'c'])
  await clock.advance(1)
  t.same(served, ['a', 'b', 'c', 'd'], 'b is forgotten')
})

void t.test('while Graph throttles, nobody asks, look-ups neither', async (t) => {
  const { ask, served, clock, pause } = budget()
  pause(5000)
  void ask('look-up', 1, 'high')
  void ask('read', 1, 'low')
  await clock.advance(4999)
  t.same(served, [])
  pause(1000)
  await clock.advance(1)
  t.same(served, [], 'the pause that ends last counts')
  await clock.advance(999)
  t.same(served, ['look-up', 'read'])
})

void t.test('a warning holds readings only', async (t) => {
  const { ask, served, clock, easeOff } = budget()
  easeOff(2000)
  void ask('read', 1, 'low')
  void ask('look-up', 1, 'high')
  await clock.advance(1000)
  t.same(served, ['look-up'])
  await clock.advance(1000)
  t.same(served, ['look-up', 'read'])
})

void t.test("who gives up stands in nobody's way", async (t) => {
  const { ask, served, clock } = budget()
  const abort = new AbortController()
  await ask('a', 60, 'low')
  const given = ask('given up', 60, 'low', abort.signal)
  void ask('b', 10, 'low')
  abort.abort(new Error('too late'))
  await t.rejects(given, /too late/)
  await t.rejects(ask('never', 1, 'low', AbortSignal.abort(new Error('no'))), /no/)
  await clock.advance(10_000)
  t.same(served, ['a', 'b'])
})
