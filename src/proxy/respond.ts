import type { IncomingMessage, ServerResponse } from 'node:http'
import type { EasRequest } from '#eas/parse.ts'
import type { Action } from '#policy/reasons.ts'
import type { EasError, EasErrorCode } from '#eas/errors.ts'
import { hasBodyStatus } from '#eas/versions.ts'
import { element } from '#eas/wbxml/element.ts'
import { encodeWbxml } from '#eas/wbxml/encode.ts'
import type { Answer } from '#quarantine/answer.ts'

/** The one place that chooses HTTP statuses for answers of our own. */

/** Seconds that a phone is asked to wait before it tries again. */
const retryAfterSeconds = 60

const wbxmlType = 'application/vnd.ms-sync.wbxml'
const noBytes = Buffer.alloc(0)
const foldersChanged = encodeWbxml(element('Ping:Ping', element('Ping:Status', '7')))

/** Statuses in the body of an answer, for 14.0 and later. [MS-ASCMD] 2.2.2 */
export const bodyStatus = { deviceIsBlocked: '129', deviceNotProvisioned: '142' } as const
type BodyStatus = (typeof bodyStatus)[keyof typeof bodyStatus]

/** What is sent below 14.0 in place of a body status. shared/eas/protocol.md, section 8 */
const httpStatusOf: Readonly<Record<BodyStatus, number>> = { '129': 403, '142': 449 }

/** Code page of each command's top element; commands without a WBXML answer of their own are absent. */
const answerPage: ReadonlyMap<EasRequest['command'], string> = new Map([
  ['Sync', 'AirSync'],
  ['SendMail', 'ComposeMail'],
  ['SmartForward', 'ComposeMail'],
  ['SmartReply', 'ComposeMail'],
  ['FolderSync', 'FolderHierarchy'],
  ['FolderCreate', 'FolderHierarchy'],
  ['FolderDelete', 'FolderHierarchy'],
  ['FolderUpdate', 'FolderHierarchy'],
  ['MoveItems', 'Move'],
  ['GetItemEstimate', 'GetItemEstimate'],
  ['MeetingResponse', 'MeetingResponse'],
  ['Search', 'Search'],
  ['Settings', 'Settings'],
  ['Ping', 'Ping'],
  ['ItemOperations', 'ItemOperations'],
  ['Provision', 'Provision'],
  ['ResolveRecipients', 'ResolveRecipients'],
  ['ValidateCert', 'ValidateCert'],
  ['Find', 'Find'],
])

/** Made once: a device that is refused comes back for days. */
const statusBodies: Readonly<Record<BodyStatus, ReadonlyMap<EasRequest['command'], Buffer>>> = {
  '129': bodiesOf('129'),
  '142': bodiesOf('142'),
}

function bodiesOf(status: BodyStatus): ReadonlyMap<EasRequest['command'], Buffer> {
  return new Map(
    [...answerPage].map(([command, page]) => [
      command,
      encodeWbxml(element(`${page}:${command}`, element(`${page}:Status`, status))),
    ]),
  )
}

/** Never a success that a client takes for an empty mailbox: a status in the command's own element, else HTTP's. */
export function sendBodyStatus(res: ServerResponse, request: EasRequest, status: BodyStatus): number {
  const body = statusBodies[status].get(request.command)
  if (body === undefined || !hasBodyStatus(request.protocolVersion))
    return sendEmpty(res, httpStatusOf[status])
  return send(res, 200, ['Content-Type', wbxmlType], body)
}

/** The bytes of a refusal. A 503 keeps the mail on the phone, a body status or 403 says that the device is blocked. */
export function sendRefusal(res: ServerResponse, request: EasRequest, action: Action): number {
  if (action === 'unavailable') return sendUnavailable(res)
  if (action === 'reject') return sendText(res, 400, 'the credential and User= name different users\n')
  return sendBodyStatus(res, request, bodyStatus.deviceIsBlocked)
}

/**
 * The end of a request that is under way when its device turns refused. A parked Ping learns that it must sync its
 * folders, a hanging Sync that nothing came: both come back at once and are refused then. A Sync that does not hang may
 * bring changes of the client, which must not look taken. shared/eas/protocol.md, section 10
 */
export function sendRevocation(
  res: ServerResponse,
  request: EasRequest,
  action: Action,
  hangs: boolean,
): number {
  if (request.command === 'Ping') return send(res, 200, ['Content-Type', wbxmlType], foldersChanged)
  if (request.command === 'Sync' && hangs) return send(res, 200, ['Content-Type', wbxmlType], noBytes)
  return sendRefusal(res, request, action)
}

/** 401 with the backend's own challenges. */
export function sendChallenges(res: ServerResponse, challenges: readonly string[]): number {
  return sendEmpty(
    res,
    401,
    challenges.flatMap((challenge) => ['WWW-Authenticate', challenge]),
  )
}

/** Try later: phones keep their mail and come back. 500 would send them off to Autodiscover. */
export function sendUnavailable(res: ServerResponse, status: 502 | 503 | 504 = 503): number {
  return sendEmpty(res, status, ['Retry-After', String(retryAfterSeconds)])
}

/** 451 to our own URL; the backend's X-MS-Location would lead clients round the proxy. */
export function sendMoved(res: ServerResponse, url: string): number {
  return sendEmpty(res, 451, ['X-MS-Location', url])
}

/** A browser on its way to the enrolment page. */
export function sendRedirect(res: ServerResponse, url: string): number {
  return sendEmpty(res, 302, ['Location', url])
}

/** Nothing is here, for anybody. */
export function sendNotFound(res: ServerResponse): number {
  return sendText(res, 404, 'not found\n')
}

const httpStatusOfError: Partial<Readonly<Record<EasErrorCode, number>>> = {
  EAS_METHOD_NOT_ALLOWED: 405,
  EAS_EXPECT_UNKNOWN: 417,
  EAS_BODY_TOO_LARGE: 413,
  EAS_HEADERS_TOO_MANY: 431,
}

/** Malformed: the code and our own words, nothing of the request. The connection ends, it may be out of step. */
export function sendMalformed(res: ServerResponse, error: EasError): number {
  const status = httpStatusOfError[error.code] ?? 400
  res.shouldKeepAlive = false
  return sendText(
    res,
    status,
    `${error.code}: ${error.message}\n`,
    status === 405 ? ['Allow', 'OPTIONS, POST'] : [],
  )
}

function sendText(
  res: ServerResponse,
  status: number,
  text: string,
  headers: readonly string[] = [],
): number {
  return send(res, status, ['Content-Type', 'text/plain; charset=utf-8', ...headers], Buffer.from(text))
}

function sendEmpty(res: ServerResponse, status: number, headers: readonly string[] = []): number {
  return send(res, status, headers, noBytes)
}

/** An answer of the quarantine mailbox. */
export function sendAnswer(res: ServerResponse, { status, headers, body }: Answer): number {
  return send(res, status, headers, body)
}

/** A whole answer, with its headers as name, value, ...; the routes beside EAS send theirs by it too. */
export function send(res: ServerResponse, status: number, headers: readonly string[], body: Buffer): number {
  if (res.headersSent || res.destroyed) {
    res.destroy()
    return status
  }
  if (endsConnection(res.req)) res.shouldKeepAlive = false
  const caching = headers.includes('Cache-Control') ? [] : ['Cache-Control', 'private']
  res.writeHead(status, [...headers, 'Content-Length', String(body.length), ...caching])
  res.end(body)
  return status
}

/** A body that nobody has read is drained by Node, up to this length. */
const drainedBytes = 65_536

/**
 * True where an answer comes before the whole body of its request, and what is left of it cannot be drained within a
 * bound: it must not be read as the next request. T-36
 */
function endsConnection(req: IncomingMessage): boolean {
  if (req.complete) return false
  if (req.destroyed || req.readableFlowing !== null) return true
  const { 'content-length': length, 'transfer-encoding': encoding, expect } = req.headers
  return encoding !== undefined || expect !== undefined || Number(length ?? 0) > drainedBytes
}
