import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { HttpRefusal } from '#simulator/answer.ts'
import { readRequestLine } from '#simulator/query.ts'

interface Row {
  readonly query: string
  readonly headers?: Readonly<Record<string, string>>
}

const { read, refused } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../fixtures/simulator/queries.json'), 'utf8'),
) as {
  readonly read: readonly (Row & { readonly line: object; readonly command?: string })[]
  readonly refused: readonly (Row & { readonly status: number })[]
}

void t.test('reads plain and base64 queries', (t) => {
  for (const { query, headers, line, command } of read) {
    const got = readRequestLine(query, headers ?? {})
    t.match(got, line, query)
    if (command !== undefined) t.equal(got.command, command)
  }
  t.end()
})

void t.test('refuses what it can not read, each with its HTTP status', (t) => {
  for (const { query, headers, status } of refused) {
    try {
      readRequestLine(query, headers ?? {})
      t.fail(`took ${query}`)
    } catch (error) {
      t.ok(error instanceof HttpRefusal)
      t.equal(error instanceof HttpRefusal ? error.status : undefined, status, query)
    }
  }
  t.end()
})
