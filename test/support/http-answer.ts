import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'

/** One answer as it stands on the wire. */
export interface WireAnswer {
  readonly status: number
  /** `Name: value`, in order. */
  readonly headerLines: readonly string[]
  /** Of the header in any letter case; undefined where there is none, joined where there are several. */
  readonly header: (name: string) => string | undefined
  readonly body: Buffer
}

/** A connection on which a test writes bytes as they are and reads answers one by one. */
export interface WireClient {
  readonly socket: Socket
  readonly write: (bytes: string | Uint8Array) => void
  /** The next whole answer, by its length or chunks; rejects where the connection ends before its end. */
  readonly answer: () => Promise<WireAnswer>
  /** Resolves once the connection has ended. */
  readonly ended: Promise<void>
  /** Breaks the connection off, as a phone that leaves the network does when its NAT forgets it. */
  readonly reset: () => void
}

/** Connects to a port of this machine; the connection ends with the test. */
export async function wireClient(t: Test, port: number): Promise<WireClient> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  let receivedBytes = 0
  let closed = false
  let awaiting: (() => void) | undefined
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    receivedBytes += chunk.length
    awaiting?.()
  })
  socket.on('error', () => undefined)
  const ended = new Promise<void>((resolve) => {
    socket.on('close', () => {
      closed = true
      awaiting?.()
      resolve()
    })
  })
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return {
    socket,
    ended,
    write: (bytes) => void socket.write(bytes),
    reset: () => void socket.resetAndDestroy(),
    answer: async () => {
      let atLeastBytes = 1
      for (;;) {
        if (receivedBytes >= atLeastBytes) {
          const received = Buffer.concat(chunks)
          const parsed = parseAnswer(received)
          chunks.splice(0, chunks.length, received)
          if (parsed !== undefined && parsed.length <= received.length) {
            chunks[0] = received.subarray(parsed.length)
            receivedBytes -= parsed.length
            return parsed.answer
          }
          // a large body is put together once, not with each of its pieces
          atLeastBytes = Math.max(parsed?.length ?? 0, receivedBytes + 1)
        }
        if (closed) {
          throw new Error(`the connection ended in the middle of an answer, after ${receivedBytes} bytes`)
        }
        await new Promise<void>((resolve) => {
          awaiting = resolve
        })
      }
    },
  }
}

export type Responder = (res: ServerResponse, req: IncomingMessage) => unknown

/** Runs responders behind a real socket: gives what a GET is answered. */
export async function answerer(t: Test): Promise<(respond: Responder) => Promise<WireAnswer>> {
  let responder: Responder | undefined
  const port = await listen(t, (req, res) => void responder?.(res, req))
  return async (respond) => {
    responder = respond
    const client = await wireClient(t, port)
    client.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
    const answer = await client.answer()
    client.socket.destroy()
    return answer
  }
}

/** Serves on a free port until the test ends. */
export async function listen(
  t: Test,
  onRequest: (req: IncomingMessage, res: ServerResponse) => void,
): Promise<number> {
  const server = createServer(onRequest)
  server.on('checkContinue', onRequest)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** Undefined where it cannot be said yet how long the answer is; `length` may be more than is there. */
function parseAnswer(bytes: Buffer): { answer: WireAnswer; length: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const [statusLine = '', ...headerLines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1])
  const header = (name: string) => {
    const prefix = `${name.toLowerCase()}:`
    const lines = headerLines.filter((line) => line.toLowerCase().startsWith(prefix))
    return lines.length === 0 ? undefined : lines.map((line) => line.slice(prefix.length).trim()).join(', ')
  }
  const framed = bodyOf(bytes.subarray(headEnd + 4), status, header)
  if (framed === undefined) return undefined
  return { answer: { status, headerLines, header, body: framed.body }, length: headEnd + 4 + framed.length }
}

function bodyOf(
  rest: Buffer,
  status: number,
  header: WireAnswer['header'],
): { body: Buffer; length: number } | undefined {
  if (status < 200 || status === 204 || status === 304) return { body: Buffer.alloc(0), length: 0 }
  if (header('transfer-encoding') !== 'chunked') {
    const length = Number(header('content-length') ?? 0)
    return { body: rest.subarray(0, length), length }
  }
  const chunks: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = rest.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(rest.subarray(at, lineEnd).toString('latin1'), 16)
    const begin = lineEnd + 2
    if (rest.length < begin + size + 2) return undefined
    if (size === 0) return { body: Buffer.concat(chunks), length: begin + 2 }
    chunks.push(rest.subarray(begin, begin + size))
    at = begin + size + 2
  }
}
