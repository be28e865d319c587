import t from 'tap'
import { createTally } from '#admin/what-if/tally.ts'
import { allowed, compared, refused, seenPair, turn } from '../../support/turns.ts'

void t.test(
  'counts by the refusal that begins or ends, by platform, and in each group of the user',
  async (t) => {
    const tally = createTally()
    const enrolled = { ...refused, reason: 'not-enrolled' } as const
    const turns = [
      turn({ groups: ['staff', 'sales'] }),
      turn({ groups: ['staff'], platform: 'Android', after: enrolled }),
      turn({ groups: ['staff'], platform: 'Android', after: enrolled }),
      turn({ to: 'allowed', before: enrolled, after: { ...allowed, reason: 'exempt' }, groups: ['bosses'] }),
    ]
    tally.add(compared(turns.slice(0, 2), [seenPair(), seenPair()]))
    tally.add(compared(turns.slice(2)))
    t.strictSame(tally.result(), {
      devices: 6,
      newlyRefused: 3,
      newlyAllowed: 1,
      byReason: [
        { reason: 'not-enrolled', newlyRefused: 2, newlyAllowed: 1 },
        { reason: 'noncompliant', newlyRefused: 1, newlyAllowed: 0 },
      ],
      byPlatform: [
        { platform: 'Android', newlyRefused: 2, newlyAllowed: 0 },
        { platform: 'iOS', newlyRefused: 1, newlyAllowed: 1 },
      ],
      byGroup: [
        { group: 'staff', newlyRefused: 3, newlyAllowed: 0 },
        { group: 'sales', newlyRefused: 1, newlyAllowed: 0 },
        { group: 'bosses', newlyRefused: 0, newlyAllowed: 1 },
      ],
    })
  },
)

void t.test(
  'the order of a list does not hang on the order of the walk; groups are cut at 100',
  async (t) => {
    const turns = Array.from({ length: 150 }, (_, number) => turn({ groups: [`group${number}`] }))
    const results = [turns, turns.toReversed()].map((order) => {
      const tally = createTally()
      tally.add(compared(order))
      return tally.result()
    })
    t.strictSame(results[0], results[1])
    t.equal(results[0]?.byGroup.length, 100)
    t.equal(results[0]?.newlyRefused, 150)
  },
)
