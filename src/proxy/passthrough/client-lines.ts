import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { isIP, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Backend, BackendTls, Server, Upstreams } from '../upstreams.ts'

/** The upstream connection of one client connection. */
export interface Line {
  readonly server: Server
  /** Holds one connection at most, and dials again where the server has closed it. */
  readonly agent: HttpAgent
  /** True for a socket of this line that was connected, with TLS where there is any: what fails now was sent. */
  readonly isDialled: (socket: Socket | null | undefined) => boolean
}

/** One line per client connection: NTLM and Negotiate authenticate the connection, so it is never another's. T-18 */
export interface ClientLines {
  /** The client's line; undefined where no server of the backend is healthy. The same client address meets the same server. */
  readonly lineOf: (socket: Duplex, clientAddress: string) => Line | undefined
  readonly close: () => void
}

/** Each line ends with the client's socket. */
export function createClientLines(backend: Backend, upstreams: Pick<Upstreams, 'serversFor'>): ClientLines {
  const lines = new Map<Duplex, Line>()
  return {
    lineOf: (socket, clientAddress) => {
      const open = lines.get(socket)
      if (open?.server.healthy === true) return open
      open?.agent.destroy()
      const [server] = upstreams.serversFor(backend, clientAddress)
      if (server === undefined || socket.destroyed) return undefined
      if (open === undefined) {
        socket.once('close', () => {
          lines.get(socket)?.agent.destroy()
          lines.delete(socket)
        })
      }
      const line = openLine(server, backend.tls)
      lines.set(socket, line)
      return line
    },
    close: () => {
      for (const { agent } of lines.values()) agent.destroy()
    },
  }
}

function openLine(server: Server, tls: BackendTls): Line {
  const { protocol, hostname } = new URL(server.origin)
  const secure = protocol === 'https:'
  const options = { keepAlive: true, keepAliveMsecs: 60_000, maxSockets: 1 }
  // by default Node checks a certificate against the Host header, which here is the public name
  const servername = isIP(hostname.replace(/^\[|\]$/g, '')) === 0 ? hostname : ''
  const agent = secure ? new HttpsAgent({ ...options, ...tls, servername }) : new HttpAgent(options)
  const dialled = new WeakSet<Duplex>()
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (...args) => {
    const socket = connect(...args)
    socket?.once(secure ? 'secureConnect' : 'connect', () => dialled.add(socket))
    return socket
  }
  return { server, agent, isDialled: (socket) => socket instanceof Socket && dialled.has(socket) }
}
