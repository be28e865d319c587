/** Why the directory could not do its work. Closed list. */
export const directoryErrorCodes = [
  /** There is no file at the path. */
  'STORE_MISSING',
  /** The file is damaged. */
  'STORE_CORRUPT',
  /** The file is a sound database of another program. */
  'STORE_FOREIGN',
  /** The file was written by a later version. */
  'STORE_NEWER',
  /** The file was written by an earlier version and no owner has migrated it yet. */
  'STORE_OLDER',
  /** Another process owns the file. */
  'STORE_LOCKED',
  /** The operating system does not let us read or write it. */
  'STORE_UNREADABLE',
  /** A write failed and was rolled back: disk full, I/O error. */
  'STORE_WRITE_FAILED',
  /** The store was closed while work was going on. */
  'STORE_CLOSED',
  /** A page cursor that this store did not give. */
  'CURSOR_INVALID',
  /** A source that the store was not opened with. */
  'SOURCE_UNKNOWN',
] as const

export type DirectoryErrorCode = (typeof directoryErrorCodes)[number]

/** What the directory room throws. The message names the file and says what to do. */
export class DirectoryError extends Error {
  override readonly name = 'DirectoryError'
  readonly code: DirectoryErrorCode

  constructor(code: DirectoryErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The error of a damaged file: names the file and the command that rebuilds it. */
export function corruptStore(path: string, detail: string, cause?: unknown): DirectoryError {
  return new DirectoryError(
    'STORE_CORRUPT',
    `the store ${path} is damaged (${detail}); stop easgate and run: easgate store rebuild`,
    { cause },
  )
}

const corrupt = 11
const notDatabase = 26
const busy = 5
const locked = 6
const codeOf: ReadonlyMap<number, DirectoryErrorCode> = new Map([
  [3, 'STORE_UNREADABLE'], // SQLITE_PERM
  [8, 'STORE_UNREADABLE'], // SQLITE_READONLY
  [14, 'STORE_UNREADABLE'], // SQLITE_CANTOPEN
  [23, 'STORE_UNREADABLE'], // SQLITE_AUTH
  [10, 'STORE_WRITE_FAILED'], // SQLITE_IOERR
  [13, 'STORE_WRITE_FAILED'], // SQLITE_FULL
])

/** What SQLite's error means for the store at `path`. Errors that are not SQLite's are given back as they are. */
export function storeError(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return error
  const primary = error.errcode & 0xff
  if (primary === corrupt || primary === notDatabase) return corruptStore(path, error.message, error)
  if (primary === busy || primary === locked) {
    return new DirectoryError('STORE_LOCKED', `the store ${path} is in use by another process`, {
      cause: error,
    })
  }
  const code = codeOf.get(primary)
  return code === undefined
    ? error
    : new DirectoryError(code, `the store ${path}: ${error.message}`, { cause: error })
}
