import t from 'tap'
import { createBreaker, type ErrorMeaning } from '#sources/breaker.ts'

/** An error that says what it means. */
class Meant extends Error {
  readonly meaning: ErrorMeaning
  readonly retryAfterMs: number | undefined

  constructor(meaning: ErrorMeaning, retryAfterMs?: number) {
    super(meaning)
    this.meaning = meaning
    this.retryAfterMs = retryAfterMs
  }
}

function breakerTest(random = 1) {
  const time = { now: 0 }
  const breaker = createBreaker({
    now: () => time.now,
    random: () => random,
    meaningOf: (error) => (error instanceof Meant ? error.meaning : 'nothing'),
    retryAfterMs: (error) => (error instanceof Meant ? error.retryAfterMs : undefined),
    refusal: (outage) => new Error(`paused: ${outage instanceof Error ? outage.message : ''}`),
  })
  let calls = 0
  const succeed = () =>
    breaker.run(async () => {
      calls++
      return 'answer'
    })
  const fail = (meaning: ErrorMeaning, retryAfterMs?: number) =>
    breaker
      .run(async () => {
        calls++
        throw new Meant(meaning, retryAfterMs)
      })
      .catch((error: unknown) => (error instanceof Error ? error.message : ''))
  return { breaker, time, succeed, fail, calls: () => calls }
}

async function fiveOutages({ fail }: ReturnType<typeof breakerTest>): Promise<void> {
  for (let outage = 0; outage < 5; outage++) await fail('outage')
}

void t.test('four outages in a row pause nothing, the fifth does', async (t) => {
  const test = breakerTest()
  for (let outage = 0; outage < 4; outage++) t.equal(await test.fail('outage'), 'outage')
  t.equal(await test.succeed(), 'answer')
  await fiveOutages(test)
  await t.rejects(test.succeed(), { message: 'paused: outage' })
  t.equal(test.calls(), 10, 'a call that is refused is not made')
})

void t.test('after the pause one call alone goes first; what it comes to counts for all', async (t) => {
  const test = breakerTest()
  await fiveOutages(test)
  test.time.now = 4999
  await t.rejects(test.succeed(), { message: /paused/ })
  test.time.now = 5000
  const { promise, resolve } = Promise.withResolvers<string>()
  const probe = test.breaker.run(() => promise)
  await t.rejects(test.succeed(), { message: /paused/ }, 'while it is under way nobody else goes')
  resolve('well')
  t.equal(await probe, 'well')
  t.equal(await test.succeed(), 'answer')
})

void t.test('the pauses double up to a minute, and vary by chance', async (t) => {
  for (const [random, pauses] of [
    [1, [5000, 10_000, 20_000, 40_000, 60_000, 60_000]],
    [0, [2500, 5000, 10_000, 20_000, 30_000, 30_000]],
  ] as const) {
    const test = breakerTest(random)
    await fiveOutages(test)
    for (const pauseMs of pauses) {
      test.time.now += pauseMs - 1
      t.equal(await test.fail('outage'), 'paused: outage', `before ${pauseMs}`)
      test.time.now += 1
      t.equal(await test.fail('outage'), 'outage', `after ${pauseMs}`)
    }
  }
})

void t.test('calls that fail together are one outage more, not many', async (t) => {
  const test = breakerTest()
  await Promise.all(Array.from({ length: 50 }, () => test.fail('outage')))
  test.time.now = 5000
  t.equal(await test.succeed(), 'answer')
})

void t.test(
  'a source that asks to be left alone is, at the first word and for ten minutes at most',
  async (t) => {
    const test = breakerTest()
    await test.fail('outage', 30_000)
    test.time.now = 29_999
    await t.rejects(test.succeed(), { message: /paused/ })
    test.time.now = 30_000
    await test.succeed()
    await test.fail('outage', Infinity)
    test.time.now += 600_000
    t.equal(await test.succeed(), 'answer')
  },
)

void t.test('a no is an answer; who gives up tells nothing', async (t) => {
  const test = breakerTest()
  for (let round = 0; round < 3; round++) {
    for (let outage = 0; outage < 4; outage++) await test.fail('outage')
    await test.fail('answer')
  }
  for (let outage = 0; outage < 4; outage++) await test.fail('outage')
  await test.fail('nothing')
  await test.fail('outage')
  await t.rejects(test.succeed(), { message: /paused/ })
})

void t.test('a probe that is given up leaves the way to the next', async (t) => {
  const test = breakerTest()
  await fiveOutages(test)
  test.time.now = 5000
  t.equal(await test.fail('nothing'), 'nothing')
  t.equal(await test.succeed(), 'answer')
})
