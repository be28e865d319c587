import t from 'tap'
import { wireClient } from '../support/http-answer.ts'
import { recordingUpstream } from '../support/recording-upstream.ts'
import { testProxy } from '../support/test-proxy.ts'

void t.test('serves the enrolment page to anybody, and closes what is beside it', async (t) => {
  const upstream = await recordingUpstream(t)
  const proxy = await testProxy(t, {
    servers: [upstream.url],
    enrollment: { url: 'https://mdm.example.com/enroll' },
  })
  const client = await wireClient(t, proxy.port)
  client.write('GET /easgate/enroll/ HTTP/1.1\r\nHost: mail.example.com\r\n\r\n')
  const page = await client.answer()
  t.equal(page.status, 200)
  t.match(page.body.toString(), 'href="https://mdm.example.com/enroll"')
  t.match(page.header('content-security-policy'), "default-src 'none'")
  t.match(await proxy.outcome(0), { action: 'allow', status: 200 })

  const sender = await wireClient(t, proxy.port)
  sender.write(
    'POST /easgate/enroll HTTP/1.1\r\nHost: mail.example.com\r\nContent-Length: 1000000\r\n\r\nabc',
  )
  const refused = await sender.answer()
  t.equal(refused.status, 405)
  t.equal(refused.header('allow'), 'GET, HEAD')
  t.equal(refused.header('connection'), 'close', 'its body is not awaited')
  t.match(await proxy.outcome(1), { action: 'reject', reason: 'route-closed', status: 405 })

  client.write('GET /easgate/enroll/x HTTP/1.1\r\nHost: mail.example.com\r\n\r\n')
  t.equal((await client.answer()).status, 404)

  client.write('HEAD /easgate/enroll HTTP/1.1\r\nHost: mail.example.com\r\nConnection: close\r\n\r\n')
  await client.answer().catch(() => undefined)
  t.equal(proxy.outcomes.length, 4)
  t.equal(upstream.requests.length, 0)
})
