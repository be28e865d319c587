import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import { pipeline, type Readable } from 'node:stream'
import { EasError } from '#eas/errors.ts'
import type { ActResult } from '../exchange.ts'
import type { Passage } from './passage.ts'
import { sendUnavailable } from '../respond.ts'

const unavailable = { action: 'unavailable', reason: 'upstream-unavailable' } as const

/** Interim answers (1xx) that a server may send before its answer. T-41 */
const maxInterim = 16

/**
 * One request of a passthrough route, and its answer. What http-proxy-3 leaves open is closed here: an answer that
 * breaks off, an unasked 101, odd statuses, a body that turns out too large.
 * @param body its counted body; undefined where it has none
 * @throws {EasError} where the body fails
 */
export function passRequest(
  { line, proxy, answerHeaders, dialFailed }: Passage,
  req: IncomingMessage,
  res: ServerResponse,
  body: Readable | undefined,
): Promise<ActResult> {
  const server = line.server.name
  const sentAtMs = performance.now()
  return new Promise((resolve, reject) => {
    let proxyReq: ClientRequest | undefined
    let answered = false
    let settled = false
    let timedOut = false
    let interim = 0
    let upstreamMs: number | undefined

    const settle = (result: ActResult) => {
      settled = true
      resolve({ ...result, server, ...(upstreamMs !== undefined && { upstreamMs }) })
    }
    const fail = (error: Error) => {
      if (settled || answered) return
      if (res.destroyed || req.socket.destroyed) return settle({ status: 499 })
      const dialled = line.isDialled(proxyReq?.socket)
      if (!dialled) dialFailed(error)
      // the rest of the body would stand before the next request
      if (!req.complete) res.shouldKeepAlive = false
      const status = dialled ? (timedOut ? 504 : 502) : 503
      settle({ status: sendUnavailable(res, status), ...unavailable })
    }

    res.once('close', () => settle({ status: res.headersSent ? res.statusCode : 499 }))
    body?.once('error', (error) => {
      // that the client left is told by the response
      if (settled || !(error instanceof EasError)) return
      settled = true
      reject(error)
      proxyReq?.destroy()
    })
    proxy.once('proxyReq', (request) => {
      proxyReq = request
      request.once('timeout', () => (timedOut = true))
      request.on('information', () => {
        if (++interim > maxInterim) request.destroy()
      })
      // an unasked 101 ends without an error and without an answer. T-37
      request.once('close', () => fail(new Error('the server ended without an answer')))
    })
    proxy.once('proxyRes', (answer) => {
      const { statusCode = 0, rawHeaders } = answer
      if (settled || statusCode < 200 || statusCode > 599) {
        answer.destroy()
        fail(new Error(`the server answered ${statusCode}`))
        return
      }
      answered = true
      upstreamMs = performance.now() - sentAtMs
      // an answer before the whole body was read leaves the connection out of step
      if (!req.complete) res.shouldKeepAlive = false
      res.writeHead(statusCode, answerHeaders(rawHeaders))
      // each end ends the other: an answer that breaks off must not look whole, nor leave the client hanging. T-41
      pipeline(answer, res, () => undefined)
    })
    proxy.web(req, res, body === undefined ? {} : { buffer: body }, fail)
  })
}
