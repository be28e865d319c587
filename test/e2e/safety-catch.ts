import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import {
  demoFacts,
  demoPolicy,
  freePort,
  runEasgate,
  startNode,
  writeConfig,
  type NodeProcess,
} from '../support/node-process.ts'
import { folderSyncRequest, Phone, textAt } from '../support/simulated-phone.ts'

/** One more phone than any change may refuse unasked. */
const phones = Array.from({ length: 6 }, (_, number) => `ApplPHONE${number}`)
const facts = [
  demoFacts.trimEnd(),
  ...phones.map((id) => `alice@example.com,,${id},true,true,compliant,iOS,17.5.1,iPhone 15`),
  '',
].join('\n')
/** Blocks what alice has. */
const harshPolicy = `${demoPolicy}deviceRules: [{ name: no iPhones, match: { os: [iOS] }, action: block }]
`.replace('noncompliant: block', 'noncompliant: block, compliantBeatsPlatformRule: false')
/** Statuses of a phone that may sync, and of one that is refused: at first so that a wipe may reach it. */
const [good, provision, blocked] = ['1', '142', '129']

async function status(
  { proxyUrl: url }: NodeProcess,
  deviceId = phones[0] ?? '',
): Promise<string | undefined> {
  const phone = new Phone({ url, user: 'alice@example.com', deviceId })
  const { root } = await phone.send('FolderSync', folderSyncRequest('0'))
  return textAt(root, 'FolderHierarchy:Status')
}

/** Has every phone sync once, and waits until the owner knows of it. */
async function useAll(node: NodeProcess): Promise<void> {
  for (const deviceId of phones) {
    const phone = new Phone({ url: node.proxyUrl, user: 'alice@example.com', deviceId })
    await phone.provision()
    await phone.send('FolderSync', folderSyncRequest('0'))
  }
  for (;;) {
    const { devices } = (await node.admin('GET', '/api/devices?state=allow')).json() as { devices: unknown[] }
    if (devices.length === phones.length) return
  }
}

interface Held {
  readonly kind: string
  readonly name: string
  readonly digest: string
}

async function heldBy(node: NodeProcess): Promise<readonly Held[]> {
  return ((await node.admin('GET', '/api/policy')).json() as { held: Held[] }).held
}

async function metric(node: NodeProcess, line: string): Promise<boolean> {
  return (await node.admin('GET', '/metrics')).text.split('\n').includes(line)
}

void t.test('a policy that refuses too many waits for an operator, over a restart too', async (t) => {
  const configFile = writeConfig(t, { facts, admin: `{ address: 127.0.0.1:${await freePort()} }` })
  const policyFile = join(dirname(configFile), 'policy.yaml')
  const first = await startNode(t, configFile)
  await useAll(first)
  writeFileSync(policyFile, harshPolicy)

  const tried = await runEasgate('policy', 'diff', policyFile, '--csv', '--config', configFile)
  t.equal(tried.status, 3, tried.stderr)
  t.strictSame(
    tried.stdout.split('\n').map((line) => line.split(',').slice(0, 3).join(' ')),
    ['to user deviceId', ...phones.map((id) => `refused alice@example.com ${id}`), ''],
  )

  first.child.kill('SIGHUP')
  t.match(await first.logLine(({ msg }) => String(msg).startsWith('a change would refuse too many')), {
    level: 'error',
    kind: 'policy',
    inUse: phones.length,
    newlyRefused: phones.length,
  })
  t.equal(await status(first), good)
  t.match(await heldBy(first), [{ kind: 'policy', name: policyFile }])
  t.ok(await metric(first, 'easgate_changes_held{kind="policy"} 1'))
  t.ok(await metric(first, 'easgate_changes_held{kind="source"} 0'))
  t.ok(await metric(first, 'easgate_policy_reload_total{outcome="held"} 1'))
  t.equal((await first.admin('GET', '/readyz')).status, 200)
  t.equal(await first.stop(), 0)

  const second = await startNode(t, configFile)
  const [held] = await heldBy(second)
  t.match(held, { kind: 'policy' }, 'the file of the start is weighed against what was in force before')
  t.equal(await status(second), good)
  const confirmed = await runEasgate('policy', 'confirm', held?.digest ?? '', '--config', configFile)
  t.equal(confirmed.status, 0, confirmed.stderr)
  t.equal(await status(second), provision, 'in force on the workers when the answer comes')
  t.ok(await metric(second, 'easgate_changes_held{kind="policy"} 0'))
  t.equal(await second.stop(), 0)

  const third = await startNode(t, configFile)
  t.strictSame(await heldBy(third), [], 'what is in force by now is known')
  t.equal(await status(third), blocked)
})

void t.test('a file of facts that refuses too many waits too; what is pushed does not', async (t) => {
  const configFile = writeConfig(t, { facts })
  const factsFile = join(dirname(configFile), 'devices.csv')
  const node = await startNode(t, configFile)
  await useAll(node)
  const harsh = facts.replaceAll(',compliant,', ',noncompliant,')
  writeFileSync(factsFile, harsh)
  t.match(await node.logLine(({ msg }) => String(msg).startsWith('a change would refuse too many')), {
    level: 'error',
    kind: 'source',
    name: 'file',
    newlyRefused: phones.length,
  })
  t.equal(await status(node), good)
  t.ok(await metric(node, 'easgate_changes_held{kind="source"} 1'))
  t.ok(await metric(node, 'easgate_source_sync_total{source="file",outcome="held"} 1'))
  t.equal((await node.admin('GET', '/readyz')).status, 200)

  const one = { user: 'alice@example.com', deviceId: phones[1], complianceState: 'noncompliant' }
  t.equal((await node.admin('POST', '/api/facts', one)).status, 200)
  t.equal(await status(node, phones[1]), provision, 'a push is never held')
  await node.admin('DELETE', `/api/facts/alice@example.com/${phones[1]}`)

  writeFileSync(factsFile, facts)
  await node.logLine(({ msg }) => msg === 'a held change is gone')
  t.strictSame(await heldBy(node), [])

  writeFileSync(factsFile, `${harsh}eve@example.com,,,,,,,,\n`)
  while ((await heldBy(node)).length === 0);
  const [held] = await heldBy(node)
  const confirmed = await node.admin('POST', '/api/policy/confirm', { digest: held?.digest })
  t.strictSame(confirmed.json(), { kind: 'source', name: 'file', digest: held?.digest })
  t.equal(await status(node), provision, 'in force on the workers when the answer comes')
  t.ok(await metric(node, 'easgate_changes_held{kind="source"} 0'))
})
