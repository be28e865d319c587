import t, { type Test } from 'tap'
import { repeat } from '#sources/repeat.ts'
import { manualClock } from '../support/manual-clock.ts'

function repeatTest(t: Test, { intervalMs = 600_000, random = 0 } = {}) {
  const clock = manualClock()
  const abort = new AbortController()
  t.teardown(() => abort.abort())
  const failures: unknown[] = []
  const state = { done: 0, outcome: async (): Promise<void> => undefined }
  const first = repeat(
    async () => {
      state.done++
      await state.outcome()
    },
    {
      intervalMs,
      signal: abort.signal,
      clock,
      random: () => random,
      onFailure: (error) => failures.push(error),
    },
  )
  return {
    clock,
    abort,
    failures,
    first,
    count: () => state.done,
    set: (outcome: () => Promise<void>) => void Object.assign(state, { outcome }),
  }
}

void t.test('at once, and then from beginning to beginning', async (t) => {
  const { clock, count, first, set } = repeatTest(t)
  await first
  t.equal(count(), 1)
  set(() => clock.sleep(100_000))
  await clock.advance(600_000)
  t.equal(count(), 2)
  await clock.advance(599_000)
  t.equal(count(), 2)
  await clock.advance(1000)
  t.equal(count(), 3, 'what the work takes is part of the interval')
})

void t.test('intervals are shorter by up to a tenth, never longer', async (t) => {
  const { clock, first } = repeatTest(t, { random: 1 })
  await first
  await clock.asleep()
  t.strictSame(clock.sleeping(), [540_000])
})

void t.test('what fails is tried again after pauses that double, no longer than the interval', async (t) => {
  const { clock, failures, first, set } = repeatTest(t, { intervalMs: 30_000, random: 1 })
  await first
  set(async () => {
    throw new Error('no')
  })
  await clock.advance(27_000)
  for (const pauseMs of [5000, 10_000, 20_000, 30_000, 30_000]) {
    t.strictSame(clock.sleeping(), [pauseMs])
    await clock.advance(pauseMs)
  }
  t.equal(failures.length, 6)
})

void t.test('the first end is told, a failure too; the signal ends all', async (t) => {
  const { abort, clock, count, failures, first } = repeatTest(t)
  await first
  abort.abort()
  await clock.advance(10_000_000)
  t.equal(count(), 1)
  t.strictSame(failures, [])
})
