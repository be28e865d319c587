import { DirectoryError } from '#directory/errors.ts'

/** What the admin API refuses a request with: a problem document. RFC 9457 */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly status: number
  readonly title: string
  /** One entry per fault of the input, such as `{ index, field, message }`. */
  readonly errors: readonly unknown[] | undefined

  constructor(status: number, title: string, detail: string, errors?: readonly unknown[]) {
    super(detail)
    this.status = status
    this.title = title
    this.errors = errors
  }

  /** The document. */
  toJSON(): Readonly<Record<string, unknown>> {
    return {
      type: 'about:blank',
      title: this.title,
      status: this.status,
      detail: this.message,
      errors: this.errors,
    }
  }
}

/** What a caller is told of an error: our own words, or those of a store that cannot be used now; nothing of a fault. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (!(error instanceof DirectoryError))
    return new Problem(500, 'Internal Server Error', 'see the log of easgate')
  return error.code === 'CURSOR_INVALID'
    ? new Problem(400, 'Bad Request', error.message)
    : new Problem(503, 'Service Unavailable', error.message)
}
