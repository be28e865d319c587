import t, { type Test } from 'tap'
import { wireClient } from '../../support/http-answer.ts'
import { proxyRows } from '../../support/proxy-rows.ts'
import { recordingUpstream } from '../../support/recording-upstream.ts'
import { goodRequest, testProxy } from '../../support/test-proxy.ts'
import { untilEnd } from '../../support/wire-end.ts'

/** A request that is refused hard. */
interface RefusedRow {
  readonly name: string
  readonly proves: string
  /** One character a byte; `{3:ab}` stands for `ababab`. */
  readonly bytes: string
  readonly status: number
  /** `EasErrorCode`; absent where Node's version decides whether its parser or ours sees it first. */
  readonly code?: string
  /** True where the fault is in the body: the backend may see the begin of a request, but never a whole one. */
  readonly begun?: boolean
}

void t.test('refuses hard what has two framings, T-24, T-31 to T-37, T-42, T-43, T-46', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await testProxy(t, { servers: [upstream.url] })
  for (const { name, proves, bytes, status, code, begun = false } of proxyRows<RefusedRow>(
    'refused-requests',
  )) {
    const title = `${name} [${proves}]`
    const seen = upstream.requests.length
    const observed = proxy.outcomes.length
    t.match(
      await answersTo(t, proxy.port, bytes),
      [`HTTP/1.1 ${status} `],
      `${title}: one answer, then the end`,
    )
    const wanted = { action: 'reject', reason: 'malformed-request', ...(code && { code }) }
    t.match(await proxy.outcome(observed), wanted, title)
    for (const request of upstream.requests.slice(seen)) {
      if (!begun) t.fail(`${title}: the backend saw ${request.method} ${request.url}`)
      await t.rejects(request.body(), `${title}: the backend got no whole body`)
    }
    const good = await wireClient(t, proxy.port)
    good.write(goodRequest())
    t.equal((await good.answer()).status, 200, `${title}: the next good request is answered`)
    good.socket.destroy()
  }
  t.strictSame(proxy.faults(), [])
})

/** Every status line on a connection that the other side ends. */
async function answersTo(t: Test, port: number, bytes: string): Promise<string[]> {
  const client = await wireClient(t, port)
  const all = untilEnd(client)
  const written = bytes.replaceAll(/\{(\d+):([^}]*)\}/g, (_, times: string, text: string) =>
    text.repeat(Number(times)),
  )
  client.write(Buffer.from(written, 'latin1'))
  return (await all).match(/^HTTP\/.*$/gm) ?? []
}
