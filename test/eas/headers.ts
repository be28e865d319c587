import t from 'tap'
import { isAffinityCookie, readHeaders } from '#eas/headers.ts'
import { checkEasRows, easRows } from '../support/eas-rows.ts'

interface HeaderInput {
  readonly rawHeaders: string[]
  readonly httpVersion?: string
}

void t.test('reads one value of each, odd framing none, and forwards only known names', async (t) => {
  checkEasRows(t, easRows<HeaderInput>('headers'), ({ rawHeaders, httpVersion = '1.1' }) =>
    readHeaders(rawHeaders, httpVersion),
  )
})

void t.test("knows Exchange's affinity cookies by name, T-29", async (t) => {
  for (const name of [
    'ClientId',
    'exchangecookie',
    ' X-BackEndCookie ',
    'ASP.NET_SessionId',
    'RoutingKeyCookie',
  ]) {
    t.ok(isAffinityCookie(name), name)
  }
  for (const name of ['', 'X-BEResource', 'X-AnonResource', 'SecurityToken', 'cadata', 'X-BackEndCookie2']) {
    t.notOk(isAffinityCookie(name), name)
  }
})
