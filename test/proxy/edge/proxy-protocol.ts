import t from 'tap'
import { parseProxyHeader } from '#proxy/edge/proxy-protocol.ts'

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')

/** A version 2 header; `length` may lie. */
function version2(command: number, family: number, rest: Buffer, length = rest.length): Buffer {
  const head = Buffer.from([command, family, length >> 8, length & 0xff])
  return Buffer.concat([signature, head, rest])
}

const ends4 = Buffer.from([203, 0, 113, 7, 192, 0, 2, 1, 0x12, 0x67, 0x01, 0xbb])
const ends6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000007', 'hex'),
  Buffer.from('20010db8000000000000000000000001', 'hex'),
  Buffer.from([0x12, 0x67, 0x01, 0xbb]),
])
const extension = Buffer.from([0x02, 0x00, 0x03, 0x61, 0x62, 0x63])
const line = (text: string) => Buffer.from(`${text}\r\n`, 'latin1')

const headers: readonly [name: string, header: Buffer, address: string | undefined][] = [
  ['version 1, IPv4', line('PROXY TCP4 203.0.113.7 192.0.2.1 4711 443'), '203.0.113.7'],
  ['version 1, IPv6', line('PROXY TCP6 2001:db8:0::7 2001:db8::1 0 65535'), '2001:db8::7'],
  ['version 1, unknown', line('PROXY UNKNOWN'), undefined],
  ['version 1, unknown with more', line('PROXY UNKNOWN ffff:: ffff:: 65535 65535'), undefined],
  ['version 2, IPv4', version2(0x21, 0x11, ends4), '203.0.113.7'],
  ['version 2, IPv6', version2(0x21, 0x21, ends6), '2001:db8::7'],
  ['version 2, with an extension', version2(0x21, 0x11, Buffer.concat([ends4, extension])), '203.0.113.7'],
  ['version 2, unspecified', version2(0x21, 0x00, Buffer.alloc(0)), undefined],
  ['version 2, local', version2(0x20, 0x00, Buffer.alloc(0)), undefined],
  ['version 2, local with addresses', version2(0x20, 0x11, ends4), undefined],
  [
    'version 2, the longest taken',
    version2(0x21, 0x11, Buffer.concat([ends4, Buffer.alloc(4084)])),
    '203.0.113.7',
  ],
]

void t.test('reads whole headers, and leaves what follows alone', (t) => {
  for (const [name, header, address] of headers) {
    const wanted = { kind: 'header', length: header.length, address }
    t.strictSame(parseProxyHeader(header), wanted, name)
    t.strictSame(parseProxyHeader(Buffer.concat([header, Buffer.from('POST / HTTP/1.1')])), wanted, name)
  }
  t.end()
})

void t.test('asks for more at every cut of a header, and never takes a part of one', (t) => {
  for (const [name, header] of headers) {
    const kinds = new Set<string>()
    for (let length = 0; length < header.length; length++) {
      kinds.add(parseProxyHeader(header.subarray(0, length)).kind)
    }
    t.strictSame([...kinds], ['incomplete'], name)
  }
  t.end()
})

const faulty: readonly [name: string, bytes: Buffer][] = [
  ['an HTTP request', line('GET / HTTP/1.1')],
  ['a TLS handshake', Buffer.from([0x16, 0x03, 0x01])],
  ['lower case', line('proxy TCP4 203.0.113.7 192.0.2.1 4711 443')],
  ['a leading space', line(' PROXY TCP4 203.0.113.7 192.0.2.1 4711 443')],
  ['two spaces', line('PROXY TCP4  203.0.113.7 192.0.2.1 4711 443')],
  ['a trailing space', line('PROXY TCP4 203.0.113.7 192.0.2.1 4711 443 ')],
  ['an IPv6 address under TCP4', line('PROXY TCP4 2001:db8::7 192.0.2.1 4711 443')],
  ['an IPv4 address under TCP6', line('PROXY TCP6 203.0.113.7 2001:db8::1 4711 443')],
  ['a zone', line('PROXY TCP6 fe80::1%eth0 2001:db8::1 4711 443')],
  ['an octet over 255', line('PROXY TCP4 203.0.113.256 192.0.2.1 4711 443')],
  ['an octet with a leading zero', line('PROXY TCP4 203.0.113.07 192.0.2.1 4711 443')],
  ['a port over 65535', line('PROXY TCP4 203.0.113.7 192.0.2.1 65536 443')],
  ['a port with a leading zero', line('PROXY TCP4 203.0.113.7 192.0.2.1 04711 443')],
  ['no destination port', line('PROXY TCP4 203.0.113.7 192.0.2.1 4711')],
  ['UDP', line('PROXY UDP4 203.0.113.7 192.0.2.1 4711 443')],
  ['no family', line('PROXY')],
  ['a bare LF inside', line('PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\n')],
  ['a line without end', Buffer.from(`PROXY UNKNOWN ${'x'.repeat(93)}`)],
  ['an end one byte too late', line(`PROXY UNKNOWN ${'x'.repeat(92)}`)],
  ['a signature with one wrong byte', Buffer.from('\r\n\r\n\0\r\nQUIT\r', 'latin1')],
  ['version 1 in the binary form', version2(0x11, 0x11, ends4)],
  ['an unknown command', version2(0x22, 0x11, ends4)],
  ['UDP over IPv4', version2(0x21, 0x12, ends4)],
  ['a UNIX socket', version2(0x21, 0x31, Buffer.alloc(216))],
  ['an unknown family', version2(0x21, 0x41, ends4)],
  ['addresses cut short', version2(0x21, 0x11, ends4.subarray(0, 11))],
  ['IPv6 in the space of IPv4', version2(0x21, 0x21, ends4)],
  ['a length over the limit', version2(0x21, 0x11, ends4, 4097)],
  ['the greatest length', version2(0x20, 0x00, Buffer.alloc(0), 65_535)],
]

void t.test('refuses all else, T-43', (t) => {
  for (const [name, bytes] of faulty) t.equal(parseProxyHeader(bytes).kind, 'invalid', name)
  t.end()
})

void t.test('refuses at the first byte that no header has', (t) => {
  t.equal(parseProxyHeader(Buffer.from('PRI * HTTP/2.0')).kind, 'invalid')
  t.equal(parseProxyHeader(Buffer.from('PRI')).kind, 'invalid')
  t.equal(parseProxyHeader(Buffer.from('PR')).kind, 'incomplete')
  t.end()
})
