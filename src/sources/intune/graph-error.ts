/** Why Graph could not be asked, or did not answer. Closed list. */
export const graphErrorCodes = [
  /** No connection, none that holds, or no answer in time. */
  'GRAPH_UNREACHABLE',
  /** An answer that is none of Graph's: not JSON, cut off, too large, a link that leads nowhere. */
  'GRAPH_BAD_ANSWER',
  /** 429, or 503 with Retry-After. */
  'GRAPH_THROTTLED',
  /** 5xx. */
  'GRAPH_UNAVAILABLE',
  /** 401 with a token that Entra has just given. */
  'GRAPH_UNAUTHORIZED',
  /** 403: the app lacks a permission. */
  'GRAPH_FORBIDDEN',
  'GRAPH_NOT_FOUND',
  /** A delta token is too old. */
  'GRAPH_GONE',
  /** Any other 4xx: the request is at fault. */
  'GRAPH_REFUSED',
  /** So much failed of late that it is not asked for a while. */
  'GRAPH_PAUSED',
  /** Entra gives no token. */
  'TOKEN_REFUSED',
  /** Secret, certificate or key cannot be read or do not fit. */
  'CREDENTIAL_UNREADABLE',
] as const

export type GraphErrorCode = (typeof graphErrorCodes)[number]

/** What the Intune source throws. The message says what to do where somebody can do something. */
export class GraphError extends Error {
  override readonly name = 'GraphError'
  readonly code: GraphErrorCode
  /** How long Graph asks to be left alone, ms; absent where it does not say. */
  readonly retryAfterMs: number | undefined

  constructor(
    code: GraphErrorCode,
    message: string,
    { cause, retryAfterMs }: { cause?: unknown; retryAfterMs?: number | undefined } = {},
  ) {
    super(message, { cause })
    this.code = code
    this.retryAfterMs = retryAfterMs
  }
}

/** True where the same call may go well a little later, without anybody's doing. */
export function isPassing(error: unknown): error is GraphError {
  return (
    error instanceof GraphError &&
    (isOutage(error) || error.code === 'GRAPH_THROTTLED' || error.code === 'GRAPH_UNAUTHORIZED')
  )
}

/** True where Graph itself, or the way to it, is in trouble. */
export function isOutage(error: unknown): boolean {
  return (
    error instanceof GraphError &&
    ['GRAPH_UNREACHABLE', 'GRAPH_BAD_ANSWER', 'GRAPH_UNAVAILABLE'].includes(error.code)
  )
}

export function isNotFound(error: unknown): boolean {
  return error instanceof GraphError && error.code === 'GRAPH_NOT_FOUND'
}

const maxShownLength = 300

/** Text of somebody else as it may stand in a message: one line, cut. T-59 */
export function shown(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()
  return line.length <= maxShownLength ? line : `${line.slice(0, maxShownLength)}…`
}

/** What an error says of itself. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
