import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { EasError } from '#eas/errors.ts'
import { parseRequest, type EasRequest } from '#eas/parse.ts'
import type { ActResult } from '../exchange.ts'
import type { Passage } from './passage.ts'

/** What became of an upgrade, which is not walked through the pipeline. */
export type UpgradeResult = ActResult & { readonly backend: string; readonly clientAddress: string }

const unavailable = { action: 'unavailable', reason: 'upstream-unavailable' } as const

/** A request for a websocket on a route of no other kind, if it has one reading. T-37 */
export function websocketRequest(req: IncomingMessage): EasRequest | undefined {
  const { method = '', url = '', httpVersion, rawHeaders, headers } = req
  if (method !== 'GET' || httpVersion !== '1.1' || headers.upgrade?.toLowerCase() !== 'websocket') {
    return undefined
  }
  try {
    const request = parseRequest({ method, target: url, httpVersion, rawHeaders })
    return request.kind === 'closed' ? request : undefined
  } catch (error) {
    if (error instanceof EasError) return undefined
    throw error
  }
}

/**
 * Hands the client's socket to the backend's websocket. Each end ends the other; http-proxy-3 half-closes what is left
 * of a pair, and goes on with the backend where the client has left.
 * @param passage undefined where no server of the backend is healthy
 * @param settled is called once, when the backend has agreed or refused
 */
export function passUpgrade(
  passage: Passage | undefined,
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  settled: (result: ActResult) => void,
): void {
  let isSettled = false
  const settle = (result: ActResult): boolean => {
    if (isSettled) return false
    isSettled = true
    settled(result)
    return true
  }
  const sendFailure = (status: 502 | 503, server?: string) => {
    if (!settle({ status, ...unavailable, ...(server !== undefined && { server }) })) return
    const phrase = status === 502 ? 'Bad Gateway' : 'Service Unavailable'
    socket.end(`HTTP/1.1 ${status} ${phrase}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  }
  if (passage === undefined) return sendFailure(503)

  const { line, proxy, answerHeaders, answerTimeoutMs, dialFailed } = passage
  const server = line.server.name
  const endClient = () => (socket as Socket).destroySoon()
  let proxyReq: ClientRequest | undefined
  req.headers = { ...req.headers, connection: 'Upgrade', upgrade: 'websocket' }
  proxy.once('proxyReqWs', (upstreamReq) => {
    proxyReq = upstreamReq
    upstreamReq.setTimeout(answerTimeoutMs, () => upstreamReq.destroy())
    // nobody reads the socket yet, so that its end alone closes nothing
    const leave = () => socket.destroy()
    socket.once('end', leave)
    socket.once('close', () => {
      upstreamReq.destroy()
      settle({ status: 499, server })
    })
    upstreamReq.once('upgrade', (answer, upstreamSocket: Socket) => {
      socket.off('end', leave)
      answer.headers = { ...answerHeaders(answer.rawHeaders), connection: 'Upgrade', upgrade: 'websocket' }
      socket.once('close', () => upstreamSocket.destroy())
      upstreamSocket.once('close', endClient)
      settle({ status: 101, server })
    })
    upstreamReq.once('response', (answer) => {
      socket.off('end', leave)
      answer.headers = { ...answerHeaders(answer.rawHeaders), connection: 'close' }
      answer.once('close', endClient)
      settle({ status: answer.statusCode ?? 502, server })
    })
  })
  // a broken client connection; its end is seen by `close`
  proxy.on('error', () => undefined)
  proxy.ws(req, socket, head, {}, (error) => {
    if (socket.destroyed) return
    const dialled = line.isDialled(proxyReq?.socket)
    if (!dialled) dialFailed(error)
    sendFailure(dialled ? 502 : 503, server)
  })
}
