import t from 'tap'
import { responseHeaders } from '#proxy/response-headers.ts'
import { proxyRows } from '../support/proxy-rows.ts'

interface Row {
  readonly name: string
  readonly received: Readonly<Record<string, string | string[]>>
  readonly sent: readonly string[]
}

void t.test('passes on what a client needs and nothing else (T-29)', async (t) => {
  for (const { name, received, sent } of proxyRows<Row>('response-headers'))
    t.strictSame(responseHeaders(received), sent, name)
})
