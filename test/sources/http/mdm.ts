import t from 'tap'
import { HttpError, type HttpErrorCode } from '#sources/http/http-error.ts'
import { createMdm } from '#sources/http/mdm.ts'
import { manualClock } from '../../support/manual-clock.ts'

const { signal } = new AbortController()
const good = { json: [], link: '' }

function mdmTest() {
  const clock = manualClock()
  const asked: string[] = []
  const outcomes: (HttpErrorCode | { code: HttpErrorCode; retryAfterMs: number })[] = []
  const mdm = createMdm({
    config: { lookupsPerSecond: 100 },
    client: {
      get: async (url) => {
        asked.push(url)
        const outcome = outcomes.shift()
        if (outcome === undefined) return good
        const { code, retryAfterMs } =
          typeof outcome === 'string' ? { code: outcome, retryAfterMs: undefined } : outcome
        throw new HttpError(code, code, { retryAfterMs })
      },
    },
    clock,
    random: () => 1,
  })
  return { mdm, clock, asked, outcomes }
}

void t.test('a page is asked for again where the MDM is in trouble, with growing pauses', async (t) => {
  const { mdm, clock, asked, outcomes } = mdmTest()
  outcomes.push('HTTP_UNREACHABLE', 'HTTP_UNAVAILABLE', 'HTTP_UNAVAILABLE')
  const page = mdm.page('p', signal)
  for (const pauseMs of [2000, 4000, 8000]) {
    await clock.asleep()
    t.strictSame(clock.sleeping(), [pauseMs])
    await clock.advance(pauseMs)
  }
  t.equal(await page, good)
  t.equal(asked.length, 4)
})

void t.test('four times in all; then the reading fails', async (t) => {
  const { mdm, clock, asked, outcomes } = mdmTest()
  outcomes.push('HTTP_UNAVAILABLE', 'HTTP_UNAVAILABLE', 'HTTP_UNAVAILABLE', 'HTTP_UNAVAILABLE')
  const page = t.rejects(mdm.page('p', signal), { code: 'HTTP_UNAVAILABLE' })
  await clock.advance(60_000)
  await page
  t.equal(asked.length, 4)
})

void t.test('an MDM that says when to come again is asked then', async (t) => {
  const { mdm, clock, outcomes } = mdmTest()
  outcomes.push({ code: 'HTTP_THROTTLED', retryAfterMs: 30_000 })
  const page = mdm.page('p', signal)
  await clock.asleep()
  t.strictSame(clock.sleeping(), [30_000])
  await clock.advance(30_000)
  t.equal(await page, good)
})

void t.test('a wrong token or a wrong shape is told at once', async (t) => {
  for (const code of ['HTTP_UNAUTHORIZED', 'HTTP_BAD_ANSWER', 'HTTP_NOT_FOUND', 'HTTP_REFUSED'] as const) {
    const { mdm, asked, outcomes } = mdmTest()
    outcomes.push(code)
    await t.rejects(mdm.page('p', signal), { code })
    t.equal(asked.length, 1)
  }
})

void t.test('a look-up is asked for once, and not at all while the MDM is down', async (t) => {
  const { mdm, clock, asked, outcomes } = mdmTest()
  for (let outage = 0; outage < 5; outage++) {
    outcomes.push('HTTP_UNREACHABLE')
    await t.rejects(mdm.lookUp('l', signal), { code: 'HTTP_UNREACHABLE' })
    await clock.advance(10)
  }
  await t.rejects(mdm.lookUp('l', signal), { code: 'HTTP_PAUSED', message: /HTTP_UNREACHABLE/ })
  t.equal(asked.length, 5)
  await clock.advance(5000)
  t.equal(await mdm.lookUp('l', signal), good)
})

void t.test('404 is an answer: many of them pause nothing', async (t) => {
  const { mdm, clock, outcomes } = mdmTest()
  for (let absent = 0; absent < 20; absent++) {
    outcomes.push('HTTP_NOT_FOUND')
    await t.rejects(mdm.lookUp('l', signal), { code: 'HTTP_NOT_FOUND' })
    await clock.advance(10)
  }
  t.equal(await mdm.lookUp('l', signal), good)
})

void t.test('a crowd of look-ups is held to the limit (T-50)', async (t) => {
  const { mdm, clock } = mdmTest()
  const outcomes = Promise.allSettled(Array.from({ length: 1000 }, () => mdm.lookUp('l', signal)))
  await clock.advance(10_000)
  const refused = (await outcomes).filter(({ status }) => status === 'rejected')
  t.match(refused[0], { reason: { code: 'HTTP_PAUSED', message: /lookupsPerSecond/ } })
  t.equal(1000 - refused.length, 201, 'what two seconds bear')
})
