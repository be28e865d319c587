import type { IncomingHttpHeaders } from 'node:http'
import { errors } from 'undici'
import type { Backend, Server, Upstreams } from './upstreams.ts'

/** A question whose answer is read whole before anything is told to the client. */
export interface Question {
  readonly backend: Backend
  /** Picks the server: the same user meets the same one. */
  readonly user: string
  readonly method: 'GET' | 'POST' | 'OPTIONS'
  readonly path: string
  /** name, value, ... */
  readonly headers: readonly string[]
  readonly body: string | null
  /** Wait for the head of the answer, and then for each part of it. */
  readonly answerTimeoutMs: number
  readonly maxAnswerBytes: number
}

export type AskResult =
  | {
      readonly kind: 'answered'
      readonly server: Server
      readonly status: number
      readonly headers: IncomingHttpHeaders
      readonly body: Buffer
      readonly upstreamMs: number
    }
  /** No server took a connection; not a byte was sent. */
  | { readonly kind: 'unreachable' }
  /** The server gave no whole answer, or one over `maxAnswerBytes`. */
  | { readonly kind: 'failed'; readonly server: Server; readonly timedOut: boolean }

type AttemptResult = AskResult | { readonly kind: 'dial-failed'; readonly error: Error }

/**
 * Asks the user's server. The next one is asked only where the dial failed. `signal` ends the request: the client is
 * gone. Without one it runs to its end.
 */
export async function ask(
  upstreams: Pick<Upstreams, 'serversFor' | 'dialFailed'>,
  question: Question,
  signal?: AbortSignal,
): Promise<AskResult> {
  for (const server of upstreams.serversFor(question.backend, question.user)) {
    const result = await askServer(server, question, signal)
    if (result.kind !== 'dial-failed') return result
    upstreams.dialFailed(question.backend, server, result.error)
  }
  return { kind: 'unreachable' }
}

function askServer(server: Server, question: Question, signal?: AbortSignal): Promise<AttemptResult> {
  const { method, path, headers, body, answerTimeoutMs, maxAnswerBytes } = question
  const sentAtMs = performance.now()
  let started = false
  let status = 0
  let upstreamMs = 0
  let answerHeaders: IncomingHttpHeaders = {}
  let length = 0
  const chunks: Buffer[] = []
  return new Promise((resolve, reject) => {
    server.pool.dispatch(
      {
        method,
        path,
        headers: [...headers],
        body,
        headersTimeout: answerTimeoutMs,
        bodyTimeout: answerTimeoutMs,
      },
      {
        onRequestStart(controller) {
          started = true
          const end = () => controller.abort(new Error('the client is gone'))
          if (signal?.aborted === true) end()
          else signal?.addEventListener('abort', end, { once: true })
        },
        onResponseStart(_controller, statusCode, received) {
          if (statusCode < 200) return
          status = statusCode
          answerHeaders = received
          upstreamMs = performance.now() - sentAtMs
        },
        onResponseData(controller, chunk) {
          length += chunk.length
          if (length > maxAnswerBytes) controller.abort(new Error('the answer is too large'))
          else chunks.push(chunk)
        },
        onResponseEnd() {
          const whole = Buffer.concat(chunks)
          resolve({ kind: 'answered', server, status, headers: answerHeaders, body: whole, upstreamMs })
        },
        onResponseError(_controller, error) {
          if (started) {
            const timedOut = 'code' in error && error.code === 'UND_ERR_HEADERS_TIMEOUT'
            resolve({ kind: 'failed', server, timedOut })
          } else if (error instanceof errors.InvalidArgumentError) {
            // a request that undici does not take is a fault of ours, not of the server
            reject(error)
          } else resolve({ kind: 'dial-failed', error })
        },
      },
    )
  })
}
