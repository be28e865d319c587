import type { RequestHeaders } from '#eas/headers.ts'
import type { AddressBook } from './client-address.ts'

/** How a request reached us, for the backend, as name, value, ... What the client says of itself is not among it. T-43 */
export function forwardedHeaders(
  addresses: AddressBook,
  secure: boolean,
  peer: string,
  headers: Pick<RequestHeaders, 'forwardedFor' | 'host'>,
): string[] {
  return [
    'X-Forwarded-For',
    addresses.forwardedFor(peer, headers.forwardedFor),
    'X-Forwarded-Proto',
    secure ? 'https' : 'http',
    ...(headers.host === undefined ? [] : ['X-Forwarded-Host', headers.host]),
  ]
}
