import {
  STATUS_CODES,
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { Socket, type AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { readFileSync } from 'node:fs'
import type { Config } from '#config/schema.ts'
import { EasError } from '#eas/errors.ts'
import type { Outcome } from '#telemetry/outcome.ts'
import { createAddressBook, peerAddress } from './client-address.ts'
import { nextRequestId, type Exchange } from '../exchange.ts'
import { unjudgedOutcome, type Unjudged } from '../observe.ts'
import type { Passthrough } from '../passthrough/passthrough.ts'
import type { Pipeline } from '../pipeline.ts'
import { requireProxyHeader } from './proxy-header-gate.ts'
import { sendMalformed } from '../respond.ts'

export interface ListenerOptions {
  readonly listen: Config['listen']
  readonly limits: Pick<Config['limits'], 'headersSeconds' | 'requestSeconds'>
  readonly walk: Pipeline
  readonly observe: (outcome: Outcome) => void
  readonly policyRevision: () => number
  readonly upgrade: Passthrough['upgrade']
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
/** A client that sends on while it is refused is read for this long, so that it gets to see the refusal. T-36 */
const lingerMs = 1000

/** Opens nothing yet. The strict parser of Node is on, and what it lets pass is judged in `eas/`. T-31 to T-37 */
export function createListener(options: ListenerOptions): Listener {
  const { listen, limits, walk } = options
  const serverOptions = {
    insecureHTTPParser: false,
    // Node would answer by itself, without a trace in log and metrics
    requireHostHeader: false,
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
      : createHttpsServer({
          ...serverOptions,
          ...tlsOptions(listen.tls),
          handshakeTimeout: limits.headersSeconds * 1000,
        })
  // a limit here would cut the list of headers in silence: they are counted where they are read. T-33
  server.maxHeadersCount = 0
  // a parked Ping says nothing for up to an hour
  server.timeout = 0

  const gate =
    listen.proxyProtocol === 'off'
      ? undefined
      : requireProxyHeader(server, {
          isTrusted: createAddressBook(listen.trustedProxies).isTrusted,
          headerTimeoutMs: limits.headersSeconds * 1000,
          refused: (peer) => options.observe(unreadOutcome(malformed(0, peer))),
        })
  const peerOf = (socket: Duplex): string =>
    gate?.addressOf(socket) ?? peerAddress(socket instanceof Socket ? socket.remoteAddress : undefined)

  /** The last answer begun on a connection: a refusal out of turn must not be taken for it, nor stand in the midst of it. */
  const lastAnswers = new WeakMap<Duplex, ServerResponse>()
  /** Connections that were refused: each is counted once, whatever it still sends. */
  const refused = new WeakSet<Duplex>()

  const exchangeOf = (req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): Exchange => {
    lastAnswers.set(req.socket, res)
    const peer = peerOf(req.socket)
    const requestId = nextRequestId()
    return { req, res, requestId, startedMs: performance.now(), peer, expectsContinue }
  }
  const unreadOutcome = (unjudged: Omit<Unjudged, 'policyRevision'>): Outcome => {
    const begun = { requestId: nextRequestId(), startedMs: performance.now() }
    return unjudgedOutcome(begun, { ...unjudged, policyRevision: options.policyRevision() })
  }
  /** Refuses what never became a request. The connection may be out of step, and ends. */
  const refuseRaw = (socket: Duplex, status: number) => {
    if (refused.has(socket)) return
    refused.add(socket)
    options.observe(unreadOutcome(malformed(status, peerOf(socket))))
    if (mayAnswerRaw(lastAnswers.get(socket))) endRaw(socket, status)
    else socket.destroy()
  }

  const refuseHard = ({ res, peer }: Exchange, error: EasError) => {
    const outcome = unreadOutcome(malformed(sendMalformed(res, error), peer))
    options.observe({ ...outcome, code: error.code })
  }
  const take = (req: IncomingMessage, res: ServerResponse, expectsContinue: boolean) => {
    const exchange = exchangeOf(req, res, expectsContinue)
    if (namesHost(req)) void walk(exchange)
    else refuseHard(exchange, new EasError('EAS_HOST_INVALID', 'HTTP/1.1 needs a Host'))
  }

  server.on('request', (req, res) => take(req, res, false))
  // decided before the client is told to go on. T-36
  server.on('checkContinue', (req, res) => take(req, res, true))
  server.on('checkExpectation', (req, res) => {
    const error = new EasError('EAS_EXPECT_UNKNOWN', 'expected 100-continue or nothing')
    refuseHard(exchangeOf(req, res, false), error)
  })
  server.on('upgrade', (req, socket, head) => {
    socket.on('error', () => socket.destroy())
    const isTaken = options.upgrade(req, socket, head, peerOf(socket), (result) => {
      const { status, action = 'allow', reason = 'not-targeted', clientAddress, backend, server } = result
      const outcome = unreadOutcome({ action, reason, status, code: undefined, clientAddress })
      options.observe({ ...outcome, rule: 'passthrough', backend, server })
    })
    if (!isTaken) refuseRaw(socket, 400)
  })
  server.on('connect', (_req, socket) => {
    socket.on('error', () => socket.destroy())
    refuseRaw(socket, 405)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const last = lastAnswers.get(socket)
    // the pipeline tells of a client that leaves in the middle of its request
    const left = error.code === 'HPE_INVALID_EOF_STATE' && last !== undefined && !last.writableFinished
    if (isParserError(error.code) && !left) refuseRaw(socket, parserStatus(error.code))
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
        gate?.close()
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

/** 0 stands for no answer. */
function malformed(status: number, clientAddress: string) {
  const code = 'EAS_FRAMING_INVALID'
  return { action: 'reject', reason: 'malformed-request', status, code, clientAddress } as const
}

function namesHost({ httpVersion, rawHeaders }: IncomingMessage): boolean {
  return httpVersion !== '1.1' || rawHeaders.some((name, index) => index % 2 === 0 && /^host$/i.test(name))
}

/** The other errors are of the connection: it broke, and nothing was refused. */
function isParserError(code: string | undefined): boolean {
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' || code?.startsWith('HPE_') === true
}

function parserStatus(code: string | undefined): number {
  if (code === 'HPE_HEADER_OVERFLOW') return 431
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 408
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return 413
  return 400
}

/** True where the next bytes on the connection are read as the answer to what is refused. T-38 */
function mayAnswerRaw(last: ServerResponse | undefined): boolean {
  if (last === undefined || last.writableFinished) return true
  // still in line behind another answer, begun, or the answer to a request that was whole
  return last.socket !== null && !last.headersSent && !last.req.complete
}

function endRaw(socket: Duplex, status: number): void {
  if (!socket.writable) return void socket.destroy()
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  socket.resume()
  setTimeout(() => socket.destroy(), lingerMs).unref()
}
