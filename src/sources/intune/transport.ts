import { Agent } from 'undici'
import { GraphError, reasonOf } from './graph-error.ts'

/** One HTTP request. `url` is sent byte for byte as it stands: a nextLink must not be changed. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST'
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  readonly signal: AbortSignal
}

/** One whole answer. Header names are in lower case. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** Sends requests over connections of its own. */
export interface Transport {
  /** @throws {GraphError} GRAPH_UNREACHABLE, GRAPH_BAD_ANSWER; the signal's reason */
  send(request: HttpRequest): Promise<HttpAnswer>
  close(): Promise<void>
}

/** A page of 1000 devices with all that is selected is about 1 MB. */
const maxBodyBytes = 32 * 1024 * 1024
/** More than the readings that run side by side, so that no look-up waits for a connection. */
const connections = 16
const connectTimeoutMs = 10_000
/** Graph may take long over a page of a large tenant. */
const answerTimeoutMs = 60_000

export function createTransport(): Transport {
  const agent = new Agent({
    connections,
    connect: { timeout: connectTimeoutMs },
    headersTimeout: answerTimeoutMs,
    bodyTimeout: answerTimeoutMs,
  })
  return {
    send: async ({ method, url, headers, body, signal }) => {
      const { origin, path } = splitUrl(url)
      try {
        const response = await agent.request({
          origin,
          path,
          method,
          headers,
          body: body ?? null,
          signal,
        })
        return {
          status: response.statusCode,
          headers: response.headers,
          body: await readBody(response.body, url),
        }
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof GraphError) throw error
        throw new GraphError('GRAPH_UNREACHABLE', `${origin} cannot be reached: ${reasonOf(error)}`, {
          cause: error,
        })
      }
    },
    close: () => agent.destroy(),
  }
}

/** The two parts of an absolute URL, neither of them changed. */
export function splitUrl(url: string): { readonly origin: string; readonly path: string } {
  const [, origin, path = ''] = /^(https?:\/\/[^/?#]+)([^#]*)$/i.exec(url) ?? []
  if (origin === undefined) throw new GraphError('GRAPH_BAD_ANSWER', 'a link is not an absolute URL')
  return { origin, path: path.startsWith('/') ? path : `/${path}` }
}

async function readBody(body: AsyncIterable<Buffer>, url: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    length += chunk.length
    if (length > maxBodyBytes) {
      throw new GraphError('GRAPH_BAD_ANSWER', `an answer of ${splitUrl(url).origin} is larger than any page`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
