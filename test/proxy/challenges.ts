import t from 'tap'
import { passableChallenges } from '#proxy/challenges.ts'
import { proxyRows } from '../support/proxy-rows.ts'

interface Row {
  readonly name: string
  readonly header: string | readonly string[] | null
  readonly passed: readonly string[]
}

void t.test('passes Basic and Bearer challenges alone', async (t) => {
  for (const { name, header, passed } of proxyRows<Row>('challenges')) {
    t.strictSame(passableChallenges(header ?? undefined), passed, name)
  }
})
