import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { decodeUtf8 } from '#eas/text.ts'
import type { Logger } from '#telemetry/log.ts'
import type { Guard } from './guard.ts'
import { Problem, problemOf } from './problem.ts'

/** A request of the API: decoded path segments behind the route's own, query, and the JSON body of a write. */
export interface ApiRequest {
  readonly segments: readonly string[]
  readonly query: URLSearchParams
  /** Reads the body. @throws {Problem} 400 where it is no JSON, 413 where it is too large */
  readonly json: () => Promise<unknown>
  /** Ends work that nobody waits for any more: the client is gone. */
  readonly signal: AbortSignal
}

/** An answer that is written as it is made, since it may be larger than the memory. */
export class StreamedAnswer {
  readonly contentType: string
  readonly chunks: AsyncIterable<string>

  constructor(contentType: string, chunks: AsyncIterable<string>) {
    this.contentType = contentType
    this.chunks = chunks
  }
}

/** Gives the JSON of the answer, or one that is streamed; status 200, or 204 where it gives undefined. */
export type ApiHandler = (request: ApiRequest) => unknown

/** `GET /api/devices` -> handler. A route with a trailing `/*` takes further segments. */
export type ApiRoutes = ReadonlyMap<string, ApiHandler>

export interface AdminOptions {
  readonly host: string
  readonly port: number
  readonly guard: Guard
  readonly routes: ApiRoutes
  /** Whether traffic may come; `degraded` where it may, by facts that nobody confirms just now. */
  readonly readiness: () => 'ready' | 'degraded' | 'not ready'
  /** The metrics of all processes in Prometheus' format. */
  readonly metrics: () => Promise<string>
  readonly log: Pick<Logger, 'error'>
}

/** The private listener: health, metrics and API. */
export interface AdminServer {
  readonly start: () => Promise<number>
  readonly close: () => Promise<void>
}

/** A million devices go in as a file or in parts; one request stays small enough to be parsed at once. */
const maxBodyBytes = 4 * 1024 * 1024

export function createAdminServer(options: AdminOptions): AdminServer {
  const server = createServer({ requestTimeout: 30_000, maxHeaderSize: 16_384 }, (req, res) => {
    void answer(options, req, res)
  })
  return {
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(options.port, options.host, () => {
          server.off('error', reject)
          resolve((server.address() as AddressInfo).port)
        })
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function answer(options: AdminOptions, req: IncomingMessage, res: ServerResponse): Promise<void> {
  try {
    await route(options, req, res)
  } catch (error) {
    // the client left in the middle of its body: nobody is there to be told
    if (res.destroyed) return
    const problem = problemOf(error)
    if (problem.status >= 500) options.log.error({ err: error }, 'an admin request failed')
    send(res, problem.status, 'application/problem+json', `${JSON.stringify(problem)}\n`)
    // what is left of the body would stand before the next request
    req.resume()
  }
}

async function route(options: AdminOptions, req: IncomingMessage, res: ServerResponse): Promise<void> {
  // of an answer to HEAD Node sends the header alone
  const method = req.method === 'HEAD' ? 'GET' : (req.method ?? '')
  const { path, query } = targetOf(req)
  switch (`${method} ${path}`) {
    case 'GET /healthz':
      return send(res, 200, 'text/plain', 'ok\n')
    case 'GET /readyz': {
      const readiness = options.readiness()
      return send(res, readiness === 'not ready' ? 503 : 200, 'text/plain', `${readiness}\n`)
    }
    case 'GET /metrics':
      options.guard.metrics(req)
      return send(res, 200, 'text/plain; version=0.0.4; charset=utf-8', await options.metrics())
  }
  options.guard.api(req)
  const { handler, segments } = match(options.routes, method, path)
  const left = new AbortController()
  res.once('close', () => left.abort())
  const body = await handler({ segments, query, json: () => readJson(req), signal: left.signal })
  if (body === undefined) res.writeHead(204, { 'Cache-Control': 'no-store' }).end()
  else if (body instanceof StreamedAnswer) await stream(options, res, body)
  else send(res, 200, 'application/json', `${JSON.stringify(body)}\n`)
}

/** The target as it stands in the request line: nothing is normalised, so `//` and `..` are no way to a route. */
function targetOf({ url = '/' }: IncomingMessage): { path: string; query: URLSearchParams } {
  const mark = url.indexOf('?')
  return mark === -1
    ? { path: url, query: new URLSearchParams() }
    : { path: url.slice(0, mark), query: new URLSearchParams(url.slice(mark + 1)) }
}

function match(routes: ApiRoutes, method: string, path: string) {
  for (const [route, handler] of routes) {
    const [routeMethod = '', routePath = ''] = route.split(' ')
    const open = routePath.endsWith('/*')
    const base = open ? routePath.slice(0, -1) : routePath
    if (routeMethod !== method || !(open ? path.startsWith(base) : path === base)) continue
    return { handler, segments: open ? path.slice(base.length).split('/').map(decodeSegment) : [] }
  }
  throw new Problem(404, 'Not Found', `there is no ${method} ${path}`)
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new Problem(400, 'Bad Request', 'the path is not valid percent-encoding')
  }
}

async function readJson(req: IncomingMessage): Promise<unknown> {
  const text = decodeUtf8(await readBody(req))
  if (text === undefined) throw new Problem(400, 'Bad Request', 'the body is not UTF-8')
  try {
    return JSON.parse(text)
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause)
    throw new Problem(400, 'Bad Request', `the body is not JSON: ${detail}`)
  }
}

async function readBody(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  // the socket stays, so that a body that is too large can be answered
  for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBodyBytes) {
      throw new Problem(413, 'Content Too Large', `at most ${maxBodyBytes} bytes are taken`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Where it fails on the way the connection is cut off: by its framing the client sees that it is not whole. */
async function stream(
  { log }: AdminOptions,
  res: ServerResponse,
  { contentType, chunks }: StreamedAnswer,
): Promise<void> {
  res.writeHead(200, headersOf(contentType))
  try {
    await pipeline(Readable.from(chunks), res)
  } catch (error) {
    if (!isClientGone(error)) log.error({ err: error }, 'an admin request failed')
  }
}

function isClientGone(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return error.name === 'AbortError' || ('code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE')
}

function send(res: ServerResponse, status: number, type: string, body: string): void {
  res.writeHead(status, {
    ...headersOf(type),
    'Content-Length': Buffer.byteLength(body),
    ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : undefined),
  })
  res.end(body)
}

function headersOf(type: string) {
  return { 'Content-Type': type, 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' }
}
