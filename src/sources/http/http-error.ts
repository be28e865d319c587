import type { ErrorMeaning } from '../breaker.ts'

/** Why an MDM could not be asked, or did not answer. Closed list. */
export const httpErrorCodes = [
  /** No connection, none that holds, or no answer in time. */
  'HTTP_UNREACHABLE',
  /** 5xx. */
  'HTTP_UNAVAILABLE',
  /** 429, or 503 with Retry-After. */
  'HTTP_THROTTLED',
  /** 401 or 403: token, password or certificate is not taken. */
  'HTTP_UNAUTHORIZED',
  'HTTP_NOT_FOUND',
  /** Any other status. */
  'HTTP_REFUSED',
  /** An answer that is not what the config says: not JSON, too large, no records, a link that leads elsewhere. */
  'HTTP_BAD_ANSWER',
  /** So much failed of late that it is not asked for a while, or so much is asked that the limit is reached. */
  'HTTP_PAUSED',
  /** The file of the token or the password cannot be read. */
  'HTTP_CREDENTIAL_UNREADABLE',
] as const

export type HttpErrorCode = (typeof httpErrorCodes)[number]

/** What the HTTP source throws. The message says what to do where somebody can do something. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly code: HttpErrorCode
  /** How long the MDM asks to be left alone, ms; absent where it does not say. */
  readonly retryAfterMs: number | undefined

  constructor(
    code: HttpErrorCode,
    message: string,
    { cause, retryAfterMs }: { cause?: unknown; retryAfterMs?: number | undefined } = {},
  ) {
    super(message, { cause })
    this.code = code
    this.retryAfterMs = retryAfterMs
  }
}

/** What an error tells of the MDM as a whole: `answer` where it understood the question and said no. */
export function meaningOf(error: unknown): ErrorMeaning {
  if (!(error instanceof HttpError)) return 'nothing'
  switch (error.code) {
    case 'HTTP_NOT_FOUND':
    case 'HTTP_REFUSED':
      return 'answer'
    case 'HTTP_PAUSED':
      return 'nothing'
    default:
      return 'outage'
  }
}

/** True where the MDM says that it has no such thing. */
export function isNotFound(error: unknown): boolean {
  return error instanceof HttpError && error.code === 'HTTP_NOT_FOUND'
}

/** What an error says of itself. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
