import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import type { ShownTrace } from '#admin/explanation.ts'
import {
  freePort,
  runEasgate,
  runEasgateWithInput,
  startNode,
  writeConfig,
  type NodeProcess,
} from '../support/node-process.ts'
import { folderSyncRequest, Phone } from '../support/simulated-phone.ts'

const folderSync = folderSyncRequest('0')
const bob = { user: 'bob@example.com', deviceId: 'androidDEMOBOB1', deviceType: 'Android' }
const path = '/api/devices/bob/androidDEMOBOB1/traces'

/** Traces come into the store once a second. */
async function tracesOf(
  node: NodeProcess,
  wanted: (traces: readonly ShownTrace[]) => boolean,
): Promise<readonly ShownTrace[]> {
  for (;;) {
    const answer = await node.admin('GET', path)
    const { traces } = answer.json() as { readonly traces?: readonly ShownTrace[] }
    if (traces !== undefined && wanted(traces)) return traces
    await delay(50)
  }
}

void t.test('a refused request and the change after it can be explained from their log lines', async (t) => {
  const configFile = writeConfig(t, { admin: `{ address: 127.0.0.1:${await freePort()} }` })
  const node = await startNode(t, configFile)
  const phone = new Phone({ ...bob, url: node.proxyUrl })
  for (let poll = 0; poll < 5; poll++) await phone.send('FolderSync', folderSync)
  const first = await tracesOf(node, ({ length }) => length > 0)
  t.ok(first.length <= 2, 'a phone that polls makes one row, and one once it is in the inventory')
  const refused = first.at(-1)
  const line = await node.logLine(({ reason }) => reason === 'noncompliant')
  t.match(refused, {
    requestId: line['requestId'],
    action: 'block',
    reason: 'noncompliant',
    policyRevision: line['policyRevision'],
    factsRevision: line['factsRevision'],
    fields: { complianceState: { value: 'noncompliant', source: 'file' } },
    claims: { deviceType: 'Android' },
  })

  await node.admin('POST', '/api/facts', {
    user: bob.user,
    deviceId: bob.deviceId,
    complianceState: 'compliant',
  })
  await phone.provision()
  await phone.send('FolderSync', folderSync)
  const [allowed] = await tracesOf(node, ([last]) => last?.action === 'allow')
  t.match(allowed, {
    action: 'allow',
    reason: 'compliant',
    fields: {
      complianceState: { value: 'compliant', source: 'api', contradictedBy: [{ source: 'file' }] },
    },
  })

  // what was decided then, although it is decided otherwise now
  const asked = [
    'explain',
    'bob',
    bob.deviceId,
    '--request',
    String(line['requestId']),
    '--config',
    configFile,
  ]
  t.match(
    (await runEasgate(...asked)).stdout,
    /^bob@example\.com {2}androidDEMOBOB1: block \(noncompliant\)\n/,
  )
  const ofLine = await runEasgateWithInput(
    JSON.stringify(line),
    'explain',
    '--log-line',
    '--config',
    configFile,
  )
  t.match(ofLine.stdout, /^ {2}request +\S+ at \S+, as it was decided then/m, ofLine.stderr)
  const listed = await runEasgate('devices', 'traces', 'bob', bob.deviceId, '--config', configFile)
  t.match(listed.stdout, /^first .*\n.* allow .*\n.* block /)

  t.equal(await node.stop(), 0)
  const check = await runEasgate('store', 'check', '--config', configFile)
  t.match(check.stdout, /^ {2}traces +\d+$/m)
  t.notMatch(check.stdout, /^ {2}traces +0$/m)
})

void t.test('who cannot log in leaves no trace (T-56)', async (t) => {
  const node = await startNode(t, writeConfig(t))
  const stranger = new Phone({ ...bob, url: node.proxyUrl, password: 'wrong' })
  for (let poll = 0; poll < 3; poll++) await stranger.send('FolderSync', folderSync).catch(() => undefined)
  await new Phone({ ...bob, deviceId: 'androidOTHER', url: node.proxyUrl }).send('FolderSync', folderSync)
  const other = async () => (await node.admin('GET', '/api/devices/bob/androidOTHER/traces')).json()
  while (((await other()) as { traces?: unknown[] }).traces?.length !== 1) await delay(50)
  t.match((await node.admin('GET', path)).json(), { traces: [] })
})
