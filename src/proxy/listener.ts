import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { readFileSync } from 'node:fs'
import type { Config } from '#config/schema.ts'
import { EasError } from '#eas/errors.ts'
import type { Outcome } from '#telemetry/outcome.ts'
import { peerAddress } from './client-address.ts'
import { nextRequestId, type Exchange } from './exchange.ts'
import { unjudgedOutcome } from './observe.ts'
import type { Pipeline } from './pipeline.ts'
import { sendMalformed } from './respond.ts'

export interface ListenerOptions {
  readonly listen: Config['listen']
  readonly limits: Pick<Config['limits'], 'headersSeconds' | 'requestSeconds'>
  readonly walk: Pipeline
  readonly observe: (outcome: Outcome) => void
  readonly policyRevision: () => number
  /** Takes an Upgrade request of a passthrough route; gives false where the route is none. */
  readonly upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => boolean
}

/** The proxy's listener. */
export interface Listener {
  /** Resolves with the port, once connections are taken. */
  readonly start: () => Promise<number>
  /** Takes no more connections and ends those that are open. */
  readonly close: () => Promise<void>
}

const maxHeaderBytes = 16_384
/** Phones keep a connection for their next command; a balancer in front must give up earlier than we do. */
const idleMs = 120_000
const checkIntervalMs = 2000
const tcpKeepAliveMs = 60_000

/** Opens nothing yet. The strict parser of Node is on, and what it lets pass is judged in `eas/`. T-31 to T-37 */
export function createListener(options: ListenerOptions): Listener {
  const { listen, limits, walk } = options
  const serverOptions = {
    insecureHTTPParser: false,
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: limits.headersSeconds * 1000,
    requestTimeout: limits.requestSeconds * 1000,
    keepAliveTimeout: idleMs,
    connectionsCheckingInterval: checkIntervalMs,
    keepAlive: true,
    keepAliveInitialDelay: tcpKeepAliveMs,
    noDelay: true,
  }
  const server: Server =
    listen.tls === undefined
      ? createHttpServer(serverOptions)
      : createHttpsServer({ ...serverOptions, ...tlsOptions(listen.tls) })
  // a limit here would cut the list of headers in silence: they are counted where they are read. T-33
  server.maxHeadersCount = 0
  // a parked Ping says nothing for up to an hour
  server.timeout = 0

  const exchangeOf = (req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): Exchange => ({
    req,
    res,
    requestId: nextRequestId(),
    startedMs: performance.now(),
    peer: peerAddress(req.socket.remoteAddress),
    expectsContinue,
  })
  const refuseHard = (exchange: Exchange, error: EasError) => {
    options.observe(malformedOutcome(exchange, sendMalformed(exchange.res, error), error.code))
  }
  const malformedOutcome = (exchange: Exchange, status: number, code: string): Outcome =>
    unjudgedOutcome(exchange, {
      action: 'reject',
      reason: 'malformed-request',
      status,
      code,
      clientAddress: exchange.peer,
      policyRevision: options.policyRevision(),
    })

  server.on('request', (req, res) => void walk(exchangeOf(req, res, false)))
  // decided before the client is told to go on. T-36
  server.on('checkContinue', (req, res) => void walk(exchangeOf(req, res, true)))
  server.on('checkExpectation', (req, res) => {
    refuseHard(
      exchangeOf(req, res, false),
      new EasError('EAS_EXPECT_UNKNOWN', 'expected 100-continue or nothing'),
    )
  })
  server.on('upgrade', (req, socket, head) => {
    socket.on('error', () => socket.destroy())
    if (!options.upgrade(req, socket, head)) endRaw(socket, '400 Bad Request')
  })
  server.on('connect', (_req, socket) => {
    socket.on('error', () => socket.destroy())
    endRaw(socket, '405 Method Not Allowed')
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (socket.writable && !socket.destroyed) endRaw(socket, parserStatus(error.code))
    else socket.destroy()
  })

  return {
    start: () =>
      new Promise((resolve, reject) => {
        const { host, port } = splitAddress(listen.address)
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

/** `[::1]:8080` or `mail:443`, as the config has checked it. */
export function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) }
}

function tlsOptions(tls: NonNullable<Config['listen']['tls']>) {
  return {
    cert: readFileSync(tls.certFile),
    key: readFileSync(tls.keyFile),
    minVersion: tls.minVersion,
    ...(tls.clientCaFile === undefined ? undefined : { ca: readFileSync(tls.clientCaFile) }),
    requestCert: tls.clientCertificates !== 'off',
    // an optional certificate that does not verify is refused where it is read, with a reason
    rejectUnauthorized: tls.clientCertificates === 'required',
  }
}

/** What Node's parser refused never became a request; the connection is out of step and ends. */
function parserStatus(code: string | undefined): string {
  if (code === 'HPE_HEADER_OVERFLOW') return '431 Request Header Fields Too Large'
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return '408 Request Timeout'
  return '400 Bad Request'
}

function endRaw(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
