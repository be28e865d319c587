import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'

/** One request as it reached the upstream. */
export interface ReceivedRequest extends Connection {
  readonly method: string
  /** As received, byte for byte. */
  readonly url: string
  readonly headers: IncomingMessage['headers']
  /** name, value, ... in their own spelling. */
  readonly rawHeaders: readonly string[]
  /** Reads the body from here on; rejects where it breaks off. */
  readonly body: () => Promise<Buffer>
}

/** A connection to the upstream. */
interface Connection {
  /** Counted from 0. */
  readonly connection: number
  /** Resolves once it is closed. */
  readonly gone: Promise<void>
}

export type Reply = (request: ReceivedRequest, res: ServerResponse) => void | Promise<void>

/** A server that keeps what reaches it. */
export interface RecordingUpstream {
  readonly url: string
  /** In order of arrival, without health checks. */
  readonly requests: readonly ReceivedRequest[]
  readonly healthChecks: readonly ReceivedRequest[]
  /** Resolves with the request of that number, from 0, once its head has arrived. */
  readonly request: (index: number) => Promise<ReceivedRequest>
  /** Connections taken so far. */
  readonly connections: () => number
  /** Ends every connection and takes no more; the port stays known. */
  readonly stop: () => Promise<void>
  /** Listens again on the same port. */
  readonly restart: () => Promise<void>
}

/** What the usual answer to a command holds. */
export const usualAnswer = Buffer.from('03016a0045470331000101', 'hex')

/** Proves every login and answers every command with the same bytes. */
export const usualReply: Reply = async (request, res) => {
  if (request.method === 'OPTIONS') {
    res.writeHead(200, { 'MS-ASProtocolVersions': '14.1,16.1', 'Content-Length': 0 }).end()
    return
  }
  await request.body()
  res.writeHead(200, {
    'Content-Type': 'application/vnd.ms-sync.wbxml',
    'Content-Length': usualAnswer.length,
  })
  res.end(usualAnswer)
}

/** Starts one on a free port; it ends with the test. */
export async function recordingUpstream(t: Test, reply: Reply = usualReply): Promise<RecordingUpstream> {
  const requests: ReceivedRequest[] = []
  const healthChecks: ReceivedRequest[] = []
  const connections = new Map<Socket, Connection>()
  const awaited = new Map<number, (request: ReceivedRequest) => void>()
  const connectionOf = (socket: Socket): Connection => {
    const known = connections.get(socket)
    if (known !== undefined) return known
    // not by `once`, which would reject where a request breaks off
    const gone = new Promise<void>((resolve) => socket.on('close', () => resolve()))
    const opened = { connection: connections.size, gone }
    connections.set(socket, opened)
    return opened
  }
  const server = createServer({ keepAliveTimeout: 60_000 }, (req, res) => {
    const { method = '', url = '', headers, rawHeaders, socket } = req
    let body: Promise<Buffer> | undefined
    const request: ReceivedRequest = {
      method,
      url,
      headers,
      rawHeaders,
      ...connectionOf(socket),
      body: () => (body ??= collect(req)),
    }
    if (url.endsWith('/healthcheck.htm')) {
      healthChecks.push(request)
      res.writeHead(200, { 'Content-Length': 0 }).end()
      return
    }
    requests.push(request)
    awaited.get(requests.length - 1)?.(request)
    // what is sent into a broken connection is the test's business, not a fault of this server
    Promise.resolve(reply(request, res)).catch(() => res.destroy())
  })
  server.on('connection', connectionOf)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  t.teardown(stop)
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    healthChecks,
    request: (index) => {
      const arrived = requests[index]
      if (arrived !== undefined) return Promise.resolve(arrived)
      return new Promise((resolve) => {
        awaited.set(index, resolve)
      })
    },
    connections: () => connections.size,
    stop,
    restart: async () => {
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
    },
  }
}

async function collect(req: IncomingMessage): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(req as AsyncIterable<Buffer>))
}

/** A TCP server that does as the test says with each connection: for what no HTTP server would send. */
export async function rawUpstream(
  t: Test,
  onConnection: (socket: Socket, number: number) => void,
): Promise<{ readonly url: string; readonly connections: () => number }> {
  const sockets = new Set<Socket>()
  let connectionCount = 0
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    onConnection(socket, connectionCount++)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, connections: () => connectionCount }
}

/** Answers each request head of a raw connection with these bytes. Only for requests without a body. */
export function answerRaw(bytes: string | Buffer): (socket: Socket) => void {
  return (socket) => {
    socket.on('data', (chunk: Buffer) => {
      if (chunk.includes('\r\n\r\n')) socket.write(bytes)
    })
  }
}

/** Where nobody listens: ports that need privileges and are long out of use. Connections are refused. */
export const refusingUrls = ['http://127.0.0.1:1', 'http://127.0.0.1:2'] as const
