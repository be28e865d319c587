/**
 * Why a request line, a header or a body was refused. Closed list: the code stands in the access log and in
 * `easgate_malformed_requests_total{code}`, so a new code is a change that operators notice.
 */
export const easErrorCodes = [
  // request target and framing
  'EAS_TARGET_INVALID',
  'EAS_METHOD_NOT_ALLOWED',
  'EAS_HOST_INVALID',
  'EAS_HEADERS_TOO_MANY',
  'EAS_HEADER_REPEATED',
  'EAS_FRAMING_INVALID',
  'EAS_EXPECT_UNKNOWN',
  'EAS_BODY_TOO_LARGE',
  'EAS_BODY_TRUNCATED',
  // query
  'EAS_QUERY_MISSING',
  'EAS_QUERY_CHARACTER',
  'EAS_QUERY_MIXED',
  'EAS_PARAMETER_NAME',
  'EAS_PARAMETER_UNKNOWN',
  'EAS_PARAMETER_REPEATED',
  'EAS_VALUE_ENCODING',
  'EAS_VALUE_INVALID',
  'EAS_BASE64_PERCENT',
  'EAS_BASE64_INVALID',
  'EAS_QUERY_TRUNCATED',
  'EAS_POLICY_KEY_LENGTH',
  'EAS_COMMAND_MISSING',
  'EAS_COMMAND_UNKNOWN',
  'EAS_DEVICE_ID_MISSING',
  'EAS_DEVICE_ID_INVALID',
  'EAS_DEVICE_TYPE_MISSING',
  'EAS_DEVICE_TYPE_INVALID',
  'EAS_USER_INVALID',
  // headers
  'EAS_VERSION_UNKNOWN',
  'EAS_VERSION_CONFLICT',
  'EAS_POLICY_KEY_INVALID',
  'EAS_AUTHORIZATION_INVALID',
  'EAS_BEARER_UNREADABLE',
  'EAS_BEARER_CONFLICT',
  // bodies
  'EAS_WBXML_HEADER',
  'EAS_WBXML_TRUNCATED',
  'EAS_WBXML_TOKEN',
  'EAS_WBXML_UNSUPPORTED',
  'EAS_WBXML_STRUCTURE',
  'EAS_WBXML_LIMIT',
  'EAS_WBXML_ENCODING',
  'EAS_AUTODISCOVER_INVALID',
] as const

export type EasErrorCode = (typeof easErrorCodes)[number]

/** What the protocol room throws: a request that could be read in two ways, or not at all. Nothing of it is forwarded. */
export class EasError extends Error {
  override readonly name = 'EasError'
  readonly code: EasErrorCode
  /** Byte offset of the fault in the query or body, where there is one. */
  readonly offset: number | undefined

  constructor(code: EasErrorCode, message: string, offset?: number) {
    super(offset === undefined ? message : `${message} (byte ${offset})`)
    this.code = code
    this.offset = offset
  }
}
