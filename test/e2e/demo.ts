import t from 'tap'
import { child, children, type WbxmlElement } from '#eas/wbxml/element.ts'
import { startNode, writeConfig, type NodeProcess } from '../support/node-process.ts'
import { folderSyncRequest, Phone, pingRequest, textAt } from '../support/simulated-phone.ts'

const demo = [
  { user: 'alice@example.com', deviceId: 'ApplDEMOALICE1', action: 'allow', reason: 'compliant' },
  { user: 'bob@example.com', deviceId: 'androidDEMOBOB1', action: 'block', reason: 'noncompliant' },
  { user: 'carol@example.com', deviceId: 'ApplDEMOCAROL1', action: 'quarantine', reason: 'not-enrolled' },
  { user: 'dave@example.com', deviceId: 'ApplDEMODAVE1', action: 'allow', reason: 'exempt' },
]
const folderSync = folderSyncRequest('0')

void t.test(
  'the four demo users sync, each with the outcome of its own, in every form and version',
  async (t) => {
    const node = await startNode(t, writeConfig(t))
    for (const version of ['12.1', '14.0', '14.1', '16.1']) {
      for (const form of ['plain', 'base64'] as const) {
        for (const { user, deviceId, action, reason } of demo) {
          const deviceType = deviceId.startsWith('android') ? 'Android' : 'iPhone'
          const phone = new Phone({ url: node.proxyUrl, user, deviceId, deviceType, version, form })
          const name = `${user} ${version} ${form}`
          if (action === 'allow') {
            await phone.provision()
            const reply = await phone.send('FolderSync', folderSync)
            t.equal(textAt(reply.root, 'FolderHierarchy:Status'), '1', `${name} gets folders`)
          } else if (action === 'quarantine') {
            const reply = await phone.send('FolderSync', folderSync)
            t.equal(inboxOf(reply.root), 'easgate-inbox', `${name} gets a mailbox of ours`)
          } else {
            phone.policyKey = 0
            const reply = await phone.send('FolderSync', folderSync)
            if (version === '12.1') t.equal(reply.status, 403, `${name} is told by HTTP`)
            else t.equal(textAt(reply.root, 'FolderHierarchy:Status'), '129', `${name} is told in the body`)
          }
          const line = await node.logLine(
            (entry) =>
              entry['command'] === 'FolderSync' &&
              entry['user'] === user &&
              entry['protocolVersion'] === version,
          )
          t.match(line, { action, reason, deviceId, backend: 'simulator' }, `${name} has a log line`)
          const explained = await node.admin(
            'GET',
            `/api/explain?user=${user}&deviceId=${deviceId}&deviceType=${deviceType}`,
          )
          t.match(
            explained.json(),
            { action, reason, user, trace: [{ criterion: 'user-mismatch' }] },
            'explained',
          )
        }
      }
    }
    const metrics = await node.admin('GET', '/metrics')
    for (const { action, reason } of demo) {
      const line = `easgate_requests_total{command="FolderSync",action="${action}",reason="${reason}",backend="simulator"} 8`
      t.ok(metrics.text.includes(line), line)
    }
    t.equal((await node.admin('GET', '/healthz')).status, 200)
    t.equal((await node.admin('GET', '/readyz')).status, 200)
    t.equal(await node.stop(), 0, 'SIGTERM ends it with 0')
  },
)

void t.test(
  'a pushed fact is in force on every worker when the push is answered, and ends a parked Ping',
  async (t) => {
    const node = await startNode(t, writeConfig(t, { extra: 'workers: 3' }))
    const phone = new Phone({ url: node.proxyUrl, deviceId: 'ApplDEMOALICE1' })
    await phone.provision()
    const folders = await phone.send('FolderSync', folderSync)
    const pinged = phone.send('Ping', pingRequest(600, inboxOf(folders.root)))
    await parked(node)
    const record = { user: 'alice@example.com', deviceId: 'ApplDEMOALICE1', complianceState: 'noncompliant' }
    const pushed = await node.admin('POST', '/api/facts', record)
    t.match(pushed.json(), { records: 1 })
    t.equal(textAt((await pinged).root, 'Ping:Status'), '7', 'the Ping ends')
    // enough requests on fresh connections to meet each worker
    const statuses = await Promise.all(
      Array.from({ length: 30 }, () =>
        phone
          .send('FolderSync', folderSync, { headers: { connection: 'close' } })
          .then((reply) => statusOf(reply.root)),
      ),
    )
    t.strictSame(
      statuses.filter((status) => status !== '129' && status !== '142'),
      [],
      'no worker lets it in',
    )
    t.equal((await node.admin('DELETE', '/api/facts/alice@example.com/ApplDEMOALICE1')).status, 204)
    t.equal(statusOf((await phone.send('FolderSync', folderSync)).root), '1', 'and the file counts again')
  },
)

function statusOf(root: WbxmlElement | undefined): string | undefined {
  return textAt(root, 'FolderHierarchy:Status')
}

function inboxOf(root: WbxmlElement | undefined): string {
  const folders = children(child(root, 'FolderHierarchy:Changes'), 'FolderHierarchy:Add')
  const inbox = folders.find((folder) => textAt(folder, 'FolderHierarchy:Type') === '2')
  return textAt(inbox, 'FolderHierarchy:ServerId') ?? ''
}

/** Resolves once a request is parked: nothing tells of it but the metric. */
async function parked(node: NodeProcess): Promise<void> {
  while (!(await node.admin('GET', '/metrics')).text.includes('easgate_parked_requests 1\n'));
}
