import { isIPv4, isIPv6, SocketAddress } from 'node:net'

/** What the first bytes of a connection are. */
export type ProxyHeader =
  /** Too few to tell; they may still become a header. */
  | { readonly kind: 'incomplete' }
  /** No header, a damaged one, or one of a transport that mail does not come by. */
  | { readonly kind: 'invalid' }
  | {
      readonly kind: 'header'
      /** Bytes of the header; the client's own bytes follow. */
      readonly length: number
      /** The client's address; undefined where the proxy speaks for itself (LOCAL) or does not know (UNKNOWN). */
      readonly address: string | undefined
    }

const incomplete: ProxyHeader = { kind: 'incomplete' }
const invalid: ProxyHeader = { kind: 'invalid' }

const start1 = Buffer.from('PROXY ')
const start2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
/** The longest line of version 1, with its CR LF. PROXY protocol 2.1 */
const maxLine1 = 107
/** Head of version 2: start, command, family, length. */
const head2 = 16
/** Addresses and what proxies add to them (names, TLS details) are far shorter. */
const maxLength2 = 4096

/**
 * Reads the PROXY protocol header, version 1 or 2, that must stand at the start of a connection. Pure; never reads past
 * what it needs, and never asks for more than 4112 bytes.
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsLike(bytes, start1)) return parseVersion1(bytes)
  return startsLike(bytes, start2) ? parseVersion2(bytes) : invalid
}

function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length)
  return bytes.subarray(0, length).equals(start.subarray(0, length))
}

const line1 = /^PROXY (?:UNKNOWN(?: .*)?|(TCP[46]) (\S+) (\S+) (\d{1,5}) (\d{1,5}))$/

function parseVersion1(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, maxLine1).indexOf('\r\n')
  if (end === -1) return bytes.length < maxLine1 ? incomplete : invalid
  const match = line1.exec(bytes.toString('latin1', 0, end))
  if (match === null) return invalid
  const length = end + 2
  const [, family, source = '', destination = '', ...ports] = match
  if (family === undefined) return { kind: 'header', length, address: undefined }
  const isAddress = family === 'TCP4' ? isIPv4 : isPlainIPv6
  if (!isAddress(source) || !isAddress(destination) || !ports.every(isPort)) return invalid
  return { kind: 'header', length, address: family === 'TCP4' ? source : shortIPv6(source) }
}

function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%')
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d*)$/.test(text) && Number(text) <= 65_535
}

function parseVersion2(bytes: Buffer): ProxyHeader {
  if (bytes.length < head2) return incomplete
  const command = bytes.readUInt8(12)
  const family = bytes.readUInt8(13)
  const length = head2 + bytes.readUInt16BE(14)
  if ((command !== 0x20 && command !== 0x21) || length > head2 + maxLength2) return invalid
  const addressLength = addressLengths.get(family)
  // a proxy that speaks for itself may leave the family open
  const isLocal = command === 0x20 || family === 0
  if (!isLocal && (addressLength === undefined || length < head2 + addressLength)) return invalid
  if (bytes.length < length) return incomplete
  return { kind: 'header', length, address: isLocal ? undefined : addressOf(bytes, family) }
}

/** Length of both addresses and ports, by family and transport; UDP and UNIX sockets have no place here. */
const addressLengths: ReadonlyMap<number, number> = new Map([
  [0x11, 12],
  [0x21, 36],
])

function addressOf(bytes: Buffer, family: number): string {
  if (family === 0x11) return bytes.subarray(head2, head2 + 4).join('.')
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(head2 + 2 * index).toString(16))
  return shortIPv6(groups.join(':'))
}

function shortIPv6(address: string): string {
  return new SocketAddress({ address, family: 'ipv6' }).address
}
