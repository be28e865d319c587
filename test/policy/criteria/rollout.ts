import t from 'tap'
import { placeOf, rollout } from '#policy/criteria/rollout.ts'
import places from '../../fixtures/policy/rollout-places.json' with { type: 'json' }
import { testCriterion } from '../../support/policy-rows.ts'

testCriterion(rollout)

void t.test(
  'a user has the same place on every node, after every restart and in every version',
  async (t) => {
    for (const { user, place } of places) t.equal(placeOf(user), place, user)
  },
)

void t.test('names that differ in their end are spread evenly', async (t) => {
  const users = 20_000
  for (const name of [
    (index: number) => `user${index}@example.com`,
    (index: number) => `${index}`,
    (index: number) => `${String.fromCharCode(97 + (index % 26))}.smith${index}@mail.example.com`,
    (index: number) => `staff@site${index}.example`,
  ]) {
    const tenths = Array.from({ length: 10 }, () => 0)
    for (let index = 0; index < users; index++) {
      const tenth = Math.floor(placeOf(name(index)) * 10)
      tenths[tenth] = (tenths[tenth] ?? 0) + 1
    }
    // 20000 users put 2000 in a tenth, give or take 42 (one standard deviation)
    for (const count of tenths) t.ok(Math.abs(count - users / 10) < 5 * 42, `${name(7)}: ${tenths.join(' ')}`)
  }
})

void t.test('a place is at least 0 and below 1', async (t) => {
  for (const name of ['', 'a', 'ä@example.com', '\u{1f600}', 'x'.repeat(1000)]) {
    const place = placeOf(name)
    t.ok(place >= 0 && place < 1, name)
  }
})

void t.test('a growing share lets go of nobody', async (t) => {
  const users = Array.from({ length: 500 }, (_, index) => `user${index}@example.com`)
  const within = (share: number) => users.filter((user) => placeOf(user) < share)
  const [small, large] = [within(0.1), within(0.3)]
  t.ok(small.length > 0 && small.every((user) => large.includes(user)))
})
