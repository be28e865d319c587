import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
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
}

/** How it ended. Where `answered` is false nothing was written to the client yet. */
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
  /** 451: the mailbox lives elsewhere. Never passed on. */
  | { readonly kind: 'moved'; readonly server: Server; readonly location: string | undefined }
  /** The client left, or the request was ended by us; the backend's request is gone too. */
  | { readonly kind: 'abandoned'; readonly server: Server | undefined; readonly status: number | undefined }

/** A request under way. `abandon` ends the backend's request at once. */
export interface Forwarding {
  readonly result: Promise<ForwardResult>
  readonly abandon: () => void
}

/**
 * Sends a request to the user's server and streams the answer back with back-pressure. Another server is tried only
 * where the dial failed: a POST that may have been read is never sent twice.
 */
export function forward(upstreams: Upstreams, request: ForwardRequest, res: ServerResponse): Forwarding {
  let current: Attempt | undefined
  let abandoned = false
  const abandon = () => {
    abandoned = true
    current?.abandon()
  }
  // the response tells of a client that leaves while its answer is awaited; the request tells nothing then
  res.once('close', () => {
    if (!res.writableFinished) abandon()
  })
  const run = async (): Promise<ForwardResult> => {
    for (const server of upstreams.serversFor(request.backend, request.user)) {
      if (abandoned) return { kind: 'abandoned', server: undefined, status: undefined }
      current = new Attempt(server, request, res)
      const result = await current.run()
      if (result.kind !== 'dial-failed') return result
      upstreams.dialFailed(request.backend, server, result.error)
    }
    return { kind: 'unreachable' }
  }
  return { result: run(), abandon }
}

/** One more try on a server that a 451 named. The body must be whole. */
export function forwardTo(
  server: Server,
  request: ForwardRequest,
  res: ServerResponse,
): Promise<ForwardResult> {
  const attempt = new Attempt(server, request, res)
  res.once('close', () => {
    if (!res.writableFinished) attempt.abandon()
  })
  return attempt.run().then((result) => (result.kind === 'dial-failed' ? { kind: 'unreachable' } : result))
}

type AttemptResult = ForwardResult | { readonly kind: 'dial-failed'; readonly error: Error }

const abandonedError = new Error('the request was abandoned')

/** One request on one server, as undici's handler. */
class Attempt implements Dispatcher.DispatchHandler {
  readonly #server: Server
  readonly #request: ForwardRequest
  readonly #res: ServerResponse
  readonly #sentAtMs = performance.now()
  #resolve: (result: AttemptResult) => void = () => undefined
  #controller: Dispatcher.DispatchController | undefined
  #abandoned = false
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
    return new Promise((resolve) => {
      this.#resolve = resolve
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
    if (status < 200) return
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
    this.#status = status
    const length = Number(headers['content-length'])
    this.#bytesLeft = Number.isSafeInteger(length) ? length : undefined
    // an answer before the whole body was read leaves the connection out of step
    if (!this.#res.req.complete) this.#res.shouldKeepAlive = false
    this.#res.writeHead(status, responseHeaders(headers))
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#bytesLeft !== undefined) {
      this.#bytesLeft -= chunk.length
      // head and last chunk leave in one write
      if (this.#bytesLeft <= 0) {
        this.#res.end(chunk)
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
    if (this.#abandoned) {
      this.#resolve({ kind: 'abandoned', server, status: this.#status })
    } else if (this.#controller === undefined) {
      this.#resolve({ kind: 'dial-failed', error })
    } else if (this.#status === undefined) {
      const timedOut = 'code' in error && error.code === 'UND_ERR_HEADERS_TIMEOUT'
      this.#resolve({ kind: 'failed', server, error, timedOut })
    } else {
      // the client must not take half an answer for a whole one
      this.#res.destroy()
      this.#resolve({ kind: 'cut', server, status: this.#status, upstreamMs: this.#upstreamMs })
    }
  }
}
