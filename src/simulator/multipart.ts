import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { encodeWbxml } from '#eas/wbxml/encode.ts'
import type { Answer } from './answer.ts'

/**
 * A multipart answer: the number of parts, then offset and length of each from the start of the body, all 4 bytes
 * little-endian, then the parts. Part 0 is the document (protocol.md section 14).
 */
export function multipartAnswer(root: WbxmlElement, rest: readonly Uint8Array[]): Answer {
  const parts = [encodeWbxml(root), ...rest]
  const table = Buffer.alloc(4 + 8 * parts.length)
  table.writeUInt32LE(parts.length, 0)
  let offset = table.length
  for (const [index, part] of parts.entries()) {
    table.writeUInt32LE(offset, 4 + 8 * index)
    table.writeUInt32LE(part.length, 8 + 8 * index)
    offset += part.length
  }
  return {
    status: 200,
    contentType: 'application/vnd.ms-sync.multipart',
    body: Buffer.concat([table, ...parts]),
  }
}
