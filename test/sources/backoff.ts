import t from 'tap'
import { backoffMs } from '#sources/backoff.ts'

const pause = { firstMs: 1000, maxMs: 10_000 }

void t.test('doubles up to the most, by chance between the half and the whole', async (t) => {
  const longest = [1, 2, 3, 4, 5, 50, 5000].map((failures) => backoffMs(pause, failures, () => 1))
  t.same(longest, [1000, 2000, 4000, 8000, 10_000, 10_000, 10_000])
  t.equal(
    backoffMs(pause, 3, () => 0),
    2000,
  )
})
