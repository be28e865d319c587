import { isUtf8 } from 'node:buffer'
import { EasError, type EasErrorCode } from '../errors.ts'
import { codePageCount, tagName } from './code-pages.ts'
import type { QualifiedName, WbxmlContent, WbxmlElement } from './element.ts'
import { defaultLimits, hexByte, WbxmlCursor, type WbxmlLimits } from './wire.ts'

interface OpenElement {
  readonly name: QualifiedName
  readonly content: WbxmlContent[]
}

/**
 * Decodes a whole WBXML document. [MS-ASWBXML], T-08, T-47. Strict, since it feeds code that answers: what has two
 * readings is refused. Page switches are taken between any two tokens, as real clients write them before an END too.
 * OPAQUE content is a view of `bytes`: copy it to keep it longer than them.
 * @throws {EasError} with the byte offset: EAS_WBXML_HEADER, EAS_WBXML_TRUNCATED, EAS_WBXML_TOKEN (unknown page or
 *   token), EAS_WBXML_UNSUPPORTED (attributes, entities, literals, string table, extensions, processing instructions),
 *   EAS_WBXML_STRUCTURE (no root, bytes behind it), EAS_WBXML_ENCODING (text that is not UTF-8), EAS_WBXML_LIMIT
 */
export function decodeWbxml(bytes: Uint8Array, limits: Partial<WbxmlLimits> = {}): WbxmlElement {
  const { maxBytes, maxDepth, maxTokens } = { ...defaultLimits, ...limits }
  if (bytes.length > maxBytes) throw new EasError('EAS_WBXML_LIMIT', `more than ${maxBytes} bytes`, maxBytes)
  const cursor = new WbxmlCursor(bytes, maxTokens)
  if (!cursor.readHeader()) throw cursor.error()

  const open: OpenElement[] = []
  for (;;) {
    const parent = open.at(-1)
    switch (cursor.next()) {
      case 'tag': {
        const { page, token, hasContent } = cursor
        const name = tagName(page, token)
        if (name === undefined) {
          throw fault(cursor, 'EAS_WBXML_TOKEN', `no tag ${hexByte(token)} on code page ${page}`)
        }
        if (open.length === maxDepth) {
          throw fault(cursor, 'EAS_WBXML_LIMIT', `elements more than ${maxDepth} deep`)
        }
        const opened: OpenElement = { name, content: [] }
        parent?.content.push(opened)
        if (hasContent) open.push(opened)
        else if (parent === undefined) return wholeDocument(cursor, opened)
        break
      }
      case 'end':
        if (parent === undefined) throw fault(cursor, 'EAS_WBXML_STRUCTURE', 'an END before the root')
        open.pop()
        if (open.length === 0) return wholeDocument(cursor, parent)
        break
      case 'string':
        if (parent === undefined) throw fault(cursor, 'EAS_WBXML_STRUCTURE', 'text before the root')
        parent.content.push(strictText(cursor))
        break
      case 'opaque':
        if (parent === undefined) throw fault(cursor, 'EAS_WBXML_STRUCTURE', 'bytes before the root')
        parent.content.push(opaqueView(cursor))
        break
      case 'page':
        if (cursor.page >= codePageCount)
          throw fault(cursor, 'EAS_WBXML_TOKEN', `no code page ${cursor.page}`)
        break
      case 'fault':
        throw cursor.error()
    }
  }
}

function wholeDocument(cursor: WbxmlCursor, root: WbxmlElement): WbxmlElement {
  if (cursor.offset === cursor.bytes.length) return root
  throw new EasError('EAS_WBXML_STRUCTURE', 'bytes behind the root', cursor.offset)
}

function strictText(cursor: WbxmlCursor): string {
  const { bytes, valueStart, valueEnd } = cursor
  const text = bytes.toString('utf8', valueStart, valueEnd)
  // Bytes that are not UTF-8 always leave this character, so that only such text is looked at twice.
  if (text.includes('\uFFFD') && !isUtf8(bytes.subarray(valueStart, valueEnd))) {
    throw fault(cursor, 'EAS_WBXML_ENCODING', 'a string is not UTF-8')
  }
  return text
}

function opaqueView({ bytes, valueStart, valueEnd }: WbxmlCursor): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + valueStart, valueEnd - valueStart)
}

function fault(cursor: WbxmlCursor, code: EasErrorCode, message: string): EasError {
  return new EasError(code, message, cursor.tokenOffset)
}
