import { tagOf } from './code-pages.ts'
import type { WbxmlElement } from './element.ts'
import { wbxmlHeader, wireByte } from './wire.ts'

/**
 * Encodes a document, always in the same form: a page switch only where the page changes, the content bit only where
 * there is content, strings as STR_I, bytes as OPAQUE. [MS-ASWBXML]. Half a surrogate pair becomes U+FFFD.
 * @throws {TypeError} for a name that stands in no code page, and for text with a NUL, which would end it and let the
 *   rest of it be read as tags
 */
export function encodeWbxml(root: WbxmlElement): Buffer {
  const sink = new ByteSink()
  for (const byte of wbxmlHeader) sink.byte(byte)
  writeElement(sink, root, 0)
  return sink.written()
}

/** Writes an element and gives the page in force behind it. */
function writeElement(sink: ByteSink, { name, content }: WbxmlElement, pageInForce: number): number {
  const tag = tagOf(name)
  if (tag === undefined) throw new TypeError(`${name} stands in no WBXML code page`)
  let page = tag.page
  if (page !== pageInForce) {
    sink.byte(wireByte.switchPage)
    sink.byte(page)
  }
  if (content.length === 0) {
    sink.byte(tag.token)
    return page
  }
  sink.byte(tag.token | wireByte.contentBit)
  for (const part of content) {
    if (typeof part === 'string') writeString(sink, part, name)
    else if (part instanceof Uint8Array) writeOpaque(sink, part)
    else page = writeElement(sink, part, page)
  }
  sink.byte(wireByte.end)
  return page
}

function writeString(sink: ByteSink, text: string, name: string): void {
  if (text.includes('\0')) throw new TypeError(`the text of ${name} holds a NUL`)
  sink.byte(wireByte.inlineString)
  sink.text(text)
  sink.byte(0)
}

function writeOpaque(sink: ByteSink, bytes: Uint8Array): void {
  sink.byte(wireByte.opaque)
  const groups = [bytes.length & 0x7f]
  for (let rest = Math.floor(bytes.length / 0x80); rest > 0; rest = Math.floor(rest / 0x80)) {
    groups.unshift((rest & 0x7f) | 0x80)
  }
  for (const group of groups) sink.byte(group)
  sink.bytes(bytes)
}

/** A buffer that doubles as it fills: most answers are under 1 KiB, a mailbox may be megabytes. */
class ByteSink {
  #buffer = Buffer.allocUnsafe(1024)
  #length = 0

  byte(byte: number): void {
    this.#reserve(1)
    this.#buffer[this.#length] = byte
    this.#length += 1
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
  }

  text(text: string): void {
    this.#reserve(Buffer.byteLength(text))
    this.#length += this.#buffer.write(text, this.#length)
  }

  written(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  #reserve(byteCount: number): void {
    const needed = this.#length + byteCount
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2))
    larger.set(this.written())
    this.#buffer = larger
  }
}
