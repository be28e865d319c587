import { DatabaseSync } from 'node:sqlite'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { mdmDevice, mdmMapping, testMdm, type MdmDevice, type TestMdm } from '../support/mdm.ts'
import { startNode, writeConfig, type NodeProcess } from '../support/node-process.ts'
import { folderSyncRequest, Phone, textAt } from '../support/simulated-phone.ts'

interface MdmNode {
  readonly mdm: TestMdm
  /** What the MDM lists and finds; undefined: it is down, and answers 503. */
  devices: readonly MdmDevice[] | undefined
  readonly configFile: string
}

/** An MDM with a list and a look-up, and the config of a node that reads it every second. */
async function mdmNode(t: Test, outages: string): Promise<MdmNode> {
  const mdm = await testMdm(t)
  const source = {
    kind: 'http',
    bulkUrl: `${mdm.origin}/all`,
    lookupUrl: `${mdm.origin}/one?user={user}&id={deviceId}`,
    interval: '1s',
    mapping: mdmMapping,
  }
  const configFile = writeConfig(t, {
    sources: JSON.stringify([source]),
    policy: `conditionalAccess: { onPremises: { noncompliant: block } }\n${outages}\n`,
  })
  const node: MdmNode = { mdm, devices: [], configFile }
  mdm.handler = (url, _req, res) => {
    if (node.devices === undefined) return void res.writeHead(503).end()
    if (url.pathname === '/all') return node.devices
    const [user, id] = ['user', 'id'].map((name) => url.searchParams.get(name))
    const found = node.devices.find(({ email, easId }) => email === user && easId === id)
    return found ?? void res.writeHead(404).end()
  }
  return node
}

/** HTTP status, and the status in the body where there is one. */
async function sync(node: NodeProcess, name: string, deviceId = `Appl${name}`): Promise<string> {
  const phone = new Phone({ url: node.proxyUrl, user: `${name}@example.com`, deviceId })
  const { status, root } = await phone.send('FolderSync', folderSyncRequest('0'))
  return [status, root === undefined ? undefined : textAt(root, 'FolderHierarchy:Status')].join(' ').trim()
}

async function until(isDone: () => Promise<boolean>): Promise<void> {
  while (!(await isDone())) await delay(50)
}

const readiness = async (node: NodeProcess) => (await node.admin('GET', '/readyz')).text.trim()
const metric = async (node: NodeProcess, line: string) =>
  (await node.admin('GET', '/metrics')).text.split('\n').find((each) => each.startsWith(`${line} `))

void t.test(
  'what an MDM says is enforced within its interval; a phone just mended need not wait',
  async (t) => {
    const all = await mdmNode(t, '')
    all.devices = [mdmDevice('alice'), mdmDevice('bob', { status: 'Bad' })]
    const node = await startNode(t, all.configFile)
    t.strictSame([await sync(node, 'alice'), await sync(node, 'bob')], ['200 1', '200 129'])
    t.equal(await readiness(node), 'ready')

    all.devices = [mdmDevice('alice', { status: 'Bad' }), mdmDevice('bob'), mdmDevice('dave')]
    const changedAt = performance.now()
    await until(async () => (await sync(node, 'alice')) !== '200 1')
    const tookMs = performance.now() - changedAt
    t.ok(tookMs < 2500, `revoked after ${Math.round(tookMs)} ms, at an interval of 1 s`)
    t.equal(await sync(node, 'dave'), '200 1', 'by the look-up, or by the list')
    t.match(await metric(node, 'easgate_source_sync_total{source="http",outcome="complete"}'), /\d/)
    t.match(await metric(node, 'easgate_facts_age_seconds{source="http"}'), / [0-5](?:\.\d+)?$/)
  },
)

void t.test(
  'an MDM that is down: who is known keeps the mail, who is not is asked to come back (T-54)',
  async (t) => {
    const all = await mdmNode(t, 'onSourceUnavailable: { maxFactsAge: 1h }')
    all.devices = [mdmDevice('alice')]
    const node = await startNode(t, all.configFile)
    t.equal(await sync(node, 'alice'), '200 1')

    all.devices = undefined
    for (const phone of ['ApplNew1', 'ApplNew2', 'ApplNew3'])
      t.equal(await sync(node, 'carol', phone), '503', phone)
    t.equal(await sync(node, 'alice'), '200 1')
    t.equal(await readiness(node), 'degraded', 'it may go on taking traffic')
    t.equal((await node.admin('GET', '/readyz')).status, 200)
    t.equal(
      await metric(node, 'easgate_failure_mode_total{cause="source-unavailable",action="unavailable"}'),
      'easgate_failure_mode_total{cause="source-unavailable",action="unavailable"} 3',
    )
    const alarm = await node.logLine(({ alarm: name }) => name === 'source-failing')
    t.match(alarm, { level: 'error', source: 'http', msg: 'a source fails', reason: /503/ })

    all.devices = [mdmDevice('alice'), mdmDevice('carol', { easId: 'ApplNew4' })]
    t.equal(await sync(node, 'carol', 'ApplNew4'), '200 1')
    await node.logLine(({ msg }) => msg === 'a source is back')
    await until(async () => (await readiness(node)) === 'ready')
  },
)

void t.test('the policy may choose otherwise for devices of which nothing is known', async (t) => {
  const chosen = { allow: '200 1', block: '200 129' } as const
  for (const [unknownDevice, answer] of Object.entries(chosen)) {
    const all = await mdmNode(t, `onSourceUnavailable: { unknownDevice: ${unknownDevice} }`)
    const node = await startNode(t, all.configFile)
    all.devices = undefined
    t.equal(await sync(node, 'carol'), answer, unknownDevice)
    t.match(
      await metric(node, `easgate_failure_mode_total{cause="source-unavailable",action="${unknownDevice}"}`),
      / 1$/,
    )
    await node.stop()
  }
})

void t.test(
  'a restart serves at once, with facts as old as they are; too old ones hold no longer (T-57)',
  async (t) => {
    const all = await mdmNode(t, 'onSourceUnavailable: { maxFactsAge: 1m }')
    all.devices = [mdmDevice('alice')]
    const before = await startNode(t, all.configFile)
    t.equal(await sync(before, 'alice'), '200 1')
    await before.stop()
    age(join(dirname(all.configFile), 'easgate.db'), 50_000)

    all.devices = undefined
    const node = await startNode(t, all.configFile)
    t.equal(await sync(node, 'alice'), '200 1', 'before the MDM has answered anything')
    const alarm = await node.logLine(({ alarm: name }) => name === 'facts-old')
    t.match(alarm, { level: 'error', source: 'http', maxFactsAgeSeconds: 60 })
    t.ok(Number(alarm['ageSeconds']) >= 50)
    await until(async () => (await sync(node, 'alice')) !== '200 1')
    t.equal(await sync(node, 'alice'), '503')
    const explained = (await node.admin('GET', '/api/explain?user=alice&deviceId=Applalice')).json()
    t.match(explained, { action: 'unavailable', reason: 'facts-stale' })
    t.match(
      await metric(node, 'easgate_failure_mode_total{cause="facts-stale",action="unavailable"}'),
      / [1-9]\d*$/,
    )

    all.devices = [mdmDevice('alice')]
    await until(async () => (await sync(node, 'alice')) === '200 1')
    await node.logLine(({ msg }) => msg === 'the facts of a source are fresh again')
  },
)

/** Makes everything in the store of a stopped node older. */
function age(path: string, ms: number): void {
  const database = new DatabaseSync(path)
  database.exec(`UPDATE device_facts SET as_of = as_of - ${ms}`)
  database.exec(
    `UPDATE sync_state SET confirmed_at = confirmed_at - ${ms}, complete_at = complete_at - ${ms}`,
  )
  database.close()
}
