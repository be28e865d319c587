import { createHmac } from 'node:crypto'

/** Secrets as `openssl rand -hex 32` makes them. */
export const pushSecret = '8f1d3b0c6e5a49728f1d3b0c6e5a49728f1d3b0c6e5a49728f1d3b0c6e5a4972'
export const otherPushSecret = '0a9b8c7d6e5f40312233445566778899aabbccddeeff00112233445566778899'

/** The two headers that a sender gives a body. @param signedAt ms since the epoch */
export function signedHeaders(
  body: string | Uint8Array,
  { secret = pushSecret, signedAt = Date.now() } = {},
): { readonly 'easgate-timestamp': string; readonly 'easgate-signature': string } {
  const timestamp = (signedAt / 1000).toFixed(3)
  const signature = createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex')
  return { 'easgate-timestamp': timestamp, 'easgate-signature': `v1=${signature}` }
}
