import t from 'tap'
import { startNode, writeConfig } from '../support/node-process.ts'
import { folderSyncRequest, Phone, textAt, type Reply } from '../support/simulated-phone.ts'

const folderSync = folderSyncRequest('0')

/** Answers of enough requests on fresh connections to meet each worker. */
function answersOf(phone: Phone): Promise<readonly Reply[]> {
  const send = () => phone.send('FolderSync', folderSync, { headers: { connection: 'close' } })
  return Promise.all(Array.from({ length: 30 }, send))
}

/** Their statuses, each once. */
async function statusesOf(phone: Phone): Promise<readonly unknown[]> {
  const answers = await answersOf(phone)
  return [...new Set(answers.map(({ root }) => textAt(root, 'FolderHierarchy:Status')))]
}

/** The first folder of each mailbox that is served; a request to provision is none. */
async function foldersOf(phone: Phone): Promise<readonly unknown[]> {
  const answers = await answersOf(phone)
  const first = ['FolderHierarchy:Changes', 'FolderHierarchy:Add', 'FolderHierarchy:ServerId'] as const
  const served = answers.map(({ root }) => textAt(root, ...first)).filter((id) => id !== undefined)
  return [...new Set(served)]
}

void t.test('what an administrator says is in force on every worker when it is answered', async (t) => {
  const node = await startNode(t, writeConfig(t, { extra: 'workers: 3' }))
  const phone = new Phone({ url: node.proxyUrl, user: 'carol@example.com', deviceId: 'ApplDEMOCAROL1' })
  const path = '/api/devices/carol/ApplDEMOCAROL1/override'
  t.strictSame(await foldersOf(phone), ['easgate-inbox'], 'not enrolled')

  const put = await node.admin('PUT', path, { action: 'allow', note: 'a loan until hers is repaired' })
  t.match(put.json(), { user: 'carol@example.com', override: { action: 'allow', actor: 'api' } })
  await phone.provision()
  t.notOk((await foldersOf(phone)).includes('easgate-inbox'))
  t.strictSame(await statusesOf(phone), ['1'])

  await node.admin('PUT', path, { action: 'block', note: 'lost' })
  t.notOk((await statusesOf(phone)).includes('1'))
  t.equal((await node.admin('DELETE', path)).status, 204)
  t.strictSame(await foldersOf(phone), ['easgate-inbox'], 'judged by the rules again')
})

void t.test('a phone that comes as another client is told in log, metric and audit', async (t) => {
  const node = await startNode(t, writeConfig(t))
  const alice = { url: node.proxyUrl, deviceId: 'ApplDEMOALICE1', deviceType: 'iPhone' }
  await new Phone(alice).provision()
  const seen = async () =>
    (await node.admin('GET', '/api/devices/alice@example.com/ApplDEMOALICE1')).json() as { seen?: unknown }
  // sightings come into the store once a second
  while ((await seen()).seen === undefined);
  await new Phone({ ...alice, deviceType: 'iPad' }).send('FolderSync', folderSync)
  const line = await node.logLine(({ msg }) => msg === 'a known device came as another client')
  t.match(line, {
    level: 'warn',
    user: 'alice@example.com',
    deviceId: 'ApplDEMOALICE1',
    before: { deviceType: 'iPhone' },
    after: { deviceType: 'iPad' },
  })
  t.match((await node.admin('GET', '/metrics')).text, /^easgate_client_changes_total 1$/m)
})
