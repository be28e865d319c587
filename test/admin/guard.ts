import { readFileSync } from 'node:fs'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { createGuard } from '#admin/guard.ts'
import { Problem } from '#admin/problem.ts'

interface Row {
  readonly name: string
  readonly loopback?: boolean
  readonly token?: string
  readonly metricsToken?: string
  readonly method?: string
  readonly headers: Readonly<Record<string, string>>
  /** Status of the refusal; null where the request may pass; absent where it is not asked. */
  readonly api?: number | null
  readonly metrics?: number | null
}

const file = join(import.meta.dirname, '../fixtures/admin/guard.json')
const rows = JSON.parse(readFileSync(file, 'utf8')) as readonly Row[]

function requestOf({ method = 'GET', headers }: Row): IncomingMessage {
  const req = new IncomingMessage(new Socket())
  req.method = method
  Object.assign(req.headers, headers)
  return req
}

function refusalOf(check: () => void): number | null {
  try {
    check()
    return null
  } catch (error) {
    if (error instanceof Problem) return error.status
    throw error
  }
}

void t.test('lets in who may come in, and nobody else (T-58)', async (t) => {
  for (const row of rows) {
    const { loopback = true, token, metricsToken } = row
    const guard = createGuard({ loopback, token, metricsToken })
    if (row.api !== undefined)
      t.equal(
        refusalOf(() => guard.api(requestOf(row))),
        row.api,
        `${row.name}: API`,
      )
    if (row.metrics !== undefined) {
      t.equal(
        refusalOf(() => guard.metrics(requestOf(row))),
        row.metrics,
        `${row.name}: metrics`,
      )
    }
  }
})
