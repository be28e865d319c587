import type { Test } from 'tap'
import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { encodeWbxml } from '#eas/wbxml/encode.ts'
import { wireClient, type WireAnswer } from './http-answer.ts'

/** What a test says of one request; the rest is what a usual phone sends. */
export interface Sent {
  /** Default POST. */
  readonly method?: string
  /** Default the EAS path. */
  readonly path?: string
  /** Without its question mark; none by default. */
  readonly query?: string
  /** An Authorization line; default alice's. Null: none. */
  readonly authorization?: string | null
  readonly headers?: readonly string[]
  /** Sent with its length, unless `headers` frame it. */
  readonly body?: Buffer | string
}

export const easPath = '/Microsoft-Server-ActiveSync'

/** An Authorization line. */
export function basic(login = 'alice@example.com', password = 'demo'): string {
  return `Authorization: Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`
}

/** A plain query of alice's phone. */
export function command(name: string, deviceId = 'PHONE1', user = 'alice'): string {
  return `Cmd=${name}&User=${user}&DeviceId=${deviceId}&DeviceType=iPhone`
}

/** A request as bytes. */
export function requestBytes(sent: Sent): Buffer {
  const { method = 'POST', path = easPath, query, authorization = basic(), headers = [], body = '' } = sent
  const framed = headers.some((line) => /^(?:content-length|transfer-encoding):/i.test(line))
  const lines = [
    `${method} ${path}${query === undefined ? '' : `?${query}`} HTTP/1.1`,
    'Host: mail.example.com',
    ...(authorization === null ? [] : [authorization]),
    ...headers,
    ...(framed || method !== 'POST' ? [] : [`Content-Length: ${body.length}`]),
  ]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), Buffer.from(body)])
}

/** Sends a request on a connection of its own and gives the answer. */
export async function send(t: Test, { port }: { readonly port: number }, sent: Sent): Promise<WireAnswer> {
  const client = await wireClient(t, port)
  client.write(requestBytes(sent))
  const answer = await client.answer()
  client.socket.destroy()
  return answer
}

/** A body as one chunk and the last one. */
export function chunked(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')])
}

export function wbxml(root: WbxmlElement): Buffer {
  return Buffer.from(encodeWbxml(root))
}
