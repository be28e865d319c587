import { decodeUtf8 } from '#eas/text.ts'

const utf16 = new TextDecoder('utf-16le', { fatal: true })

/**
 * The text of a file that PowerShell wrote: UTF-16 LE with its byte order mark, or UTF-8 with or without one. The mark
 * is taken off.
 * @returns undefined for every other encoding
 */
export function decodeExport(bytes: Uint8Array): string | undefined {
  const text = bytes[0] === 0xff && bytes[1] === 0xfe ? decodeUtf16(bytes) : decodeUtf8(bytes)
  // NUL is what UTF-16 without its mark, or UTF-32, looks like
  return text === undefined || text.includes('\0') ? undefined : text.replace(/^\uFEFF/, '')
}

function decodeUtf16(bytes: Uint8Array): string | undefined {
  try {
    return utf16.decode(bytes)
  } catch {
    return undefined
  }
}

/** What to do about a file that `decodeExport` cannot read. */
export const encodingAdvice = 'expected UTF-8, or UTF-16 with a byte order mark; write it with -Encoding UTF8'
