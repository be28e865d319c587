import t, { type Test } from 'tap'
import { capture, compare, replay, sessions, setUp, type Capture } from '../support/captured-sessions.ts'
import { testProxy, type TestProxy } from '../support/test-proxy.ts'

/** A proxy that enforces, before a simulator, to which the capture's device is compliant. */
async function setUpBehindProxy(t: Test, captured: Capture) {
  let proxy: TestProxy | undefined
  const server = await setUp(t, captured, async (url, deviceId) => {
    const user = { user: 'alice@example.test', aliases: ['alice'] }
    const device = { ...user, deviceId, enrolled: true, complianceState: 'compliant' }
    proxy = await testProxy(t, {
      servers: [url],
      // the sessions are of Outlook for Android too, which the default keeps out on-premises
      policy: { conditionalAccess: { onPremises: { blockedClients: [] } } },
      facts: [deviceId === undefined ? user : device],
    })
    return `http://127.0.0.1:${proxy.port}`
  })
  if (proxy === undefined) throw new Error('no proxy')
  return { server, proxy }
}

for (const [name, prepare] of Object.entries(sessions)) {
  void t.test(`${name} goes through the proxy as it was captured`, async (t) => {
    const captured = capture(name)
    const { server, proxy } = await setUpBehindProxy(t, captured)
    const reply = await replay(server, captured, await prepare(server))
    compare(t, reply, captured)
    const outcome = await proxy.outcome(server.simulator.requests.length - 1)
    t.match(outcome, { action: 'allow', status: captured.response.status, user: 'alice@example.test' })
    t.equal(outcome.reason, captured.request.method === 'OPTIONS' ? 'not-targeted' : 'compliant')
    t.equal(proxy.outcomes.length, server.simulator.requests.length, 'each request came to Exchange once')
    t.strictSame(proxy.faults(), [])
  })
}
