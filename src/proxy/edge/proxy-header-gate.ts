import type { Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { peerAddress } from './client-address.ts'
import { parseProxyHeader } from './proxy-protocol.ts'

export interface ProxyHeaderGateOptions {
  /** Who may speak for a client. */
  readonly isTrusted: (peer: string) => boolean
  /** A header must be there within this time. */
  readonly headerTimeoutMs: number
  /** Told once for each connection that is ended here, but not for one that says nothing: balancers look in like that. */
  readonly refused: (peer: string) => void
}

/** Stands before a server, and lets a connection in once its PROXY protocol header is read. */
export interface ProxyHeaderGate {
  /** The client's address by the header; undefined where the peer spoke for itself. */
  readonly addressOf: (socket: Duplex) => string | undefined
  /** Ends the connections that are still at the gate. */
  readonly close: () => void
}

/**
 * Takes over the connections of an HTTP or HTTPS server. Each gives a header in its first bytes, from a trusted peer, or
 * is ended; then the server goes on with what follows the header. T-43
 */
export function requireProxyHeader(server: Server, options: ProxyHeaderGateOptions): ProxyHeaderGate {
  const accept = server.listeners('connection')
  const waiting = new Set<Socket>()
  const addresses = new WeakMap<Duplex, string>()
  // Node does not say which connection a TLS socket stands on, but both ends of one are only once open at a time
  const addressesByEnds = new Map<string, string>()

  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    const peer = peerAddress(socket.remoteAddress)
    if (!options.isTrusted(peer)) {
      options.refused(peer)
      socket.destroy()
      return
    }
    const end = () => {
      if (socket.bytesRead > 0) options.refused(peer)
      socket.destroy()
    }
    const timer = setTimeout(end, options.headerTimeoutMs)
    const leave = () => {
      clearTimeout(timer)
      waiting.delete(socket)
    }
    const destroy = () => socket.destroy()
    let bytes: Buffer = Buffer.alloc(0)
    const read = () => {
      const chunk = socket.read() as Buffer | null
      if (chunk === null) return
      bytes = Buffer.concat([bytes, chunk])
      const header = parseProxyHeader(bytes)
      if (header.kind === 'incomplete') return
      if (header.kind === 'invalid') return end()
      leave()
      socket.off('readable', read).off('close', leave).off('error', destroy)
      socket.unshift(bytes.subarray(header.length))
      if (header.address !== undefined) remember(socket, peerAddress(header.address))
      for (const listener of accept) listener.call(server, socket)
    }
    waiting.add(socket)
    socket.on('readable', read).on('close', leave).on('error', destroy)
  })
  server.prependListener('secureConnection', (socket: Socket) => {
    const address = addressesByEnds.get(endsOf(socket))
    if (address !== undefined) addresses.set(socket, address)
  })

  const remember = (socket: Socket, address: string) => {
    addresses.set(socket, address)
    const ends = endsOf(socket)
    addressesByEnds.set(ends, address)
    socket.once('close', () => addressesByEnds.delete(ends))
  }

  return {
    addressOf: (socket) => addresses.get(socket),
    close: () => {
      for (const socket of waiting) socket.destroy()
    },
  }
}

function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return JSON.stringify([remoteAddress, remotePort, localAddress, localPort])
}
