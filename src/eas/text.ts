const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const control = /\p{Cc}/u

/** The text of UTF-8 bytes; undefined where they are not UTF-8. Nothing is replaced, a byte order mark is kept. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/** True where a text holds a C0 or C1 control character or DEL. T-04, T-39 */
export function hasControl(text: string): boolean {
  return control.test(text)
}
