import t from 'tap'
import { createScale } from '#admin/what-if/weigh.ts'
import { compared, seenPair, turn } from '../../support/turns.ts'

const hourMs = 3_600_000
const now = 100 * hourMs

/** As many phones in use, of which some would be refused. */
function weigh(inUse: number, newlyRefused: number, share: number) {
  const scale = createScale({ share, now })
  const pair = seenPair({ lastAt: now })
  const turns = Array.from({ length: newlyRefused }, () => turn({ pair }))
  scale.add(
    compared(
      turns,
      Array.from({ length: inUse - newlyRefused }, () => pair),
    ),
  )
  return scale.result()
}

void t.test('more than the share is too heavy, but never a few', async (t) => {
  for (const [inUse, newlyRefused, share, maxNewRefusals, tooHeavy] of [
    [0, 0, 0.2, 5, false],
    [3, 1, 0.2, 5, false],
    [3, 3, 0, 5, false],
    [5, 5, 0.2, 5, false],
    [10, 5, 0.2, 5, false],
    [10, 6, 0.2, 5, true],
    [25, 5, 0.2, 5, false],
    [30, 6, 0.2, 6, false],
    [30, 7, 0.2, 6, true],
    [100, 20, 0.2, 20, false],
    [100, 21, 0.2, 20, true],
    // 0.29 * 100 is 28.999999999999996
    [100, 29, 0.29, 29, false],
    [100, 30, 0.29, 29, true],
    [100, 6, 0, 5, true],
    [100, 100, 1, 100, false],
  ] as const) {
    t.strictSame(
      weigh(inUse, newlyRefused, share),
      { inUse, newlyRefused, maxNewRefusals, tooHeavy },
      `${newlyRefused} of ${inUse} at ${share}`,
    )
  }
})

void t.test('in use is what was seen within a day and let in then', async (t) => {
  for (const [name, pair, inUse] of [
    ['let in', seenPair({ lastAt: now - 24 * hourMs }), 1],
    ['let in longer ago', seenPair({ lastAt: now - 24 * hourMs - 1 }), 0],
    ['refused', seenPair({ lastAt: now, action: 'block' }), 0],
    ['refused, after it was served', seenPair({ lastAt: now, action: 'block', allowedAt: now - hourMs }), 1],
    [
      'refused, long after it was served',
      seenPair({ lastAt: now, action: 'block', allowedAt: now - 25 * hourMs }),
      0,
    ],
  ] as const) {
    const scale = createScale({ share: 0.2, now })
    scale.add(compared([turn({ pair })]))
    t.match(scale.result(), { inUse, newlyRefused: inUse }, name)
  }
})

void t.test('who is let in from now on, and whose refusal is wanted, weighs nothing', async (t) => {
  const counted: string[] = []
  const scale = createScale({
    share: 0.2,
    now,
    isConfirmed: ({ user }) => user.startsWith('bob'),
    onRefusal: ({ user }) => counted.push(user),
  })
  const ofUser = (user: string) => seenPair({ user, lastAt: now })
  scale.add(
    compared([turn({ pair: ofUser('alice@example.com') }), turn({ pair: ofUser('bob@example.com') })]),
  )
  scale.add(compared([turn({ pair: ofUser('carol@example.com'), to: 'allowed' })]))
  t.match(scale.result(), { inUse: 3, newlyRefused: 1 })
  t.strictSame(counted, ['alice@example.com'])
})
