import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { responseHeaders } from '#proxy/response-headers.ts'

interface Row {
  readonly name: string
  readonly received: Readonly<Record<string, string | string[]>>
  readonly sent: readonly string[]
}

const table = join(import.meta.dirname, '../fixtures/proxy/response-headers.json')
const rows = JSON.parse(readFileSync(table, 'utf8')) as readonly Row[]

void t.test('passes on what a client needs and nothing else (T-29)', async (t) => {
  for (const { name, received, sent } of rows) t.strictSame(responseHeaders(received), sent, name)
})
