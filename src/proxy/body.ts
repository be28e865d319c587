import type { IncomingMessage } from 'node:http'
import { Transform, type Readable } from 'node:stream'
import { EasError } from '#eas/errors.ts'
import type { RequestHeaders } from '#eas/headers.ts'

/** A request body on its way upstream: whole, or a stream with back-pressure. Never both, never collected. */
export type ForwardBody =
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  /** `length` is the declared one; undefined where the client sends chunks. */
  | { readonly kind: 'stream'; readonly stream: Readable; readonly length: number | undefined }

export interface BodyLimits {
  readonly bufferedBodyBytes: number
  readonly maxBodyBytes: number
}

const noBytes = Buffer.alloc(0)

/** Longest part of a streamed body that `look` gets; DeviceInformation is far shorter. */
const lookBytes = 65_536

/**
 * Takes the body of a request. Small declared lengths are read to the end, all else is handed on as a stream.
 * `look` is shown a copy, once the bytes are there: the request never waits for it.
 * @throws {EasError} EAS_BODY_TOO_LARGE before anything is read, EAS_BODY_TRUNCATED where the client stops half-way
 */
export async function takeBody(
  req: IncomingMessage,
  { contentLength, chunked }: RequestHeaders,
  limits: BodyLimits,
  look?: (bytes: Buffer) => void,
): Promise<ForwardBody> {
  if (chunked) return { kind: 'stream', stream: metered(req, limits.maxBodyBytes, look), length: undefined }
  if (contentLength === undefined || contentLength === 0) return { kind: 'whole', bytes: noBytes }
  if (contentLength > limits.maxBodyBytes) throw tooLarge(limits.maxBodyBytes)
  if (contentLength > limits.bufferedBodyBytes) {
    const stream = look === undefined ? req : metered(req, limits.maxBodyBytes, look)
    return { kind: 'stream', stream, length: contentLength }
  }
  const bytes = await readWhole(req)
  if (look !== undefined) setImmediate(look, bytes)
  return { kind: 'whole', bytes }
}

/**
 * Reads a body to its end, for a request that goes nowhere.
 * @throws {EasError} EAS_BODY_TOO_LARGE, before anything is read where its length is declared; EAS_BODY_TRUNCATED
 */
export async function readBody(
  req: IncomingMessage,
  { contentLength = 0, chunked }: RequestHeaders,
  maxBytes: number,
): Promise<Buffer> {
  if (contentLength > maxBytes) throw tooLarge(maxBytes)
  return chunked || contentLength > 0 ? readWhole(req, maxBytes) : noBytes
}

function readWhole(req: IncomingMessage, maxBytes = Infinity): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let received = 0
    const truncated = () =>
      reject(new EasError('EAS_BODY_TRUNCATED', 'the client stopped in the middle of its body'))
    // a client that left while something else was awaited is told by no event any more
    if (req.destroyed) return truncated()
    req.on('data', (chunk: Buffer) => {
      received += chunk.length
      if (received > maxBytes) reject(tooLarge(maxBytes))
      else chunks.push(chunk)
    })
    req.once('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)))
    req.once('error', truncated)
    req.once('close', () => {
      if (!req.complete) truncated()
    })
  })
}

/** Counts a stream on its way, since a chunked body declares no length, and copies its start where one looks at it. */
function metered(req: IncomingMessage, maxBodyBytes: number, look?: (bytes: Buffer) => void): Readable {
  let received = 0
  const copies: Buffer[] = []
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (look !== undefined && received < lookBytes) copies.push(chunk)
      received += chunk.length
      if (received > maxBodyBytes) done(tooLarge(maxBodyBytes))
      else done(null, chunk)
    },
    flush(done) {
      look?.(Buffer.concat(copies))
      done()
    },
  })
  req.once('error', (error) => meter.destroy(error))
  // who reads the stream is told of its errors; before, between and behind attempts nobody reads it
  meter.on('error', () => undefined)
  return req.pipe(meter)
}

function tooLarge(maxBodyBytes: number): EasError {
  return new EasError('EAS_BODY_TOO_LARGE', `a body of at most ${maxBodyBytes} bytes is taken`)
}
