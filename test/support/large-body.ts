import type { Writable } from 'node:stream'

/** More than all sockets and streams on the way hold. */
export const largeLength = 48 * 1024 * 1024
const piece = Buffer.alloc(65_536, 'a piece of a large body ')
/** What sockets and streams of both sides may hold on the way. */
export const boundedBytes = 24 * 1024 * 1024

/** Writes `largeLength` bytes as fast as the other side takes them. */
export function writeLarge(writable: Writable): { readonly acceptedBytes: () => number } {
  let acceptedBytes = 0
  const write = () => {
    while (acceptedBytes < largeLength) {
      acceptedBytes += piece.length
      if (!writable.write(piece)) return void writable.once('drain', write)
    }
  }
  write()
  return { acceptedBytes: () => acceptedBytes }
}
