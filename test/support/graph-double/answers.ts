import { randomUUID } from 'node:crypto'
import type { Json } from './scenario.ts'

/** What goes back to the client. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Who answers: Intune and the directory word their errors differently. */
export type Service = 'intune' | 'directory'

/** An error that ends a call, in words that do not depend on the service. */
export class Refusal extends Error {
  readonly status: number
  readonly code: string
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message)
    this.status = status
    this.code = code
    this.headers = headers
  }
}

const jsonHeaders = {
  'content-type':
    'application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8',
  'odata-version': '4.0',
}

/** A good answer from JSON text. */
export function good(body: string): Answer {
  return { status: 200, headers: jsonHeaders, body }
}

/** The error as the service writes it. `requestId` also stands in the answer's headers. */
export function errorAnswer(
  { status, code, message, headers }: Refusal,
  service: Service,
  requestId: string,
): Answer {
  const error = {
    code,
    message: service === 'intune' ? intuneMessage(message, requestId) : message,
    innerError: innerError(requestId),
  }
  return { status, headers: { ...jsonHeaders, ...headers }, body: JSON.stringify({ error }) }
}

/** The other shape that Intune has for a 403: an error within the message of one that it does not know. */
export function unknownErrorAnswer({ status, code, message }: Refusal, requestId: string): Answer {
  const inner: Json = {
    ErrorCode: code,
    Message: intuneMessage(message, requestId),
    Target: null,
    Details: null,
    InnerError: null,
    InstanceAnnotations: [],
  }
  const error = { code: 'UnknownError', message: JSON.stringify(inner), innerError: innerError(requestId) }
  return { status, headers: jsonHeaders, body: JSON.stringify({ error }) }
}

function innerError(requestId: string): Json {
  const date = new Date().toISOString().slice(0, 19)
  return { date, 'request-id': requestId, 'client-request-id': requestId }
}

/** Intune's own JSON, of which Graph makes a text. */
function intuneMessage(message: string, requestId: string): string {
  const operation = 'Operation ID (for customer support): 00000000-0000-0000-0000-000000000000'
  const url =
    'https://fef.invalid/DeviceFE/StatelessDeviceFEService/deviceManagement/managedDevices?api-version=2025-01-01'
  const nested = {
    _version: 3,
    Message: `${message} - ${operation} - Activity ID: ${requestId} - Url: ${url}`,
    CustomApiErrorPhrase: '',
    RetryAfter: null,
    ErrorSourceService: '',
    HttpHeaders: '{}',
  }
  return JSON.stringify(nested, null, 2).replaceAll('\n', '\r\n')
}

/** Of a call or a token. */
export const newId = randomUUID
