import { tagName } from './code-pages.ts'
import type { QualifiedName } from './element.ts'
import { defaultLimits, hexByte, WbxmlCursor, type WireToken } from './wire.ts'

/**
 * Called for each element, in document order.
 * @param name its name; for a token without one the page and the token, as in `18:0x3F`
 * @param depth 0 for the root
 * @param text gives the text before the first child, STR_I and OPAQUE joined, '' if there is none. Only good during the
 *   call. A function, so that nobody pays for text that is not asked for: a mail sits in one OPAQUE.
 * @returns true when it has seen enough
 */
export type WbxmlVisitor = (name: QualifiedName, depth: number, text: () => string) => boolean

/**
 * Walks a document that is only looked at and forwarded as it is. [MS-ASWBXML]. Lenient where the decoder is strict:
 * unknown pages and tokens are visited like known ones, text need not be UTF-8, and a document that cannot be read on
 * just ends the walk. Never throws of itself, keeps no tree, and stops at the default token limit (T-47).
 * @returns true if the root was read to its end or the visitor had seen enough, false if the walk broke off
 */
export function scanWbxml(bytes: Uint8Array, visit: WbxmlVisitor): boolean {
  const cursor = new WbxmlCursor(bytes, defaultLimits.maxTokens)
  if (!cursor.readHeader()) return false
  const spans: number[] = []
  const text = () => joinSpans(cursor.bytes, spans)

  let depth = 0
  let read = nextTagOrEnd(cursor, spans)
  for (;;) {
    if (read === 'tag') {
      const { page, token, hasContent } = cursor
      const name = tagName(page, token) ?? unnamed(page, token)
      read = nextTagOrEnd(cursor, spans)
      // Behind a tag without content stands its parent's text.
      if (!hasContent) spans.length = 0
      if (visit(name, depth, text)) return true
      if (hasContent) depth += 1
      else if (depth === 0) return true
    } else if (read === 'end' && depth > 0) {
      depth -= 1
      if (depth === 0) return true
      read = nextTagOrEnd(cursor, spans)
    } else {
      return false
    }
  }
}

/** Reads up to the next tag or END (or the fault), and keeps where the text before it stands. */
function nextTagOrEnd(cursor: WbxmlCursor, spans: number[]): WireToken {
  spans.length = 0
  for (;;) {
    const read = cursor.next()
    if (read === 'string' || read === 'opaque') spans.push(cursor.valueStart, cursor.valueEnd)
    else if (read !== 'page') return read
  }
}

function joinSpans(bytes: Buffer, spans: readonly number[]): string {
  let joined = ''
  for (let index = 0; index < spans.length; index += 2) {
    joined += bytes.toString('utf8', spans[index], spans[index + 1])
  }
  return joined
}

function unnamed(page: number, token: number): QualifiedName {
  return `${page}:${hexByte(token)}`
}
