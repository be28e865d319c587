import { readFileSync } from 'node:fs'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { PushSourceConfig } from '#config/sources.ts'

/** What a push is answered. */
export interface PushAnswer {
  readonly status: 200 | 400 | 401 | 404 | 413 | 429 | 503
  readonly json: unknown
}

/** The parts of a request that a push consists of. */
export interface PushRequest {
  /** Of the peer; empty where it is gone. */
  readonly address: string
  /** In lower case; joined by a comma where one stands twice. */
  readonly header: (name: string) => string | undefined
  /** Reads the body, once. */
  readonly body: () => Promise<PushBody>
}

/** A body; or that it is too large, or that its sender went away in the middle of it. */
export type PushBody = Buffer | 'too-large' | 'broken-off'

export interface PushListenerOptions {
  readonly config: Pick<PushSourceConfig, 'tls'>
  readonly host: string
  readonly port: number
  /** Must not reject. */
  readonly answer: (request: PushRequest) => Promise<PushAnswer>
}

/** A listener that has one route. */
export interface PushListener {
  /** Resolves with the port, once connections are taken. */
  readonly start: () => Promise<number>
  readonly close: () => Promise<void>
}

export const maxPushBytes = 1024 * 1024
const maxHeaderBytes = 8192
/** A sender that is slower than this is none: a push is small. T-44 */
const headersMs = 5000
const requestMs = 10_000
const checkIntervalMs = 1000
const idleMs = 5000
/** Bodies that may be held at once are bounded by the connections. T-46 */
const maxConnections = 64
const maxConnectionsOfOne = 32

/** @throws the file system's error where certificate or key cannot be read */
export function createPushListener({ config, host, port, answer }: PushListenerOptions): PushListener {
  const options = {
    insecureHTTPParser: false,
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    keepAliveTimeout: idleMs,
    connectionsCheckingInterval: checkIntervalMs,
    noDelay: true,
  }
  const onRequest = (req: IncomingMessage, res: ServerResponse) => void serve(answer, req, res)
  const server =
    config.tls === undefined
      ? createHttpServer(options, onRequest)
      : createHttpsServer(
          {
            ...options,
            cert: readFileSync(config.tls.certFile),
            key: readFileSync(config.tls.keyFile),
            minVersion: 'TLSv1.2',
            handshakeTimeout: headersMs,
          },
          onRequest,
        )
  server.maxConnections = maxConnections
  const connections = new Map<string, number>()
  server.on('connection', (socket: Socket) => limitPerAddress(connections, socket))

  return {
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
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

/** One address cannot keep all others out. */
function limitPerAddress(connections: Map<string, number>, socket: Socket): void {
  const address = socket.remoteAddress ?? ''
  const open = (connections.get(address) ?? 0) + 1
  if (open > maxConnectionsOfOne) {
    socket.destroy()
    return
  }
  connections.set(address, open)
  socket.once('close', () => {
    const left = (connections.get(address) ?? 1) - 1
    if (left === 0) connections.delete(address)
    else connections.set(address, left)
  })
}

async function serve(
  answer: PushListenerOptions['answer'],
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  // the target as it stands in the request line: nothing is normalised, and there is no query
  const isPush = req.method === 'POST' && req.url === '/facts'
  const { status, json } = isPush
    ? await answer({
        address: req.socket.remoteAddress ?? '',
        header: (name) => headerOf(req, name),
        body: () => readBody(req),
      })
    : { status: 404, json: { title: 'Not Found', status: 404 } }
  if (res.destroyed) return
  const text = `${JSON.stringify(json)}\n`
  res.writeHead(status, {
    'Content-Type': status === 200 ? 'application/json' : 'application/problem+json',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    ...(status === 429 || status === 503 ? { 'Retry-After': '5' } : undefined),
    // a body that was not read would stand before the next request; who is refused learns nothing by the difference
    ...(status === 200 ? undefined : { Connection: 'close' }),
  })
  res.end(text)
  req.resume()
}

function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(',') : value
}

async function readBody(req: IncomingMessage): Promise<PushBody> {
  if (Number(req.headers['content-length'] ?? 0) > maxPushBytes) return 'too-large'
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > maxPushBytes) return 'too-large'
      chunks.push(chunk)
    }
  } catch {
    return 'broken-off'
  }
  return Buffer.concat(chunks)
}
