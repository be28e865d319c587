import type { AddressBook } from './edge/client-address.ts'

/** How clients reach this proxy, by its config. */
export interface PublicSide {
  readonly addresses: AddressBook
  /** True where they come by TLS. */
  readonly secure: boolean
  /** Origin under which they reach us. */
  readonly publicUrl: () => string
}

/**
 * How a request reached us, for the backend, as name, value, ... What the client says of itself is not among it, its
 * Host included. T-43
 * @param peer address that speaks to us
 * @param forwardedFor X-Forwarded-For as received; believed from trusted peers only
 */
export function forwardedHeaders(side: PublicSide, peer: string, forwardedFor: string | undefined): string[] {
  const origin = side.publicUrl()
  return [
    'X-Forwarded-For',
    side.addresses.forwardedFor(peer, forwardedFor),
    'X-Forwarded-Proto',
    side.secure ? 'https' : 'http',
    'X-Forwarded-Host',
    origin.slice(origin.indexOf('//') + 2),
  ]
}
