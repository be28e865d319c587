import { createHmac, timingSafeEqual } from 'node:crypto'

/** What a token says: of which pair, and until when it is good. */
export interface TokenContent {
  readonly pairId: string
  /** The last day on which it is good, in days since the epoch (UTC). */
  readonly lastDay: number
}

/** Written first, so that another form can come beside this one. */
const form = 1
const headBytes = 3
const tagBytes = 14
const idBytes = 16
const tokenBytes = headBytes + tagBytes + idBytes

/**
 * A token of 44 characters (base64url): form, last day, tag, and the id of the pair under a mask that the tag chooses.
 * The tag (112 bits) signs all of it. The same content gives the same token, and nobody without the key can tell from
 * it which pair it is of, or that two tokens are of one.
 *
 * @param key 32 bytes
 */
export function sealToken(key: Uint8Array, { pairId, lastDay }: TokenContent): string {
  const head = Buffer.alloc(headBytes)
  head.writeUInt8(form)
  head.writeUInt16BE(lastDay, 1)
  const id = Buffer.from(pairId, 'base64url')
  const tag = tagOf(key, head, id)
  return Buffer.concat([head, tag, masked(key, head, tag, id)]).toString('base64url')
}

/** What a token says; undefined where it is not ours. Its day is not compared with any clock. */
export function openToken(key: Uint8Array, token: string): TokenContent | undefined {
  const bytes = Buffer.from(token, 'base64url')
  // Buffer skips what is no base64: only one spelling of a token verifies
  if (bytes.length !== tokenBytes || bytes[0] !== form || bytes.toString('base64url') !== token)
    return undefined
  const head = bytes.subarray(0, headBytes)
  const tag = bytes.subarray(headBytes, headBytes + tagBytes)
  const id = masked(key, head, tag, bytes.subarray(headBytes + tagBytes))
  if (!timingSafeEqual(tag, tagOf(key, head, id))) return undefined
  return { pairId: id.toString('base64url'), lastDay: head.readUInt16BE(1) }
}

function tagOf(key: Uint8Array, head: Buffer, id: Buffer): Buffer {
  return hmac(key, 'tag', [head, id]).subarray(0, tagBytes)
}

function masked(key: Uint8Array, head: Buffer, tag: Buffer, id: Buffer): Buffer {
  const mask = hmac(key, 'mask', [head, tag])
  return Buffer.from(id.map((byte, index) => byte ^ (mask[index] ?? 0)))
}

/** The parts have fixed lengths, so that no two lists are one text. */
function hmac(key: Uint8Array, purpose: 'tag' | 'mask', parts: readonly Buffer[]): Buffer {
  const mac = createHmac('sha256', key).update(`easgate enrollment link ${purpose}\n`)
  for (const part of parts) mac.update(part)
  return mac.digest()
}
