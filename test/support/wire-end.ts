import type { WireClient } from './http-answer.ts'

/** Everything that comes from now on until the other side ends the connection, one character a byte. */
export async function untilEnd(client: WireClient): Promise<string> {
  const received: Buffer[] = []
  client.socket.on('data', (chunk: Buffer) => received.push(chunk))
  await client.ended
  return Buffer.concat(received).toString('latin1')
}
