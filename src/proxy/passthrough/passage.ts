import type { ProxyServer } from 'http-proxy-3'
import type { IncomingHttpHeaders } from 'node:http'
import type { Line } from './client-lines.ts'

/** What one request or upgrade needs of its way upstream. */
export interface Passage {
  readonly line: Line
  /** http-proxy-3, aimed at the server of the line; to be used once. */
  readonly proxy: ProxyServer
  readonly answerTimeoutMs: number
  /** The response headers for the client. */
  readonly answerHeaders: (rawHeaders: readonly string[]) => IncomingHttpHeaders
  /** The server took no connection: it is ejected, and the next request meets another. */
  readonly dialFailed: (error: Error) => void
}
