import { parseAuthorization, type Credentials } from './authorization.ts'
import { parseAutodiscoverQuery } from './autodiscover-query.ts'
import type { CommandName } from './commands.ts'
import { EasError } from './errors.ts'
import { readHeaders, type RequestHeaders } from './headers.ts'
import { parseOptionsQuery } from './plain-query.ts'
import { parseQuery, type QueryParser } from './query.ts'
import { routeOf, type Route } from './route.ts'
import type { ProtocolVersion } from './versions.ts'

/** The request line and headers as Node gives them, nothing normalised. */
export interface RawRequest {
  readonly method: string
  readonly target: string
  readonly httpVersion: string
  readonly rawHeaders: readonly string[]
}

/** `browser` is a GET without query on the EAS path; `closed` is every route that is not listed. */
export type RequestKind =
  'command' | 'options' | 'autodiscover-xml' | 'autodiscover-json' | 'browser' | 'enroll' | 'closed'

/** One request as all later steps see it. What does not apply to a kind is undefined. */
export interface EasRequest {
  readonly kind: RequestKind
  readonly method: string
  readonly path: string
  /** Closed set, for metric labels. */
  readonly command: CommandName | 'Options' | 'Autodiscover' | 'none'
  /** As received: it goes upstream byte for byte. */
  readonly query: string | undefined
  readonly queryForm: 'plain' | 'base64' | undefined
  readonly protocolVersion: ProtocolVersion | undefined
  readonly deviceId: string | undefined
  readonly deviceType: string | undefined
  /** `User=`, tag 8, or the `Email` of an Autodiscover query: a hint that must not contradict the credential. */
  readonly userParameter: string | undefined
  readonly acceptMultiPart: boolean
  readonly headers: RequestHeaders
  readonly credentials: Credentials
}

const noCredentials: Credentials = { kind: 'probe', authorization: undefined }

/**
 * The first step of every request: what is it, and is there exactly one way to read it?
 * @throws {EasError} nothing of the request may be forwarded, and its connection may be out of step
 */
export function parseRequest(raw: RawRequest, readQuery: QueryParser = parseQuery): EasRequest {
  if (raw.httpVersion !== '1.1' && raw.httpVersion !== '1.0') {
    throw new EasError('EAS_TARGET_INVALID', 'expected HTTP/1.1')
  }
  const route = routeOf(raw.target)
  const headers = readHeaders(raw.rawHeaders, raw.httpVersion)
  checkBodiless(raw.method, headers)
  const base = {
    kind: 'closed' as const,
    method: raw.method,
    path: route.path,
    command: 'none' as const,
    query: route.query,
    queryForm: undefined,
    protocolVersion: headers.protocolVersion,
    deviceId: undefined,
    deviceType: undefined,
    userParameter: undefined,
    acceptMultiPart: headers.acceptMultiPart,
    headers,
    credentials: noCredentials,
  }
  switch (route.kind) {
    case 'eas':
      return parseEas(raw.method, route, base, readQuery)
    case 'autodiscover-xml':
      expectMethod(raw.method, 'POST')
      if (route.query !== undefined)
        throw new EasError('EAS_QUERY_CHARACTER', 'autodiscover.xml takes no query')
      return {
        ...base,
        kind: 'autodiscover-xml',
        command: 'Autodiscover',
        credentials: parseAuthorization(headers.authorization),
      }
    case 'autodiscover-json':
      expectMethod(raw.method, 'GET')
      return {
        ...base,
        kind: 'autodiscover-json',
        command: 'Autodiscover',
        userParameter: parseAutodiscoverQuery(route.query),
        credentials: parseAuthorization(headers.authorization),
      }
    case 'enroll':
      return { ...base, kind: 'enroll' }
    case 'closed':
      return base
  }
}

function parseEas(method: string, route: Route, base: EasRequest, readQuery: QueryParser): EasRequest {
  const { headers } = base
  if (method === 'GET' && route.query === undefined) return { ...base, kind: 'browser' }
  if (method === 'OPTIONS') {
    return {
      ...base,
      kind: 'options',
      command: 'Options',
      userParameter: parseOptionsQuery(route.query),
      credentials: parseAuthorization(headers.authorization),
    }
  }
  expectMethod(method, 'POST')
  const query = readQuery(route.query)
  return {
    kind: 'command',
    method,
    path: route.path,
    command: query.command,
    query: route.query,
    queryForm: query.form,
    protocolVersion: oneVersion(query.protocolVersion, headers.protocolVersion),
    deviceId: query.deviceId,
    deviceType: query.deviceType,
    userParameter: query.user,
    acceptMultiPart: query.acceptMultiPart || headers.acceptMultiPart,
    headers,
    credentials: parseAuthorization(headers.authorization),
  }
}

/** Servers differ in whether the header or the base64 byte wins, so both may stand there only if they agree. T-13 */
function oneVersion(
  inQuery: ProtocolVersion | undefined,
  inHeader: ProtocolVersion | undefined,
): ProtocolVersion | undefined {
  if (inQuery !== undefined && inHeader !== undefined && inQuery !== inHeader) {
    throw new EasError('EAS_VERSION_CONFLICT', 'the query and MS-ASProtocolVersion name different versions')
  }
  return inQuery ?? inHeader
}

/** A body on a method that has none is where front and back end lose step with each other. T-32 */
function checkBodiless(method: string, headers: RequestHeaders): void {
  if (method === 'POST' || method === 'PUT' || method === 'PATCH') return
  if (headers.chunked || (headers.contentLength ?? 0) > 0) {
    throw new EasError('EAS_FRAMING_INVALID', `${method} takes no body`)
  }
}

function expectMethod(method: string, expected: string): void {
  if (method !== expected) throw new EasError('EAS_METHOD_NOT_ALLOWED', `expected ${expected}`)
}
