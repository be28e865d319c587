import type { Test } from 'tap'
import { readHeaders } from '#eas/headers.ts'
import { takeBody } from '#proxy/body.ts'
import { forward, type Forwarding, type ForwardRequest, type ForwardResult } from '#proxy/forward.ts'
import { sendUnavailable } from '#proxy/respond.ts'
import { listen, wireClient, type WireAnswer } from './http-answer.ts'
import { testUpstreams, type TestUpstreams } from './test-upstreams.ts'

/** A listener that forwards whatever comes, and keeps what became of it. */
export interface Front extends TestUpstreams {
  readonly port: number
  readonly forwardings: readonly Forwarding[]
  /** Resolves with the result of the request of that number, from 0. */
  readonly result: (index: number) => Promise<ForwardResult>
}

const limits = { bufferedBodyBytes: 65_536, maxBodyBytes: 2 ** 30 }

/** Starts one before these servers. Where nothing is forwarded, the client gets 503. */
export async function front(
  t: Test,
  servers: readonly string[],
  differences: Partial<ForwardRequest> = {},
): Promise<Front> {
  const opened = testUpstreams(t, servers)
  const { upstreams, backend } = opened
  const forwardings: Forwarding[] = []
  const awaited = new Map<number, (result: Promise<ForwardResult>) => void>()
  const port = await listen(t, async (req, res) => {
    const body = await takeBody(req, readHeaders(req.rawHeaders, '1.1'), limits)
    const request: ForwardRequest = {
      backend,
      user: 'alice@example.com',
      method: 'POST',
      path: '/Microsoft-Server-ActiveSync?Cmd=Sync',
      headers: [],
      body,
      parks: false,
      answerTimeoutMs: 10_000,
      clientStallMs: 10_000,
      ...differences,
    }
    const forwarding = forward(upstreams, request, res)
    forwardings.push(forwarding)
    awaited.get(forwardings.length - 1)?.(forwarding.result)
    const { kind } = await forwarding.result
    if (kind !== 'answered' && kind !== 'cut' && kind !== 'abandoned') sendUnavailable(res)
  })
  return {
    ...opened,
    port,
    forwardings,
    result: (index) =>
      forwardings[index]?.result ??
      new Promise((resolve) => {
        awaited.set(index, resolve)
      }),
  }
}

/** A POST as bytes. */
export function post(body: string | Buffer, head = `Content-Length: ${body.length}`): Buffer {
  return Buffer.concat([
    Buffer.from(`POST / HTTP/1.1\r\nHost: test\r\n${head}\r\n\r\n`),
    typeof body === 'string' ? Buffer.from(body) : body,
  ])
}

/** Sends bytes on a connection of its own and gives the answer. */
export async function exchange(t: Test, { port }: Front, bytes: Buffer): Promise<WireAnswer> {
  const client = await wireClient(t, port)
  client.write(bytes)
  return client.answer()
}

export const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

/** A user whom affinity sends to `url` first. */
export function userAtHomeOn(t: Test, servers: readonly string[], url: string): string {
  const { upstreams, backend } = testUpstreams(t, servers)
  const users = Array.from({ length: 100 }, (_, number) => `user${number}@example.com`)
  const user = users.find((candidate) => upstreams.serversFor(backend, candidate)[0]?.origin === url)
  if (user === undefined) throw new Error(`nobody is at home on ${url}`)
  return user
}
