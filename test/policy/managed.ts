import t from 'tap'
import { isEnrolled, isRegistered } from '#policy/managed.ts'
import rows from '../fixtures/policy/managed.json' with { type: 'json' }

for (const { said, word, managed } of rows) {
  const known = managed ?? 'not known'
  void t.test(
    `said ${said ?? 'nothing'}, in Graph's words ${word ?? 'nothing'} (facts.md 3): ${known}`,
    async (t) => {
      // the words that stand for the same in both enums
      const agent = { yes: 'mdm', no: 'eas', odd: 'unknownFutureValue', unknown: 'unknown' }[word ?? '']
      const state = { yes: 'registered', no: 'revoked', odd: 'unknownFutureValue', unknown: 'unknown' }[
        word ?? ''
      ]
      t.equal(
        isEnrolled({
          ...(said !== null && { enrolled: said }),
          ...(agent !== undefined && { managementAgent: agent }),
        }),
        managed ?? undefined,
      )
      t.equal(
        isRegistered({
          ...(said !== null && { registered: said }),
          ...(state !== undefined && { registrationState: state }),
        }),
        managed ?? undefined,
      )
    },
  )
}

void t.test('no record says nothing', async (t) => {
  t.equal(isEnrolled(undefined), undefined)
  t.equal(isRegistered(undefined), undefined)
})
