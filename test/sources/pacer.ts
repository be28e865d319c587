import t from 'tap'
import { createPacer } from '#sources/pacer.ts'
import { manualClock } from '../support/manual-clock.ts'

const { signal } = new AbortController()

function pacerOf(perSecond: number) {
  const clock = manualClock()
  const pacer = createPacer({ perSecond, clock, refusal: () => new Error('too many') })
  let taken = 0
  let refused = 0
  const take = () => {
    pacer.take(signal).then(
      () => taken++,
      () => refused++,
    )
  }
  return { clock, pacer, take, counts: () => ({ taken, refused }) }
}

void t.test('a second of calls may come at once, the others as fast as the limit lets them', async (t) => {
  const { clock, take, counts } = pacerOf(10)
  await clock.advance(60_000)
  for (let call = 0; call < 15; call++) take()
  await clock.advance(0)
  t.strictSame(counts(), { taken: 10, refused: 0 }, 'a quiet minute saves up no more than a second')
  await clock.advance(200)
  t.strictSame(counts(), { taken: 12, refused: 0 })
  await clock.advance(300)
  t.strictSame(counts(), { taken: 15, refused: 0 })
})

void t.test('who would wait longer than anybody waits is refused at once (T-50)', async (t) => {
  const { clock, take, counts } = pacerOf(10)
  await clock.advance(60_000)
  for (let call = 0; call < 1000; call++) take()
  await clock.advance(0)
  t.strictSame(counts(), { taken: 10, refused: 970 })
  await clock.advance(2000)
  t.strictSame(counts(), { taken: 30, refused: 970 })
})

void t.test('at its start nothing is saved up', async (t) => {
  const { clock, take, counts } = pacerOf(1)
  for (let call = 0; call < 3; call++) take()
  await clock.advance(0)
  t.strictSame(counts(), { taken: 1, refused: 0 })
  await clock.advance(2000)
  t.strictSame(counts(), { taken: 3, refused: 0 })
})

void t.test('who gives up waits no longer', async (t) => {
  const { pacer, take } = pacerOf(1)
  take()
  const abort = new AbortController()
  const waiting = pacer.take(abort.signal)
  abort.abort(new Error('enough'))
  await t.rejects(waiting, { message: 'enough' })
})
