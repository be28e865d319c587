import t from 'tap'
import { createAddressBook, peerAddress } from '#proxy/edge/client-address.ts'
import { proxyRows } from '../../support/proxy-rows.ts'

interface Row {
  readonly name: string
  readonly trusted: readonly string[]
  readonly peer: string
  readonly forwardedFor: string | null
  readonly client: string
  readonly upstream: string
}

void t.test('believes X-Forwarded-For only of trusted proxies', async (t) => {
  for (const { name, trusted, peer, forwardedFor, client, upstream } of proxyRows<Row>('client-address')) {
    const book = createAddressBook(trusted)
    t.equal(book.clientAddress(peer, forwardedFor ?? undefined), client, `${name}: the client`)
    t.equal(
      book.forwardedFor(peer, forwardedFor ?? undefined),
      upstream,
      `${name}: what the upstream is told`,
    )
  }
})

void t.test('an address of a dual-stack listener is the IPv4 address that it stands for', async (t) => {
  t.equal(peerAddress('::ffff:192.0.2.4'), '192.0.2.4')
  t.equal(peerAddress('192.0.2.4'), '192.0.2.4')
  t.equal(peerAddress('2001:db8::1'), '2001:db8::1')
  t.ok(createAddressBook(['192.0.2.0/24']).isTrusted(peerAddress('::ffff:192.0.2.4')))
})

void t.test('a socket that is gone has no address, and none that is trusted by a range', async (t) => {
  t.equal(peerAddress(undefined), '0.0.0.0')
  t.notOk(createAddressBook(['10.0.0.0/8']).isTrusted(peerAddress(undefined)))
})
