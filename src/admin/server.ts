import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from '#telemetry/log.ts'
import type { Guard } from './guard.ts'
import { Problem } from './problem.ts'

/** A request of the API: decoded path segments behind the route's own, query, and the JSON body of a write. */
export interface ApiRequest {
  readonly segments: readonly string[]
  readonly query: URLSearchParams
  /** Reads the body. @throws {Problem} 400 where it is no JSON, 413 where it is too large */
  readonly json: () => Promise<unknown>
}

/** Gives the JSON of the answer; status 200, or 204 where it gives undefined. */
export type ApiHandler = (request: ApiRequest) => unknown

/** `GET /api/devices` -> handler. A route with a trailing `/*` takes further segments. */
export type ApiRoutes = ReadonlyMap<string, ApiHandler>

export interface AdminOptions {
  readonly host: string
  readonly port: number
  readonly guard: Guard
  readonly routes: ApiRoutes
  /** True where traffic may come. */
  readonly ready: () => boolean
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
    if (error instanceof Problem) {
      send(res, error.status, 'application/problem+json', `${JSON.stringify(error)}\n`)
    } else {
      options.log.error({ err: error }, 'an admin request failed by a fault of easgate')
      const problem = new Problem(500, 'Internal Server Error', 'see the log of easgate')
      send(res, 500, 'application/problem+json', `${JSON.stringify(problem)}\n`)
    }
  }
}

async function route(options: AdminOptions, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(req.url ?? '/', 'http://admin')
  switch (pathname) {
    case '/healthz':
      return send(res, 200, 'text/plain', 'ok\n')
    case '/readyz':
      return options.ready()
        ? send(res, 200, 'text/plain', 'ready\n')
        : send(res, 503, 'text/plain', 'not ready\n')
    case '/metrics':
      options.guard.metrics(req)
      return send(res, 200, 'text/plain; version=0.0.4; charset=utf-8', await options.metrics())
  }
  options.guard.api(req)
  const { handler, segments } = match(options.routes, req.method ?? '', pathname)
  const body = await handler({ segments, query: searchParams, json: () => readJson(req) })
  if (body === undefined) send(res, 204, 'application/json', '')
  else send(res, 200, 'application/json', `${JSON.stringify(body)}\n`)
}

function match(routes: ApiRoutes, method: string, pathname: string) {
  for (const [route, handler] of routes) {
    const [routeMethod = '', routePath = ''] = route.split(' ')
    const open = routePath.endsWith('/*')
    const base = open ? routePath.slice(0, -1) : routePath
    if (routeMethod !== method || !(open ? pathname.startsWith(base) : pathname === base)) continue
    return { handler, segments: open ? pathname.slice(base.length).split('/').map(decodeSegment) : [] }
  }
  throw new Problem(404, 'Not Found', `there is no ${method} ${pathname}`)
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new Problem(400, 'Bad Request', 'the path is not valid percent-encoding')
  }
}

async function readJson(req: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of req as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBodyBytes)
      throw new Problem(413, 'Content Too Large', `at most ${maxBodyBytes} bytes are taken`)
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch (cause) {
    throw new Problem(
      400,
      'Bad Request',
      `the body is not JSON: ${cause instanceof Error ? cause.message : ''}`,
    )
  }
}

function send(res: ServerResponse, status: number, type: string, body: string): void {
  res.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : undefined),
  })
  res.end(body)
}
