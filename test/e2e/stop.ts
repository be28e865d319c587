import { dirname, join } from 'node:path'
import { once } from 'node:events'
import t from 'tap'
import { openStoreReader } from '#directory/store.ts'
import { startNode, workersOf, writeConfig, type NodeProcess } from '../support/node-process.ts'
import { folderSyncRequest, Phone, textAt } from '../support/simulated-phone.ts'

/** A first FolderSync of bob's blocked phone; gives its status. */
async function bobSyncs(node: NodeProcess): Promise<string | undefined> {
  const phone = new Phone({ url: node.proxyUrl, user: 'bob@example.com', deviceId: 'androidDEMOBOB1' })
  const { root } = await phone.send('FolderSync', folderSyncRequest('0'))
  return textAt(root, 'FolderHierarchy:Status')
}

void t.test('what was seen in the last second is not lost at the stop', async (t) => {
  const configFile = writeConfig(t, { extra: 'workers: 2' })
  const node = await startNode(t, configFile)
  t.equal(await bobSyncs(node), '129')
  t.equal(await node.stop(), 0)
  const store = openStoreReader(join(dirname(configFile), 'easgate.db'), { sourceOrder: ['file'] })
  t.teardown(() => store.close())
  t.match(store.device('bob@example.com', 'androidDEMOBOB1')?.seen, { action: 'block' })
  t.match(store.hourlyCounts(0), [{ action: 'block', reason: 'noncompliant', requests: 1 }])
  t.match(node.written().at(-1), /"msg":"request"/, 'nor is the last line of the log')
})

void t.test(
  'a second signal does not cut the stop short: npm passes on what the terminal sent',
  async (t) => {
    const node = await startNode(t, writeConfig(t))
    const workers = workersOf(node)
    const closed = once(node.child, 'close')
    // the terminal's Ctrl-C goes to the whole group
    for (const pid of [node.child.pid ?? 0, ...workers, node.child.pid ?? 0]) process.kill(pid, 'SIGINT')
    t.strictSame(await closed, [0, null])
  },
)

void t.test('a SIGHUP of the whole group costs no worker', async (t) => {
  const node = await startNode(t, writeConfig(t))
  const workers = workersOf(node)
  for (const pid of [node.child.pid ?? 0, ...workers]) process.kill(pid, 'SIGHUP')
  await node.logLine(({ msg }) => msg === 'the policy file is unchanged')
  t.equal(await bobSyncs(node), '129')
  t.strictSame(workersOf(node), workers)
})
