import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseRequest, type EasRequest, type RawRequest } from '#eas/parse.ts'
import { checkEasRows, easRows } from '../support/eas-rows.ts'

const captures = join(import.meta.dirname, '../fixtures/captures')

/** What the next steps decide by; method, path, query and headers have tests of their own. */
function judgedFields(request: EasRequest): object {
  const { kind, command, queryForm, protocolVersion, deviceId, deviceType } = request
  const { userParameter, acceptMultiPart, credentials } = request
  const logins = credentials.kind === 'probe' ? undefined : credentials.logins
  return {
    kind,
    command,
    queryForm,
    protocolVersion,
    deviceId,
    deviceType,
    userParameter,
    acceptMultiPart,
    logins,
  }
}

void t.test('says what a request is, or that there is no one way to read it', async (t) => {
  checkEasRows(t, easRows<Partial<RawRequest> & Omit<RawRequest, 'httpVersion'>>('parse'), (input) => {
    const request = parseRequest({ httpVersion: '1.1', ...input })
    return { ...judgedFields(request), credential: request.credentials.kind }
  })
})

void t.test('hands on method, path and query as they came', async (t) => {
  const query = 'cmd=Ping&USER=alice%40example.com&DeviceId=A1&DeviceType=T'
  const path = '/microsoft-server-activesync/default.eas'
  const request = parseRequest({
    method: 'POST',
    target: `${path}?${query}`,
    httpVersion: '1.1',
    rawHeaders: [],
  })
  t.match(request, { method: 'POST', path, query })
})

void t.test('reads the request line and headers of every capture', async (t) => {
  const named = easRows<string>('captures').map(({ input }) => `${input}.json`)
  t.strictSame(readdirSync(captures).toSorted(), named.toSorted())
  checkEasRows(t, easRows<string>('captures'), (name) => judgedFields(parseRequest(captured(name))))
})

/** The request of a capture, with a real credential where its own was taken out. */
function captured(name: string): RawRequest {
  const { request } = JSON.parse(readFileSync(join(captures, `${name}.json`), 'utf8')) as {
    request: { method: string; url: string; headers: Record<string, string> }
  }
  const { origin } = new URL(request.url)
  const credential = `Basic ${Buffer.from('alice@example.com:demo').toString('base64')}`
  return {
    method: request.method,
    target: request.url.slice(origin.length),
    httpVersion: '1.1',
    rawHeaders: Object.entries(request.headers).flatMap(([header, value]) => [
      header,
      header === 'Authorization' ? credential : value,
    ]),
  }
}
