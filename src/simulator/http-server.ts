import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { encodeWbxml } from '#eas/wbxml/encode.ts'
import type { Answer } from './answer.ts'
import { HttpRefusal } from './answer.ts'

/** One HTTP request, its body read whole. */
export interface HttpRequest {
  readonly method: string
  /** As received, path and query. */
  readonly url: string
  readonly path: string
  /** Without the question mark; '' where there is none. */
  readonly query: string
  readonly headers: IncomingMessage['headers']
  readonly body: Uint8Array
  /** Aborts when the client goes away before it is answered. */
  readonly gone: AbortSignal
}

/** An HTTP status to give in place of a true answer, for tests of a client's or proxy's behaviour. */
export interface Fault {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
}

/** Asked for each request. */
export interface HttpHandler {
  /** Called when the headers are there, before the body is read. */
  onArrival(message: IncomingMessage): void
  /** A fault for a request to this path, taken before anything else. */
  takeFault(path: string): Fault | undefined
  /** How long to wait before it is looked at. */
  takeDelayMs(path: string): number
  /** Undefined: the client went away. */
  answer(request: HttpRequest): Promise<Answer | undefined>
  /** Headers of each answer, on 401 with the challenges. */
  commonHeaders(answer: Answer): Readonly<Record<string, string | readonly string[]>>
}

/** More than any mail that a test sends; a larger body is 413. */
const maxBodyBytes = 32 * 1024 * 1024
/** Longer than a proxy's pool keeps a connection, so that it is never this side that closes under a request. */
const keepAliveTimeoutMs = 120_000

/** A plain node:http server around a handler. */
export function createHttpServer(handler: HttpHandler): Server {
  return createServer({ keepAliveTimeout: keepAliveTimeoutMs }, (message, response) => {
    void serve(handler, message, response)
  })
}

async function serve(
  handler: HttpHandler,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableEnded) gone.abort()
  })
  handler.onArrival(message)
  try {
    const answer = await answerTo(handler, message, gone.signal)
    if (answer !== undefined && !gone.signal.aborted) send(handler, response, answer)
  } catch (error) {
    // The only catch: a refusal has its status; anything else is a fault of this server and must be seen.
    if (gone.signal.aborted) return
    if (error instanceof HttpRefusal) return send(handler, response, { status: error.status })
    send(
      handler,
      response,
      plain(500, error instanceof Error ? (error.stack ?? error.message) : 'unknown error'),
    )
  }
}

async function answerTo(
  handler: HttpHandler,
  message: IncomingMessage,
  gone: AbortSignal,
): Promise<Answer | undefined> {
  const url = message.url ?? '/'
  const question = url.indexOf('?')
  const path = question < 0 ? url : url.slice(0, question)
  const query = question < 0 ? '' : url.slice(question + 1)
  const fault = handler.takeFault(path)
  const delayMs = handler.takeDelayMs(path)
  const body = await readBody(message)
  if (delayMs > 0) await delay(delayMs, undefined, { signal: gone })
  if (fault !== undefined) return { status: fault.status, headers: fault.headers }
  return handler.answer({
    method: message.method ?? 'GET',
    url,
    path,
    query,
    headers: message.headers,
    body,
    gone,
  })
}

async function readBody(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBodyBytes) throw new HttpRefusal(413, 'body too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length)
}

function send(handler: HttpHandler, response: ServerResponse, answer: Answer): void {
  const body = bytesToSend(answer.body)
  const contentType =
    answer.contentType ?? (answer.status === 200 ? 'application/vnd.ms-sync.wbxml' : 'text/html')
  response.writeHead(answer.status, {
    'Content-Type': contentType,
    ...(handler.commonHeaders(answer) as Record<string, string | string[]>),
    ...answer.headers,
    'Content-Length': body.length,
  })
  if (body.length > 0) response.end(body)
  else response.end()
}

function bytesToSend(body: Answer['body']): Uint8Array {
  if (body === undefined) return new Uint8Array(0)
  return body instanceof Uint8Array ? body : encodeWbxml(body)
}

/** An answer in plain text. */
export function plain(status: number, words: string): Answer {
  return { status, contentType: 'text/plain', body: Buffer.from(words) }
}
