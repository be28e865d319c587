import t from 'tap'
import { run, startConfigured } from '../support/command.ts'
import { sighting } from '../support/directory-store.ts'
import { traceReport } from '../support/traces.ts'

void t.test('lists why a device was refused, the last time first', async (t) => {
  const { configFile, node } = await startConfigured(t)
  const pair = { user: 'bob@example.com', deviceKey: 'androiddemobob1' }
  await node.store.recordSightings([sighting({ ...pair, deviceId: 'androidDEMOBOB1' })])
  await node.store.recordTraces([
    traceReport({ ...pair, requests: 1234, lastAt: 1_060_000 }),
    traceReport({ ...pair, factsRevision: 13, requestId: 'r-2', lastAt: 2_000_000 }),
  ])
  const command = ['devices', 'traces', 'EXAMPLE\\bob', 'androidDEMOBOB1', '--config', configFile]
  const { status, out } = await run(...command)
  t.equal(status, 0)
  t.equal(
    out,
    [
      'first                     last                      requests  action  reason        policy  facts  request  because',
      '1970-01-01T00:16:40.000Z  1970-01-01T00:33:20.000Z  1         block   noncompliant  1       12     r-2      complianceState is noncompliant',
      '1970-01-01T00:16:40.000Z  1970-01-01T00:17:40.000Z  1234      block   noncompliant  1       12     r-1      complianceState is noncompliant',
    ].join('\n'),
  )
  const json = await run(...command, '--json')
  t.match(
    json.out.split('\n').map((line) => JSON.parse(line) as unknown),
    [{ requestId: 'r-2' }, { requestId: 'r-1', requests: 1234, trace: [{ criterion: 'compliance' }] }],
  )
})

void t.test('says so where nothing is kept, or nothing is known of the device', async (t) => {
  const { configFile } = await startConfigured(t)
  const kept = await run('devices', 'traces', 'alice', 'ApplDEMOALICE1', '--config', configFile)
  t.match(kept, { status: 0, out: /^nothing is kept/ })
  const unknown = await run('devices', 'traces', 'nobody', 'X', '--config', configFile)
  t.match(unknown, { status: 1, error: 'this device is neither on record nor was it seen' })
})
