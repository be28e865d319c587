import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { errors, type Dispatcher } from 'undici'
import { EasError } from '#eas/errors.ts'
import type { ForwardBody } from './body.ts'
import { responseHeaders } from './response-headers.ts'
import type { Backend, Server, Upstreams } from './upstreams.ts'

/** What is sent to the backend, and the caps on waiting for it. */
export interface ForwardRequest {
  readonly backend: Backend
  /** Picks the server: the same user meets the same one. */
  readonly user: string
  readonly method: 'POST' | 'OPTIONS'
  /** A constant path with the query as it came. */
  readonly path: string
  /** name, value, ... */
  readonly headers: readonly string[]
  readonly body: ForwardBody
  /** A Ping or a hanging Sync: it gets a connection of its own for up to an hour. */
  readonly parks: boolean
  readonly answerTimeoutMs: number
  /** How long the client may take nothing of its answer. T-44 */
  readonly clientStallMs: number
}

/** How it ended. Only where it is `answered` or `cut` was anything written to the client. */
export type ForwardResult =
  | {
      readonly kind: 'answered'
      readonly server: Server
      readonly status: number
      readonly upstreamMs: number
    }
  /** No server took a connection; not a byte was sent. */
  | { readonly kind: 'unreachable' }
  /** The server failed after it had the request, and before a whole head of an answer. */
  | { readonly kind: 'failed'; readonly server: Server; readonly error: Error; readonly timedOut: boolean }
  /** The server failed in the middle of its answer; the client's connection was ended with it. */
  | { readonly kind: 'cut'; readonly server: Server; readonly status: number; readonly upstreamMs: number }
  | Moved
  /** The client left, or the request was ended by us; the backend's request is gone too. */
  | { readonly kind: 'abandoned'; readonly server: Server | undefined; readonly status: number | undefined }

/** 451: the mailbox lives elsewhere, in a place that is not for us to go to. Never passed on. */
interface Moved {
  readonly kind: 'moved'
  readonly server: Server
  readonly location: string | undefined
}

/** A request under way. `abandon` ends the backend's request at once. */
export interface Forwarding {
  readonly result: Promise<ForwardResult>
  readonly abandon: () => void
}

/**
 * Sends a request to the user's server and streams the answer back with back-pressure. Another server is tried only
 * where the dial failed (a POST that may have been read is never sent twice), or where a 451 named it.
 */
export function forward(
  upstreams: Pick<Upstreams, 'serversFor' | 'serverOf' | 'dialFailed'>,
  request: ForwardRequest,
  res: ServerResponse,
): Forwarding {
  let current: Attempt | undefined
  let abandoned = false
  const abandon = () => {
    abandoned = true
    current?.abandon()
  }
  const attempt = async (server: Server): Promise<AttemptResult> => {
    if (abandoned) return { kind: 'abandoned', server: undefined, status: undefined }
    current = new Attempt(server, request, res)
    return current.run()
  }
  // A 451 was not acted upon, so the request may be sent again, once. A server that is judged by other rules is no place
  // for it: the decision was not made for that one.
  const follow = async (moved: Moved): Promise<ForwardResult> => {
    const target = moved.location === undefined ? undefined : upstreams.serverOf(moved.location)
    const { backend, body } = request
    if (target === undefined || target.server === moved.server) return moved
    if (target.backend.service !== backend.service || body.kind === 'stream') return moved
    const result = await attempt(target.server)
    if (result.kind !== 'dial-failed') return result
    upstreams.dialFailed(target.backend, target.server, result.error)
    return { kind: 'unreachable' }
  }
  const run = async (): Promise<ForwardResult> => {
    for (const server of upstreams.serversFor(request.backend, request.user)) {
      const result = await attempt(server)
      if (result.kind === 'moved') return follow(result)
      if (result.kind !== 'dial-failed') return result
      upstreams.dialFailed(request.backend, server, result.error)
    }
    return { kind: 'unreachable' }
  }
  // the response tells of a client that leaves while its answer is awaited; the request tells nothing then
  if (res.destroyed) abandon()
  res.once('close', () => {
    if (!res.writableFinished) abandon()
  })
  return { result: run(), abandon }
}

type AttemptResult = ForwardResult | { readonly kind: 'dial-failed'; readonly error: Error }

const abandonedError = new Error('the request was abandoned')

/** More answers of 102 and 103 than any server has a use for. */
const maxInterimAnswers = 32

/** One request on one server, as undici's handler. */
class Attempt implements Dispatcher.DispatchHandler {
  readonly #server: Server
  readonly #request: ForwardRequest
  readonly #res: ServerResponse
  readonly #sentAtMs = performance.now()
  #resolve: (result: AttemptResult) => void = () => undefined
  #reject: (error: Error) => void = () => undefined
  #controller: Dispatcher.DispatchController | undefined
  #abandoned = false
  #interimAnswers = 0
  #status: number | undefined
  #upstreamMs = 0
  #bytesLeft: number | undefined

  constructor(server: Server, request: ForwardRequest, res: ServerResponse) {
    this.#server = server
    this.#request = request
    this.#res = res
  }

  run(): Promise<AttemptResult> {
    const { method, path, headers, body, parks, answerTimeoutMs } = this.#request
    const lengthHeader =
      body.kind === 'stream' && body.length !== undefined ? ['content-length', String(body.length)] : []
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      const pool = parks ? this.#server.parkingPool : this.#server.pool
      pool.dispatch(
        {
          method,
          path,
          headers: [...headers, ...lengthHeader],
          body: body.kind === 'whole' ? (body.bytes.length > 0 ? body.bytes : null) : body.stream,
          headersTimeout: answerTimeoutMs,
          bodyTimeout: answerTimeoutMs,
        },
        this,
      )
    })
  }

  abandon(): void {
    this.#abandoned = true
    this.#controller?.abort(abandonedError)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#abandoned) controller.abort(abandonedError)
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (status === 101 || status > 599) return controller.abort(new Error(`the server answered ${status}`))
    if (status < 200) {
      this.#interimAnswers++
      if (this.#interimAnswers > maxInterimAnswers) controller.abort(new Error('a flood of interim answers'))
      return
    }
    this.#upstreamMs = performance.now() - this.#sentAtMs
    if (status === 451) {
      const location = headers['x-ms-location']
      this.#resolve({
        kind: 'moved',
        server: this.#server,
        location: typeof location === 'string' ? location : undefined,
      })
      controller.abort(abandonedError)
      return
    }
    const length = Number(headers['content-length'])
    this.#bytesLeft = Number.isSafeInteger(length) ? length : undefined
    // an answer before the whole body was read leaves the connection out of step
    if (!this.#res.req.complete) this.#res.shouldKeepAlive = false
    this.#res.writeHead(status, responseHeaders(headers))
    this.#status = status
    // ends the connection; Node sets its own time again for the next request
    this.#res.setTimeout(this.#request.clientStallMs)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#bytesLeft !== undefined) {
      this.#bytesLeft -= chunk.length
      if (this.#bytesLeft <= 0) {
        endWith(this.#res, chunk)
        return
      }
    }
    if (!this.#res.write(chunk)) {
      controller.pause()
      this.#res.once('drain', () => controller.resume())
    }
  }

  onResponseEnd(): void {
    if (!this.#res.writableEnded) this.#res.end()
    this.#resolve({
      kind: 'answered',
      server: this.#server,
      status: this.#status ?? 0,
      upstreamMs: this.#upstreamMs,
    })
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const server = this.#server
    const { body } = this.#request
    const bodyError = body.kind === 'stream' ? body.stream.errored : null
    // who ends the pools at the end of the process ends every request
    const endedByUs = this.#abandoned || error instanceof errors.ClientDestroyedError
    if (endedByUs || (bodyError !== null && !(bodyError instanceof EasError))) {
      this.#resolve({ kind: 'abandoned', server, status: this.#status })
    } else if (this.#status !== undefined) {
      // the client must not take half an answer for a whole one
      this.#res.destroy()
      this.#resolve({ kind: 'cut', server, status: this.#status, upstreamMs: this.#upstreamMs })
    } else if (this.#controller !== undefined || bodyError !== null) {
      const timedOut = 'code' in error && error.code === 'UND_ERR_HEADERS_TIMEOUT'
      this.#resolve({ kind: 'failed', server, error: bodyError ?? error, timedOut })
    } else if (error instanceof errors.InvalidArgumentError) {
      // a request that undici does not take is a fault of ours, not of the server
      this.#reject(error)
    } else {
      this.#resolve({ kind: 'dial-failed', error })
    }
  }
}

/** Longest last chunk that is worth a copy. */
const maxCopiedBytes = 16_384

/** Head and last chunk leave in one write: Node joins them where the chunk is a string, and latin1 keeps every byte. */
function endWith(res: ServerResponse, chunk: Buffer): void {
  if (chunk.length <= maxCopiedBytes) res.end(chunk.toString('latin1'), 'latin1')
  else res.end(chunk)
}
