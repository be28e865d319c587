import { EasError, type EasErrorCode } from '../errors.ts'

/** The bytes that every EAS body starts with: version 1.3, public id 1, UTF-8, no string table. [MS-ASWBXML] */
export const wbxmlHeader = [0x03, 0x01, 0x6a, 0x00] as const

/** The bytes that EAS uses of WBXML's global tokens, and the bits of a tag byte. [MS-ASWBXML] */
export const wireByte = {
  switchPage: 0x00,
  end: 0x01,
  inlineString: 0x03,
  opaque: 0xc3,
  contentBit: 0x40,
  attributeBit: 0x80,
  tokenMask: 0x3f,
  /** Lower tokens are global: no code page may use them for a tag. */
  firstTag: 0x05,
} as const

/** The bounds of one document, T-47. A document over one of them is refused with EAS_WBXML_LIMIT. */
export interface WbxmlLimits {
  /** Bytes of the document. Default 16 MiB: Exchange takes 10 MB by default, and a mail with attachments is one OPAQUE. */
  readonly maxBytes: number
  /** Elements inside each other, the root being 1. Default 64; EAS itself needs about 10. */
  readonly maxDepth: number
  /**
   * Tags, ends, strings, opaque values and page switches together. Default 250 000, some 30 ms of work: several
   * times a Sync of 512 mails, and enough for the hierarchy of a mailbox with 10 000 folders.
   */
  readonly maxTokens: number
}

export const defaultLimits: WbxmlLimits = { maxBytes: 16 * 1024 * 1024, maxDepth: 64, maxTokens: 250_000 }

/** What {@link WbxmlCursor.next} has read; `fault` is the last thing that a cursor gives. */
export type WireToken = 'tag' | 'end' | 'string' | 'opaque' | 'page' | 'fault'

/** Of the header, the byte with the length of the string table. */
const stringTableLengthAt = 3
const maxIntegerBytes = 5
const maxInteger = 0xff_ff_ff_ff

/**
 * Reads WBXML token by token, for the strict decoder and the lenient scan alike. It knows no names and keeps no tree.
 * It never throws and never reads past the end: what it cannot read is a `fault`, with the error at hand for those who
 * want it. The fields describe the token read last and are overwritten by the next one.
 */
export class WbxmlCursor {
  /** The document, as a Buffer over the same memory. */
  readonly bytes: Buffer
  /** Where the next token starts. */
  offset = 0
  /** Where the last token started. */
  tokenOffset = 0
  /** The code page in force: 0 at the start, then that of the last switch, known or not. */
  page = 0
  /** Of a tag: its token, the low six bits. */
  token = 0
  /** Of a tag: whether content and an END follow. */
  hasContent = false
  /** Of a string or opaque value: its first byte. */
  valueStart = 0
  /** Of a string or opaque value: the byte behind its last one. */
  valueEnd = 0

  readonly #maxTokens: number
  #tokens = 0
  #faultCode: EasErrorCode = 'EAS_WBXML_TRUNCATED'
  #faultMessage = ''

  constructor(bytes: Uint8Array, maxTokens: number) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#maxTokens = maxTokens
  }

  /** Reads the four bytes that every document starts with; false if they are others. */
  readHeader(): boolean {
    for (const expected of wbxmlHeader) {
      if (this.bytes[this.offset] !== expected) {
        this.#headerFault()
        return false
      }
      this.offset += 1
    }
    return true
  }

  /** Reads one token. [MS-ASWBXML]; everything of WBXML that EAS does not use is a fault. */
  next(): WireToken {
    this.tokenOffset = this.offset
    const byte = this.bytes[this.offset]
    if (byte === undefined) return this.#fault('EAS_WBXML_TRUNCATED', 'the document is cut short')
    if (this.#tokens === this.#maxTokens) {
      return this.#fault('EAS_WBXML_LIMIT', `more than ${this.#maxTokens} tokens`)
    }
    this.#tokens += 1
    this.offset += 1
    if (byte === wireByte.end) return 'end'
    if (byte === wireByte.inlineString) return this.#readString()
    if (byte === wireByte.switchPage) return this.#readPage()
    if (byte === wireByte.opaque) return this.#readOpaque()
    this.token = byte & wireByte.tokenMask
    if (this.token < wireByte.firstTag) {
      return this.#fault('EAS_WBXML_UNSUPPORTED', `global token ${hexByte(byte)} is not used by EAS`)
    }
    if (byte >= wireByte.attributeBit) {
      return this.#fault('EAS_WBXML_UNSUPPORTED', 'a tag with attributes is not allowed')
    }
    this.hasContent = byte >= wireByte.contentBit
    return 'tag'
  }

  /** The error of the last `fault` or of a bad header. */
  error(): EasError {
    return new EasError(this.#faultCode, this.#faultMessage, this.tokenOffset)
  }

  #headerFault(): void {
    this.tokenOffset = this.offset
    if (this.offset === this.bytes.length) this.#fault('EAS_WBXML_TRUNCATED', 'the header is cut short')
    else if (this.offset < stringTableLengthAt) this.#fault('EAS_WBXML_HEADER', 'not WBXML 1.3 in UTF-8')
    else this.#fault('EAS_WBXML_UNSUPPORTED', 'a string table is not allowed')
  }

  #readPage(): WireToken {
    const page = this.bytes[this.offset]
    if (page === undefined) return this.#fault('EAS_WBXML_TRUNCATED', 'a page switch is cut short')
    this.offset += 1
    this.page = page
    return 'page'
  }

  #readString(): WireToken {
    const end = this.bytes.indexOf(0, this.offset)
    if (end === -1) return this.#fault('EAS_WBXML_TRUNCATED', 'a string has no end')
    this.valueStart = this.offset
    this.valueEnd = end
    this.offset = end + 1
    return 'string'
  }

  #readOpaque(): WireToken {
    let length = 0
    let byte = 0
    const lengthEnd = this.offset + maxIntegerBytes
    do {
      if (this.offset === lengthEnd) return this.#fault('EAS_WBXML_LIMIT', 'a length takes over five bytes')
      const read = this.bytes[this.offset]
      if (read === undefined) return this.#fault('EAS_WBXML_TRUNCATED', 'a length is cut short')
      byte = read
      length = length * 0x80 + (byte & 0x7f)
      this.offset += 1
    } while (byte >= 0x80)
    if (length > maxInteger) return this.#fault('EAS_WBXML_LIMIT', 'a length is over 32 bits')
    const left = this.bytes.length - this.offset
    if (length > left) {
      return this.#fault('EAS_WBXML_TRUNCATED', `an opaque value of ${length} bytes where ${left} are left`)
    }
    this.valueStart = this.offset
    this.valueEnd = this.offset + length
    this.offset = this.valueEnd
    return 'opaque'
  }

  #fault(code: EasErrorCode, message: string): 'fault' {
    this.#faultCode = code
    this.#faultMessage = message
    return 'fault'
  }
}

/** A byte as error messages and names spell it: `0x3F`. */
export function hexByte(byte: number): string {
  return `0x${byte.toString(16).padStart(2, '0').toUpperCase()}`
}
