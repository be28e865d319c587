import { BlockList, isIP } from 'node:net'

/** Says whether a peer is one of `listen.trustedProxies`, and which address a request really came from. T-43 */
export interface AddressBook {
  readonly isTrusted: (peer: string) => boolean
  /**
   * The client's address: the peer, or, behind trusted proxies, the last address in X-Forwarded-For that is not
   * itself a trusted proxy.
   */
  readonly clientAddress: (peer: string, forwardedFor: string | undefined) => string
  /** The X-Forwarded-For to send upstream: only what trusted proxies said, and the peer. */
  readonly forwardedFor: (peer: string, received: string | undefined) => string
}

/** Compiles the list of addresses and CIDR ranges. */
export function createAddressBook(trustedProxies: readonly string[]): AddressBook {
  const trusted = new BlockList()
  for (const entry of trustedProxies) {
    const [address = '', prefix] = entry.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) trusted.addAddress(address, family)
    else trusted.addSubnet(address, Number(prefix), family)
  }
  const isTrusted = (peer: string) => trusted.check(peer, isIP(peer) === 6 ? 'ipv6' : 'ipv4')
  return {
    isTrusted,
    clientAddress: (peer, forwardedFor) => {
      if (forwardedFor === undefined || !isTrusted(peer)) return peer
      const addresses = forwardedFor.split(',').map((address) => address.trim())
      const client = addresses.findLast((address) => isIP(address) === 0 || !isTrusted(address))
      return client !== undefined && isIP(client) !== 0 ? client : peer
    },
    forwardedFor: (peer, received) =>
      received !== undefined && isTrusted(peer) ? `${received}, ${peer}` : peer,
  }
}

/** The address of a socket without the IPv4-mapped prefix of a dual-stack listener. */
export function peerAddress(remoteAddress: string | undefined): string {
  if (remoteAddress === undefined) return '0.0.0.0'
  return remoteAddress.startsWith('::ffff:') ? remoteAddress.slice(7) : remoteAddress
}
