import t from 'tap'
import { compareSeen } from '#admin/what-if/compare.ts'
import type { SeenJudge } from '#admin/what-if/judge-seen.ts'
import type { SeenPair } from '#directory/seen-pairs.ts'
import { allowed, refused, seenPair } from '../../support/turns.ts'

const judged = (standing: typeof allowed) => ({ standing, platform: 'iOS' as const, groups: ['staff'] })
const allows: SeenJudge = () => judged(allowed)
const refuses: SeenJudge = () => judged(refused)
const refusesOtherwise: SeenJudge = () => judged({ ...refused, action: 'quarantine', reason: 'not-enrolled' })

/** Takes longer than a slice. */
const slow: SeenJudge = (pair) => {
  const until = performance.now() + 2
  while (performance.now() < until);
  return allows(pair)
}
const isOfB = ({ user }: SeenPair): boolean => user.startsWith('b')

const windows = ['a', 'b', 'c'].map((letter) =>
  [1, 2].map((number) => seenPair({ user: `${letter}${number}@example.com` })),
)

async function turnsOf(comparison: Parameters<typeof compareSeen>[1]): Promise<string[]> {
  const turns: string[] = []
  for await (const compared of compareSeen(windows, comparison)) {
    turns.push(...compared.turns.map(({ pair, to }) => `${to} ${pair.user}`))
  }
  return turns
}

void t.test('gives who would turn, in the order of the pairs', async (t) => {
  const users = windows.flat().map(({ user }) => user)
  t.strictSame(
    await turnsOf({ before: allows, after: refuses }),
    users.map((user) => `refused ${user}`),
  )
  t.strictSame(
    await turnsOf({ before: refuses, after: allows }),
    users.map((user) => `allowed ${user}`),
  )
  t.strictSame(await turnsOf({ before: allows, after: allows }), [])
  t.strictSame(
    await turnsOf({ before: refuses, after: refusesOtherwise }),
    [],
    'refused as before, otherwise',
  )
})

void t.test('says of each what it would get, as it is judged afterwards', async (t) => {
  const [first] = await Array.fromAsync(compareSeen(windows, { before: allows, after: refuses }))
  t.equal(first?.pairs, windows[0])
  t.match(first?.turns[0], {
    pair: { user: 'a1@example.com' },
    platform: 'iOS',
    groups: ['staff'],
    before: allowed,
    after: refused,
  })
})

void t.test('asks nothing of a pair that is not concerned', async (t) => {
  const asked: string[] = []
  const after: SeenJudge = (pair) => {
    asked.push(pair.user)
    return refuses(pair)
  }
  t.strictSame(await turnsOf({ before: allows, after, concerns: isOfB }), [
    'refused b1@example.com',
    'refused b2@example.com',
  ])
  t.strictSame(asked, ['b1@example.com', 'b2@example.com'])
})

void t.test('everything else has its turn between two windows that take long (T-52)', async (t) => {
  let turns = 0
  const count = setInterval(() => turns++, 0)
  t.teardown(() => clearInterval(count))
  const found: number[] = []
  for await (const _ of compareSeen(windows, { before: slow, after: allows })) found.push(turns)
  t.ok(turns >= 2, `others had ${turns} turns`)
})
