import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ServerResponse } from 'node:http'
import t from 'tap'
import { commandNames } from '#eas/commands.ts'
import { EasError, easErrorCodes } from '#eas/errors.ts'
import { parseRequest, type EasRequest } from '#eas/parse.ts'
import {
  bodyStatus,
  sendBodyStatus,
  sendChallenges,
  sendMalformed,
  sendMoved,
  sendNotFound,
  sendRedirect,
  sendRefusal,
  sendRevocation,
  sendUnavailable,
} from '#proxy/respond.ts'
import { answerer, listen, wireClient, type WireAnswer } from '../support/http-answer.ts'

interface Refusals {
  readonly withBodyStatus: readonly string[]
  readonly withoutBodyStatus: readonly (string | null)[]
  readonly httpStatus: Readonly<Record<'129' | '142', number>>
  readonly bodies: Readonly<Record<string, Readonly<Record<'129' | '142', string>>>>
  readonly withoutBody: readonly string[]
}

const table = join(import.meta.dirname, '../fixtures/proxy/refusals.json')
const refusals = JSON.parse(readFileSync(table, 'utf8')) as Refusals
const statuses = [bodyStatus.deviceIsBlocked, bodyStatus.deviceNotProvisioned]

function easRequest(command: string, version: string | null): EasRequest {
  return parseRequest({
    method: 'POST',
    target: `/Microsoft-Server-ActiveSync?Cmd=${command}&DeviceId=A1&DeviceType=T`,
    httpVersion: '1.1',
    rawHeaders: version === null ? [] : ['MS-ASProtocolVersion', version],
  })
}

function brief({ status, header, body }: WireAnswer): unknown {
  return [status, header('content-type') ?? 'no type', header('content-length'), body.toString('hex')]
}

void t.test('the table of refusals knows every command', async (t) => {
  const inTable = [...Object.keys(refusals.bodies), ...refusals.withoutBody]
  t.strictSame(inTable.toSorted(), commandNames.toSorted())
})

void t.test('from 14.0 on a status stands in the own element of the command, with HTTP 200', async (t) => {
  const answerOf = await answerer(t)
  for (const [command, bodies] of Object.entries(refusals.bodies)) {
    for (const version of refusals.withBodyStatus) {
      for (const status of statuses) {
        const answer = await answerOf((res) => sendBodyStatus(res, easRequest(command, version), status))
        const hex = bodies[status]
        const expected = [200, 'application/vnd.ms-sync.wbxml', String(hex.length / 2), hex]
        t.strictSame(brief(answer), expected, `${command} ${version} ${status}`)
      }
    }
  }
})

void t.test('below 14.0, without a version and without an element it is an HTTP status', async (t) => {
  const answerOf = await answerer(t)
  const cases = [
    ...Object.keys(refusals.bodies).flatMap((command) =>
      refusals.withoutBodyStatus.map((version) => ({ command, version })),
    ),
    ...refusals.withoutBody.flatMap((command) =>
      [...refusals.withBodyStatus, ...refusals.withoutBodyStatus].map((version) => ({ command, version })),
    ),
  ]
  for (const { command, version } of cases) {
    for (const status of statuses) {
      const answer = await answerOf((res) => sendBodyStatus(res, easRequest(command, version), status))
      const expected = [refusals.httpStatus[status], 'no type', '0', '']
      t.strictSame(brief(answer), expected, `${command} ${version} ${status}`)
    }
  }
})

void t.test('a refusal is of its action', async (t) => {
  const answerOf = await answerer(t)
  const request = easRequest('FolderSync', '16.1')
  const blocked = [200, 'application/vnd.ms-sync.wbxml', '15', refusals.bodies['FolderSync']?.['129']]
  for (const action of ['block', 'quarantine', 'redirect'] as const) {
    t.strictSame(brief(await answerOf((res) => sendRefusal(res, request, action))), blocked, action)
  }
  const unavailable = await answerOf((res) => sendRefusal(res, request, 'unavailable'))
  t.equal(unavailable.status, 503)
  t.equal(unavailable.header('retry-after'), '60', 'so that a phone keeps its mail and comes back')
  t.equal((await answerOf((res) => sendRefusal(res, request, 'reject'))).status, 400)
})

void t.test('OPTIONS and Autodiscover are refused by 403 at every version', async (t) => {
  const answerOf = await answerer(t)
  const options = parseRequest({
    method: 'OPTIONS',
    target: '/Microsoft-Server-ActiveSync',
    httpVersion: '1.1',
    rawHeaders: ['MS-ASProtocolVersion', '16.1'],
  })
  t.equal((await answerOf((res) => sendRefusal(res, options, 'block'))).status, 403)
})

void t.test('a Ping that is ended asks for FolderSync, at every version (protocol.md 10)', async (t) => {
  const answerOf = await answerer(t)
  for (const version of ['12.1', '16.1']) {
    const answer = await answerOf((res) => sendRevocation(res, easRequest('Ping', version), 'block', true))
    t.strictSame(brief(answer), [200, 'application/vnd.ms-sync.wbxml', '13', '03016a00000d45470337000101'])
  }
})

void t.test('a hanging Sync that is ended learns that nothing came', async (t) => {
  const answerOf = await answerer(t)
  const answer = await answerOf((res) => sendRevocation(res, easRequest('Sync', '14.1'), 'block', true))
  t.strictSame(brief(answer), [200, 'application/vnd.ms-sync.wbxml', '0', ''])
})

void t.test('a Sync that does not hang is refused: nothing would be taken for done', async (t) => {
  const answerOf = await answerer(t)
  const answer = await answerOf((res) => sendRevocation(res, easRequest('Sync', '14.1'), 'block', false))
  t.equal(answer.body.toString('hex'), refusals.bodies['Sync']?.['129'])
  const old = await answerOf((res) => sendRevocation(res, easRequest('Sync', '12.1'), 'block', false))
  t.equal(old.status, 403)
})

void t.test('any other command that is ended is refused', async (t) => {
  const answerOf = await answerer(t)
  const answer = await answerOf((res) =>
    sendRevocation(res, easRequest('ItemOperations', '14.1'), 'block', false),
  )
  t.equal(answer.body.toString('hex'), refusals.bodies['ItemOperations']?.['129'])
})

void t.test('a malformed request gets the code, and its connection ends', async (t) => {
  const answerOf = await answerer(t)
  const special: Record<string, number> = {
    EAS_METHOD_NOT_ALLOWED: 405,
    EAS_EXPECT_UNKNOWN: 417,
    EAS_BODY_TOO_LARGE: 413,
    EAS_HEADERS_TOO_MANY: 431,
  }
  for (const code of easErrorCodes) {
    const answer = await answerOf((res) => sendMalformed(res, new EasError(code, 'said by us', 7)))
    t.equal(answer.status, special[code] ?? 400, code)
    t.equal(answer.body.toString(), `${code}: said by us (byte 7)\n`)
    t.equal(answer.header('connection'), 'close')
    t.equal(answer.header('allow'), code === 'EAS_METHOD_NOT_ALLOWED' ? 'OPTIONS, POST' : undefined)
  }
})

void t.test('answers of other kinds', async (t) => {
  const answerOf = await answerer(t)
  const challenges = ['Basic realm="a"', 'Bearer x="y"']
  const refused = await answerOf((res) => sendChallenges(res, challenges))
  t.equal(refused.status, 401)
  t.strictSame(
    refused.headerLines.filter((line) => line.startsWith('WWW-Authenticate')),
    challenges.map((challenge) => `WWW-Authenticate: ${challenge}`),
  )
  const moved = await answerOf((res) => sendMoved(res, 'https://mail.example.com/x'))
  t.strictSame([moved.status, moved.header('x-ms-location')], [451, 'https://mail.example.com/x'])
  const redirect = await answerOf((res) => sendRedirect(res, 'https://mail.example.com/easgate/enroll'))
  t.strictSame(
    [redirect.status, redirect.header('location')],
    [302, 'https://mail.example.com/easgate/enroll'],
  )
  const unknown = await answerOf((res) => sendNotFound(res))
  t.strictSame([unknown.status, unknown.body.toString()], [404, 'not found\n'])
  for (const status of [502, 503, 504] as const) {
    const answer = await answerOf((res) => sendUnavailable(res, status))
    t.strictSame([answer.status, answer.header('retry-after'), answer.body.length], [status, '60', 0])
  }
  for (const answer of [refused, moved, redirect, unknown]) t.equal(answer.header('cache-control'), 'private')
})

void t.test('where an answer was begun already, the client is cut off', async (t) => {
  const port = await listen(t, (_req, res) => {
    res.writeHead(200, { 'Content-Length': 100 })
    res.write('half')
    sendUnavailable(res)
  })
  const client = await wireClient(t, port)
  client.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
  await t.rejects(client.answer(), /in the middle/)
})

/** Posts on one connection, answered before the body is there. */
async function earlyAnswer(head: string, prepare: (res: ServerResponse) => void = () => undefined) {
  const port = await listen(t, (_req, res) => {
    prepare(res)
    sendNotFound(res)
  })
  const client = await wireClient(t, port)
  client.write(`POST / HTTP/1.1\r\nHost: test\r\n${head}\r\n\r\n`)
  return { client, answer: await client.answer() }
}

void t.test('a small body that nobody reads leaves the connection usable', async (t) => {
  const { client, answer } = await earlyAnswer('Content-Length: 5')
  t.equal(answer.header('connection'), 'keep-alive')
  client.write('12345GET / HTTP/1.1\r\nHost: test\r\n\r\n')
  t.equal((await client.answer()).status, 404)
})

void t.test(
  'a body that is large, endless, awaited or read in part ends the connection (T-36)',
  async (t) => {
    const heads = [
      'Content-Length: 65537',
      'Transfer-Encoding: chunked',
      'Content-Length: 5\r\nExpect: 100-continue',
    ]
    for (const head of heads) {
      const { client, answer } = await earlyAnswer(head)
      t.equal(answer.header('connection'), 'close', head)
      await client.ended
    }
    const { client, answer } = await earlyAnswer('Content-Length: 5', (res) => void res.req.resume())
    t.equal(answer.header('connection'), 'close', 'read in part')
    await client.ended
  },
)
