import t from 'tap'
import { startNode, workersOf, writeConfig, type NodeProcess } from '../support/node-process.ts'
import { folderSyncRequest, Phone, textAt } from '../support/simulated-phone.ts'

/** A first FolderSync of bob's blocked phone; gives its status. */
async function bobSyncs(node: NodeProcess): Promise<string | undefined> {
  const phone = new Phone({ url: node.proxyUrl, user: 'bob@example.com', deviceId: 'androidDEMOBOB1' })
  const { root } = await phone.send('FolderSync', folderSyncRequest('0'))
  return textAt(root, 'FolderHierarchy:Status')
}

void t.test('a worker that hangs is ended, so that no change waits for it, and replaced', async (t) => {
  const node = await startNode(t, writeConfig(t, { extra: 'workers: 2' }))
  const [hung = 0, other] = workersOf(node)
  process.kill(hung, 'SIGSTOP')
  const pushed = await node.admin('POST', '/api/facts', {
    user: 'bob@example.com',
    deviceId: 'androidDEMOBOB1',
    complianceState: 'compliant',
  })
  t.equal(pushed.status, 200)
  t.notOk(workersOf(node).includes(hung), 'it is gone when the push is answered')
  await node.logLine(({ msg }) => msg === 'the worker is replaced')
  t.equal((await node.admin('GET', '/readyz')).status, 200)
  t.ok(workersOf(node).includes(other ?? 0))
  const statuses = await Promise.all(Array.from({ length: 10 }, () => bobSyncs(node)))
  t.notOk(statuses.includes('129'), 'old and new worker decide by the change')
})

void t.test('a worker that hangs does not keep the node from stopping', async (t) => {
  const node = await startNode(t, writeConfig(t))
  const [hung = 0] = workersOf(node)
  process.kill(hung, 'SIGSTOP')
  t.equal(await node.stop(), 0)
})
