import type { ServerResponse } from 'node:http'

/** A whole answer. Header names and values stand one after the other. */
export interface Answer {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: string
}

/**
 * Sends an answer that was made elsewhere: a page, an Autodiscover text, a bare status of the backend.
 * @returns its status
 */
export function sendAnswer(res: ServerResponse, { status, headers, body }: Answer): number {
  if (res.headersSent || res.destroyed) {
    res.destroy()
    return status
  }
  const bytes = Buffer.from(body)
  res.writeHead(status, [...headers, 'Content-Length', String(bytes.length), 'Cache-Control', 'private'])
  res.end(bytes)
  return status
}
