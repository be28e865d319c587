import t from 'tap'
import { devicesPath, idsOf, pagesOf, startDouble, withOptions } from '../support/graph-double/pages.ts'
import type { BehaviourInput } from '../support/graph-double/scenario.ts'
import { startGraphDouble, type GraphDouble } from '../support/graph-double/start-graph-double.ts'

async function idOf(double: GraphDouble, position: number): Promise<string> {
  const { id } = await double.get('managedDevices', position)
  return typeof id === 'string' ? id : ''
}

void t.test('changes while it runs', async (t) => {
  const { double, ask } = await startDouble(t, { generated: { devices: 10, users: 10 } })
  const first = await double.get('managedDevices', 0)
  const id = await idOf(double, 0)
  const changed = await double.change('managedDevices', id, { complianceState: 'error' })
  t.strictSame(changed, { ...first, complianceState: 'error' })
  t.match((await ask(`${devicesPath}/${id}`)).json(), {
    complianceState: 'error',
    deviceName: first['deviceName'],
  })

  await double.hide('managedDevices', id)
  t.notOk(idsOf(await pagesOf(ask, devicesPath)).includes(id))
  t.equal((await ask(`${devicesPath}/${id}`)).status, 200)
  await double.show('managedDevices', id)
  t.ok(idsOf(await pagesOf(ask, devicesPath)).includes(id))

  await double.remove('managedDevices', id)
  t.equal((await ask(`${devicesPath}/${id}`)).status, 404)
  const added = await double.add('managedDevices', {
    easDeviceId: 'ApplNEW',
    lastSyncDateTime: '2026-02-01T00:00:00Z',
  })
  const recent = await pagesOf(
    ask,
    withOptions(devicesPath, { $filter: 'lastSyncDateTime ge 2026-01-15T00:00:00Z' }),
  )
  t.strictSame(idsOf(recent), [added['id']])
  await t.rejects(double.get('managedDevices', id), { message: /no managedDevices/ })
})

void t.test('throttles by a sliding window, in which refused calls count', async (t) => {
  const throttle = { intuneApp: { limit: 3, windowSeconds: 20 }, identity: { limit: 10, windowSeconds: 10 } }
  const { double, ask } = await startDouble(t, { behaviour: { throttle } })
  for (let call = 0; call < 3; call++) t.equal((await ask(devicesPath)).status, 200)
  const refused = await ask(devicesPath)
  t.equal(refused.status, 429)
  t.ok(Number(refused.headers['retry-after']) > 18)
  t.match(refused.json(), { error: { code: 'TooManyRequests' } })
  await double.advanceClock(15)
  t.equal((await ask(devicesPath)).status, 429)
  await double.advanceClock(5)
  t.equal((await ask(devicesPath)).status, 200, 'the first three calls are forgotten, the refused one counts')
  const { total, routes } = await double.counts()
  t.match(routes.managedDevices, { requests: 6, throttled: 2, tooEarly: 1 })
  t.match(total, { requests: 7, throttled: 2 })

  await double.behave({ throttle: { ...throttle, retryAfter: 'missing' } })
  for (let call = 0; call < 3; call++) await ask(devicesPath)
  const silent = await ask(devicesPath)
  t.equal(silent.status, 429)
  t.equal(silent.headers['retry-after'], undefined)

  const users = async (options = '') => (await ask(`/v1.0/users${options}`)).headers
  t.match(await users(), { 'x-ms-resource-unit': '2' })
  t.match(await users('?$select=id'), { 'x-ms-resource-unit': '1' })
  for (let call = 0; call < 2; call++) await users()
  t.match(await users(), { 'x-ms-throttle-limit-percentage': '0.9' })
  t.match(await users(), {
    'x-ms-throttle-limit-percentage': '1.1',
    'x-ms-throttle-scope': /^Tenant_Application/,
  })
})

void t.test('breaks as it is told', async (t) => {
  const { double, ask } = await startDouble(t)
  const fail = (faults: NonNullable<BehaviourInput['faults']>) => double.behave({ faults })
  const route = 'managedDevices' as const
  await fail([{ route, after: 1, times: 1, does: { kind: 'status', status: 503, retryAfterSeconds: 7 } }])
  t.equal((await ask(devicesPath)).status, 200)
  const unavailable = await ask(devicesPath)
  t.equal(unavailable.status, 503)
  t.equal(unavailable.headers['retry-after'], '7')
  t.equal((await ask(devicesPath)).status, 200)

  for (const where of ['head', 'body'] as const) {
    await fail([{ route, times: 1, does: { kind: 'cut', where } }])
    await t.rejects(ask(devicesPath), where)
  }
  await fail([{ route, times: 1, does: { kind: 'truncated' } }])
  const truncated = await ask(devicesPath)
  t.equal(truncated.status, 200)
  t.throws(truncated.json, SyntaxError)
  await fail([{ route, times: 1, does: { kind: 'html' } }])
  t.match(await ask(devicesPath), { status: 200, headers: { 'content-type': 'text/html' } })
  await fail([{ route, times: 1, does: { kind: 'latency', latencyMs: 30 } }])
  const begin = performance.now()
  await ask(devicesPath)
  t.ok(performance.now() - begin >= 29)

  await fail([{ route, times: 1, does: { kind: 'hang' } }])
  const { number } = (await double.requests()).at(-1) ?? { number: 0 }
  const answered = double.waitFor({ route, after: number, status: 200 })
  const hanging = ask(devicesPath)
  const arrived = await double.waitFor({ route, after: number, state: 'arrived' })
  t.equal(arrived.status, undefined)
  await double.release()
  t.equal((await hanging).status, 200)
  t.equal((await answered).number, arrived.number)
  await double.resetCounts()
  t.strictSame((await double.counts()).routes, {})
})

void t.test('takes no scenario that makes no sense', async (t) => {
  await t.rejects(startGraphDouble({ generated: { devices: 1 } }), { message: /need generated users/ })
})
