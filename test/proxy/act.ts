import t, { type Test } from 'tap'
import type { FactsRecord } from '#directory/record.ts'
import { command, easPath, send, type Sent } from '../support/eas-request.ts'
import { recordingUpstream, usualAnswer } from '../support/recording-upstream.ts'
import { testProxy, type TestProxySettings } from '../support/test-proxy.ts'

const blocked: FactsRecord = {
  user: 'alice@example.com',
  deviceId: 'PHONE1',
  enrolled: true,
  complianceState: 'noncompliant',
}

async function before(t: Test, settings: Partial<TestProxySettings> = {}) {
  const upstream = await recordingUpstream(t)
  const proxy = await testProxy(t, { servers: [upstream.url], ...settings })
  return { upstream, proxy, ask: (sent: Sent) => send(t, proxy, sent) }
}

const reportOnly = { conditionalAccess: { onPremises: { mode: 'report-only' } } }
const version = ['MS-ASProtocolVersion: 14.1']

void t.test('report-only forwards what it would refuse, and counts it', async (t) => {
  const { proxy, upstream, ask } = await before(t, { policy: reportOnly, facts: [blocked] })
  const answer = await ask({ query: command('Sync'), headers: version })
  t.ok(answer.body.equals(usualAnswer))
  t.equal(upstream.requests[0]?.url, `${easPath}?${command('Sync')}`, 'and no proof is asked')
  t.match(await proxy.outcome(0), {
    action: 'block',
    reason: 'noncompliant',
    mode: 'report-only',
    reportOnly: true,
    status: 200,
  })
  t.match(proxy.sightings[0], { action: 'block', allowed: true }, 'it got mail')
  const counted = await proxy.metrics.registry.getSingleMetricAsString('easgate_report_only_total')
  t.match(counted, /easgate_report_only_total\{action="block",reason="noncompliant"\} 1/)
  const refused = await proxy.metrics.registry.getSingleMetricAsString('easgate_blocked_total')
  t.notMatch(refused, /reason=/)
})

void t.test('report-only lets through an unread source and two names for one request too', async (t) => {
  const { proxy, upstream, ask } = await before(t, { policy: reportOnly })
  t.equal((await ask({ query: command('Sync'), headers: version })).status, 200)
  t.match(await proxy.outcome(0), { action: 'unavailable', reason: 'source-unavailable', reportOnly: true })
  t.equal(upstream.requests.length, 1)
})

void t.test("report-only counts no refusal where enforcing would have met Exchange's first", async (t) => {
  const upstream = await recordingUpstream(t, async (request, res) => {
    await request.body()
    res.writeHead(401, { 'WWW-Authenticate': 'Basic realm="Exchange"' }).end()
  })
  const startWith = (mode: string) =>
    testProxy(t, {
      servers: [upstream.url],
      policy: { conditionalAccess: { onPremises: { mode } } },
      facts: [blocked],
    })
  for (const mode of ['report-only', 'enforce']) {
    const proxy = await startWith(mode)
    t.equal((await send(t, proxy, { query: command('Sync'), headers: version })).status, 401, mode)
    t.match(await proxy.outcome(0), {
      action: 'reject',
      reason: 'credentials-refused',
      reportOnly: false,
      mode,
    })
    t.equal(proxy.sightings[0], undefined)
  }
  await upstream.stop()
  const proxy = await startWith('report-only')
  t.equal((await send(t, proxy, { query: command('Sync'), headers: version })).status, 503)
  t.match(await proxy.outcome(0), {
    action: 'unavailable',
    reason: 'upstream-unavailable',
    reportOnly: false,
  })
  const counted = await proxy.metrics.registry.getSingleMetricAsString('easgate_report_only_total')
  t.notMatch(counted, /reason=/)
})

void t.test('report-only still refuses what is malformed, and what has no route', async (t) => {
  const { proxy, upstream, ask } = await before(t, { policy: reportOnly, facts: [blocked] })
  t.equal((await ask({ query: `${command('Sync')}&DeviceId=PHONE2` })).status, 400)
  t.equal((await ask({ path: '/owa', query: 'x' })).status, 404)
  t.match(proxy.outcomes, [
    { action: 'reject', reason: 'malformed-request', code: 'EAS_PARAMETER_REPEATED', reportOnly: false },
    { action: 'reject', reason: 'route-closed', reportOnly: false },
  ])
  t.equal(upstream.requests.length, 0)
})

void t.test('what is allowed counts as such in every mode', async (t) => {
  const { proxy, ask } = await before(t, {
    policy: reportOnly,
    facts: [{ ...blocked, complianceState: 'compliant' }],
  })
  await ask({ query: command('Sync'), headers: version })
  t.match(await proxy.outcome(0), { action: 'allow', reason: 'compliant', reportOnly: false })
})

void t.test('a browser on the EAS path is led to enrolment', async (t) => {
  const { proxy, upstream, ask } = await before(t, {
    policy: {},
    enrollment: { publicUrl: 'https://mail.example.com/easgate/enroll' },
  })
  for (const path of [easPath, `${easPath}/`, easPath.toLowerCase()]) {
    const answer = await ask({ method: 'GET', path })
    t.strictSame(
      [answer.status, answer.header('location')],
      [302, 'https://mail.example.com/easgate/enroll/'],
    )
  }
  t.match(await proxy.outcome(0), { action: 'redirect', reason: 'route-closed', status: 302 })
  t.equal((await ask({ method: 'GET', query: 'x=y' })).status, 405, 'with a query it is no browser')
  t.equal(upstream.requests.length, 0)
})

void t.test('without a page for it a browser finds nothing', async (t) => {
  const { proxy, ask } = await before(t, { policy: {} })
  t.equal((await ask({ method: 'GET' })).status, 404)
  t.match(await proxy.outcome(0), { action: 'reject', reason: 'route-closed', status: 404 })
})

void t.test('every other path is closed, for anybody and any method (T-25)', async (t) => {
  const { proxy, upstream, ask } = await before(t)
  const paths = [
    '/',
    '/owa',
    '/EWS/Exchange.asmx',
    '/ecp',
    '/mapi',
    '/rpc',
    '/PowerShell',
    '/api',
    '/OAB',
    '/public',
  ]
  for (const path of paths) {
    for (const method of ['GET', 'POST', 'OPTIONS'])
      t.equal((await ask({ method, path })).status, 404, `${method} ${path}`)
  }
  for (const outcome of proxy.outcomes)
    t.match(outcome, { action: 'reject', reason: 'route-closed', command: 'none' })
  t.equal(upstream.requests.length, 0)
})

void t.test('the page of enrolment is served to anybody', async (t) => {
  const { proxy, ask } = await before(t, { policy: {} })
  const answer = await ask({ method: 'GET', path: '/easgate/enroll', authorization: null })
  t.equal(answer.status, 200)
  t.match(answer.header('content-type'), /^text\/html/)
  t.match(await proxy.outcome(0), { action: 'allow', status: 200 })
})

void t.test('OPTIONS is judged by the user alone, so a refused device may ask (T-10)', async (t) => {
  const { proxy, ask } = await before(t, { policy: {}, facts: [blocked] })
  const answer = await ask({ method: 'OPTIONS', query: 'User=alice&DeviceId=PHONE1&DeviceType=iPhone' })
  t.equal(answer.status, 200)
  t.match(await proxy.outcome(0), { action: 'allow', command: 'Options', deviceId: undefined })
  t.equal(proxy.sightings[0], undefined, 'and is no sighting of a device')
})
