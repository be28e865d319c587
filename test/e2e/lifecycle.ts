import { once } from 'node:events'
import { truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import {
  demoFacts,
  demoPolicy,
  runEasgate,
  startNode,
  workersOf,
  writeConfig,
  type NodeProcess,
} from '../support/node-process.ts'
import { folderSyncRequest, Phone, textAt } from '../support/simulated-phone.ts'

async function status(node: NodeProcess, user: string, deviceId: string): Promise<string | undefined> {
  const phone = new Phone({ url: node.proxyUrl, user, deviceId })
  const reply = await phone.send('FolderSync', folderSyncRequest('0'))
  return textAt(reply.root, 'FolderHierarchy:Status')
}

void t.test('a wrong config starts nothing and names every fault with its line', async (t) => {
  const file = writeConfig(t, {
    extra: 'workers: many\nlimit: {}',
    policy: 'conditionalAccess: { onPremises: { mode: on } }\n',
  })
  const { status, stderr, stdout } = await runEasgate('serve', '--config', file)
  t.equal(status, 1)
  t.equal(stdout, '')
  t.match(stderr, /easgate\.yaml:\d+: workers: /)
  t.match(stderr, /easgate\.yaml:\d+: limit: unknown key/)
  t.match(stderr, /policy\.yaml:1: conditionalAccess\.onPremises\.mode: /)
  t.match(stderr, /3 faults; nothing was started/)
})

void t.test(
  'a corrupt store is named with the command that rebuilds it; rebuilt, it serves again',
  async (t) => {
    const file = writeConfig(t)
    const store = join(dirname(file), 'easgate.db')
    const first = await startNode(t, file)
    t.equal(await first.stop(), 0)
    truncateSync(store, 5000)
    const refused = await runEasgate('serve', '--config', file)
    t.equal(refused.status, 1)
    t.match(refused.stderr, /easgate\.db.*damaged.*easgate store rebuild/)
    const rebuilt = await runEasgate('store', 'rebuild', '--config', file)
    t.equal(rebuilt.status, 0, rebuilt.stderr)
    t.match(rebuilt.stdout, /the old store lies at/)
    const second = await startNode(t, file)
    t.equal(await status(second, 'bob@example.com', 'androidDEMOBOB1'), '129')
  },
)

void t.test('one store has one owner', async (t) => {
  const file = writeConfig(t)
  await startNode(t, file)
  const { status, stderr } = await runEasgate('serve', '--config', file)
  t.equal(status, 1)
  t.match(stderr, /owned by a running easgate/)
})

void t.test('a worker that dies is replaced; workers do not outlive their owner', async (t) => {
  // two, so that the one that is left keeps the port, which is any free one here
  const node = await startNode(t, writeConfig(t, { extra: 'workers: 2' }))
  const [worker] = workersOf(node)
  process.kill(worker ?? 0, 'SIGKILL')
  await node.logLine(({ msg }) => msg === 'the worker is replaced')
  t.equal(await status(node, 'bob@example.com', 'androidDEMOBOB1'), '129')
  t.equal((await node.admin('GET', '/readyz')).status, 200)

  const workers = workersOf(node)
  t.equal(workers.length, 2)
  // the standard output, which the workers share, closes only when they are gone too
  const closed = once(node.child, 'close')
  node.child.kill('SIGKILL')
  await closed
})

void t.test('SIGHUP loads the policy anew; one with faults leaves the old one in force', async (t) => {
  const file = writeConfig(t)
  const policy = join(dirname(file), 'policy.yaml')
  const node = await startNode(t, file)
  t.equal(await status(node, 'bob@example.com', 'androidDEMOBOB1'), '129')

  writeFileSync(policy, 'conditionalAccess: { onPremises: { mode: nonsense } }\n')
  node.child.kill('SIGHUP')
  await node.logLine(({ msg }) => msg === 'the new policy has faults; the old one stays in force')
  t.equal(await status(node, 'bob@example.com', 'androidDEMOBOB1'), '129')

  writeFileSync(policy, demoPolicy.replace('{ exempted', '{ mode: report-only, exempted'))
  node.child.kill('SIGHUP')
  await node.logLine(({ msg }) => msg === 'policy reloaded')
  t.equal(await status(node, 'bob@example.com', 'androidDEMOBOB1'), '1', 'forwarded')
  const metrics = await node.admin('GET', '/metrics')
  t.match(metrics.text, 'easgate_report_only_total{action="block",reason="noncompliant"} 1')
  t.match(metrics.text, 'easgate_policy_revision 2')
})

void t.test('a facts file that changes is in force without a restart', async (t) => {
  const file = writeConfig(t)
  const node = await startNode(t, file)
  t.equal(await status(node, 'bob@example.com', 'androidDEMOBOB1'), '129')
  writeFileSync(join(dirname(file), 'devices.csv'), demoFacts.replace('noncompliant', 'compliant'))
  while (
    !(await node.admin('GET', '/api/explain?user=bob&deviceId=androidDEMOBOB1')).text.includes('"compliant"')
  );
  t.equal(await status(node, 'bob@example.com', 'androidDEMOBOB1'), '1')
})
