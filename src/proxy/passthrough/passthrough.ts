import { createProxyServer } from 'http-proxy-3'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Config } from '#config/schema.ts'
import { EasError } from '#eas/errors.ts'
import type { RequestHeaders } from '#eas/headers.ts'
import type { RouteHandler } from '../act.ts'
import { takeBody } from '../body.ts'
import { createClientLines, type Line } from './client-lines.ts'
import type { Passage } from './passage.ts'
import { forwardedHeaders, type PublicSide } from '../forwarded-headers.ts'
import { passthroughRequestHeaders, passthroughResponseHeaders } from './passthrough-headers.ts'
import { passRequest } from './passthrough-request.ts'
import { passUpgrade, websocketRequest, type UpgradeResult } from './passthrough-upgrade.ts'
import { sendUnavailable } from '../respond.ts'
import { isPassthrough } from '../routing.ts'
import type { Backend, Upstreams } from '../upstreams.ts'

export interface PassthroughDeps extends PublicSide {
  readonly prefixes: readonly string[]
  /** Where these routes lead: the default backend. */
  readonly backend: Backend
  readonly upstreams: Pick<Upstreams, 'serversFor' | 'serverOf' | 'dialFailed'>
  readonly limits: Pick<Config['limits'], 'connectSeconds' | 'upstreamSeconds' | 'maxBodyBytes'>
}

/** The routes under `routing.passthrough`: nothing is enforced there but framing and headers. T-25 */
export interface Passthrough {
  readonly handle: RouteHandler
  /**
   * Takes a websocket upgrade of a passthrough route, and tells once what became of it; gives false where the request
   * is none, or could be read in two ways.
   * @param peer address that speaks to us
   */
  readonly upgrade: (
    req: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    peer: string,
    settled: (result: UpgradeResult) => void,
  ) => boolean
  /** Ends every connection to the backend, upgraded ones too. */
  readonly close: () => void
}

/** Methods that show a request's headers to a script, or ask for a tunnel. */
const refusedMethods = new Set(['TRACE', 'TRACK', 'CONNECT'])
const unavailable = { action: 'unavailable', reason: 'upstream-unavailable' } as const

/** Proxies by http-proxy-3, which is given headers, path and framing as `eas/` let them through. */
export function createPassthrough(deps: PassthroughDeps): Passthrough {
  const { backend, upstreams, limits } = deps
  const lines = createClientLines(backend, upstreams)
  const upgraded = new Set<Duplex>()
  const answerTimeoutMs = limits.upstreamSeconds * 1000

  const answerHeaders = (rawHeaders: readonly string[]) =>
    passthroughResponseHeaders(rawHeaders, (url) => {
      if (upstreams.serverOf(url) === undefined) return url
      const { pathname, search, hash } = new URL(url)
      return `${deps.publicUrl()}${pathname}${search}${hash}`
    })

  const passageOf = (line: Line): Passage => ({
    line,
    proxy: createProxyServer({
      target: line.server.origin,
      agent: line.agent,
      // the path as it came; without this it would be written anew by the rules of URLs. T-26
      toProxy: true,
      prependPath: false,
      selfHandleResponse: true,
      connectTimeout: limits.connectSeconds * 1000,
      proxyTimeout: answerTimeoutMs,
    }),
    answerTimeoutMs,
    answerHeaders,
    dialFailed: (error) => upstreams.dialFailed(backend, line.server, error),
  })

  const upstreamHeaders = (
    { rawHeaders }: IncomingMessage,
    line: Line,
    peer: string,
    headers: RequestHeaders,
  ): IncomingHttpHeaders => {
    const named = backend.kind === 'exchange-online' ? line.server.origin : deps.publicUrl()
    return passthroughRequestHeaders(rawHeaders, [
      // from the config, never from the client: Exchange makes its redirects of it. T-43
      'Host',
      new URL(named).host,
      ...forwardedHeaders(deps, peer, headers.forwardedFor),
    ])
  }

  return {
    handle: async ({ req, res, peer, expectsContinue }, { request, clientAddress }) => {
      if (refusedMethods.has(request.method)) {
        throw new EasError('EAS_METHOD_NOT_ALLOWED', `${request.method} is not passed through`)
      }
      const line = lines.lineOf(req.socket, clientAddress)
      if (line === undefined) return { status: sendUnavailable(res), ...unavailable }
      const { maxBodyBytes } = limits
      const body = await takeBody(req, request.headers, { bufferedBodyBytes: 0, maxBodyBytes })
      if (expectsContinue) res.writeContinue()
      req.headers = upstreamHeaders(req, line, peer, request.headers)
      return passRequest(passageOf(line), req, res, body.kind === 'stream' ? body.stream : undefined)
    },

    upgrade: (req, socket, head, peer, settled) => {
      const request = websocketRequest(req)
      if (request === undefined || !isPassthrough(request.path, deps.prefixes)) return false
      const { headers } = request
      const clientAddress = deps.addresses.clientAddress(peer, headers.forwardedFor)
      const line = lines.lineOf(socket, clientAddress)
      upgraded.add(socket)
      socket.once('close', () => upgraded.delete(socket))
      if (line !== undefined) req.headers = upstreamHeaders(req, line, peer, headers)
      const passage = line === undefined ? undefined : passageOf(line)
      passUpgrade(passage, req, socket, head, (result) =>
        settled({ ...result, backend: backend.name, clientAddress }),
      )
      return true
    },

    close: () => {
      lines.close()
      for (const socket of upgraded) socket.destroy()
    },
  }
}
