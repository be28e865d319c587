import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { passableChallenges } from '#proxy/challenges.ts'

interface Row {
  readonly name: string
  readonly header: string | readonly string[] | null
  readonly passed: readonly string[]
}

const table = join(import.meta.dirname, '../fixtures/proxy/challenges.json')
const rows = JSON.parse(readFileSync(table, 'utf8')) as readonly Row[]

void t.test('passes Basic and Bearer challenges alone', async (t) => {
  for (const { name, header, passed } of rows) {
    t.strictSame(passableChallenges(header ?? undefined), passed, name)
  }
})
