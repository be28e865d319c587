import type { Test } from 'tap'
import { recordingUpstream, type RecordingUpstream, type Reply } from './recording-upstream.ts'
import { testProxy, type TestProxy, type TestProxySettings } from './test-proxy.ts'

/** Tells what came. */
const echo: Reply = async (received, res) => {
  const body = await received.body()
  res.end(`${received.method} ${received.url} ${body.toString()}`)
}

/** A proxy that passes /owa and /api/v2 through, known as https://mail.example.com. */
export function passthroughProxy(
  t: Test,
  servers: readonly string[],
  settings: Partial<TestProxySettings> = {},
): Promise<TestProxy> {
  const listen = { publicUrl: 'https://mail.example.com' }
  return testProxy(t, { servers, passthrough: ['/owa', '/api/v2'], listen, ...settings })
}

/** The same before a server that echoes, or replies as told. */
export async function passthroughPair(
  t: Test,
  reply = echo,
  settings: Partial<TestProxySettings> = {},
): Promise<{ readonly upstream: RecordingUpstream; readonly proxy: TestProxy }> {
  const upstream = await recordingUpstream(t, reply)
  return { upstream, proxy: await passthroughProxy(t, [upstream.url], settings) }
}

/** A request as bytes, with a Host that nobody should believe. */
export function passthroughRequest(target: string, headers: readonly string[] = [], method = 'GET'): string {
  return `${method} ${target} HTTP/1.1\r\n${['Host: evil.example', ...headers].join('\r\n')}\r\n\r\n`
}
