import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The rows of test/fixtures/proxy/`table`.json. Each has a name of its own. */
export function proxyRows<Row extends { readonly name: string }>(table: string): Row[] {
  const file = join(import.meta.dirname, '../fixtures/proxy', `${table}.json`)
  const rows = JSON.parse(readFileSync(file, 'utf8')) as Row[]
  if (new Set(rows.map(({ name }) => name)).size !== rows.length)
    throw new Error(`${file}: two rows of one name`)
  return rows
}
