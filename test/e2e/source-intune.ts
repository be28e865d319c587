import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { defaults, type ScenarioInput } from '../support/graph-double/scenario.ts'
import { startGraphDouble, type GraphDouble } from '../support/graph-double/start-graph-double.ts'
import { startNode, writeConfig, type NodeProcess } from '../support/node-process.ts'
import { temporaryFolder } from '../support/rsa-certificate.ts'
import { folderSyncRequest, Phone, textAt } from '../support/simulated-phone.ts'

const people = ['alice', 'bob', 'carol', 'dave'] as const
const upn = (name: string) => `${name}@example.com`
const guid = (kind: string, name: string) =>
  `${kind}0000000-0000-4000-8000-${Buffer.from(name.padEnd(6).slice(0, 6)).toString('hex')}`

/** The phone of each of the people but dave, enrolled and compliant. */
const tenant: ScenarioInput = {
  users: people.map((name) => ({ userPrincipalName: upn(name), id: guid('a', name) })),
  managedDevices: ['alice', 'bob', 'carol'].map((name) => ({
    id: guid('b', name),
    userId: guid('a', name),
    userPrincipalName: upn(name),
    easDeviceId: `Appl${name}`,
    operatingSystem: 'iOS',
  })),
}

interface IntuneNode {
  readonly double: GraphDouble
  readonly configFile: string
}

/** A double of Graph, and the config of a node that reads it. */
async function intuneNode(
  t: Test,
  scenario: ScenarioInput,
  { policy = 'conditionalAccess: { onPremises: { notEnrolled: block } }', keys = {} } = {},
): Promise<IntuneNode> {
  const double = await startGraphDouble(scenario)
  t.teardown(() => double.stop())
  const clientSecretFile = join(temporaryFolder(t), 'secret')
  writeFileSync(clientSecretFile, defaults.clientSecret)
  const source = {
    kind: 'intune',
    tenantId: defaults.tenantId,
    clientId: defaults.clientId,
    clientSecretFile,
    graphUrl: double.url,
    authorityUrl: double.url,
    interval: '1s',
    sweepInterval: '1s',
    ...keys,
  }
  return { double, configFile: writeConfig(t, { sources: JSON.stringify([source]), policy: `${policy}\n` }) }
}

/** HTTP status, and the status in the body where there is one. */
async function sync(node: NodeProcess, name: string, deviceId = `Appl${name}`): Promise<string> {
  const phone = new Phone({ url: node.proxyUrl, user: upn(name), deviceId })
  const { status, root } = await phone.send('FolderSync', folderSyncRequest('0'))
  return [status, root === undefined ? undefined : textAt(root, 'FolderHierarchy:Status')].join(' ').trim()
}

async function until(isDone: () => Promise<boolean>): Promise<void> {
  while (!(await isDone())) await delay(50)
}

const readiness = async (node: NodeProcess) => (await node.admin('GET', '/readyz')).text.trim()

void t.test('what Intune says is enforced within the interval and a second', async (t) => {
  const { double, configFile } = await intuneNode(t, tenant)
  await double.change('managedDevices', guid('b', 'bob'), { complianceState: 'noncompliant' })
  const node = await startNode(t, configFile)
  await until(async () => (await readiness(node)) === 'ready')
  t.strictSame([await sync(node, 'alice'), await sync(node, 'bob')], ['200 1', '200 129'])

  const changedAt = performance.now()
  await double.change('managedDevices', guid('b', 'alice'), { complianceState: 'noncompliant' })
  await until(async () => (await sync(node, 'alice')) !== '200 1')
  const tookMs = performance.now() - changedAt
  t.ok(tookMs < 2000, `revoked after ${Math.round(tookMs)} ms, at an interval of 1 s`)

  await double.remove('managedDevices', guid('b', 'carol'))
  await until(async () => (await sync(node, 'carol')) !== '200 1')
  const explained = await node.admin('GET', `/api/explain?user=${upn('alice')}&deviceId=Applalice`)
  t.match(explained.json(), {
    reason: 'noncompliant',
    facts: { source: 'intune', managementAgent: 'mdm', asOf: /^20/ },
  })
})

void t.test(
  'a phone that was just mended gets its mail by a look-up, long before the next reading',
  async (t) => {
    const { double, configFile } = await intuneNode(t, tenant, {
      keys: { interval: '1h', sweepInterval: '1h' },
    })
    await double.change('managedDevices', guid('b', 'bob'), { complianceState: 'noncompliant' })
    const node = await startNode(t, configFile)
    await until(async () => (await readiness(node)) === 'ready')
    t.equal(await sync(node, 'dave'), '200 129')
    await double.add('managedDevices', {
      userId: guid('a', 'dave'),
      userPrincipalName: upn('dave'),
      easDeviceId: 'ApplNEW',
    })
    t.equal(await sync(node, 'dave', 'ApplNEW'), '200 1', 'enrolled a moment ago')
  },
)

void t.test('groups of the policy are those of Entra, by name and by id', async (t) => {
  const exempt = guid('c', 'exempt')
  const { double, configFile } = await intuneNode(
    t,
    {
      ...tenant,
      groups: [
        { id: exempt, displayName: 'Executives', members: [upn('dave')] },
        { id: guid('c', 'target'), displayName: 'Mail Users', members: [guid('c', 'nested')] },
        { id: guid('c', 'nested'), displayName: 'Nested', members: people.map(upn) },
      ],
    },
    {
      policy: `conditionalAccess: { onPremises: { targetedGroups: [mail users], exemptedGroups: [${exempt}] } }`,
    },
  )
  const node = await startNode(t, configFile)
  await until(async () => (await readiness(node)) === 'ready')
  await until(async () => (await sync(node, 'dave')) === '200 1')
  const reasonOf = async (name: string) => {
    const answer = await node.admin('GET', `/api/explain?user=${upn(name)}&deviceId=Appl${name}`)
    return (answer.json() as { reason: string }).reason
  }
  t.strictSame([await reasonOf('dave'), await reasonOf('alice')], ['exempt', 'compliant'])
  await double.changeMembers('Nested', { remove: [upn('alice')] })
  await until(async () => (await reasonOf('alice')) === 'not-targeted')
  await double.changeMembers('Executives', { remove: [upn('dave')] })
  await until(async () => (await reasonOf('dave')) === 'not-enrolled')
})

void t.test('a new policy is weighed by the members of its groups', async (t) => {
  const { configFile } = await intuneNode(t, {
    ...tenant,
    groups: [{ id: guid('c', 'sales'), displayName: 'Sales', members: [upn('dave')] }],
  })
  const node = await startNode(t, configFile)
  await until(async () => (await readiness(node)) === 'ready')
  t.equal(await sync(node, 'dave'), '200 129')
  const policy = 'conditionalAccess: { onPremises: { notEnrolled: block, exemptedGroups: [sales] } }\n'
  writeFileSync(join(configFile, '..', 'policy.yaml'), policy)
  node.child.kill('SIGHUP')
  await node.logLine(({ msg }) => msg === 'policy reloaded')
  t.equal(await sync(node, 'dave'), '200 1', 'exempt at once: the group was read before')
})

void t.test(
  'a missing permission and a secret that ends are told; who is known keeps the mail',
  async (t) => {
    const { double, configFile } = await intuneNode(t, tenant)
    const node = await startNode(t, configFile)
    await until(async () => (await readiness(node)) === 'ready')
    t.equal(await sync(node, 'alice'), '200 1')

    await double.changeApp(defaults.clientId, {
      permissions: ['User.Read.All', 'GroupMember.Read.All', 'Device.Read.All'],
    })
    await double.expireTokens()
    const line = await node.logLine(({ reason }) =>
      /DeviceManagementManagedDevices\.Read\.All/.test(String(reason)),
    )
    t.match(line, { level: 'error', source: 'intune', reason: /grant the application permission/ })
    t.equal(await readiness(node), 'degraded')
    t.equal(await sync(node, 'alice'), '200 1')

    await double.changeApp(defaults.clientId, { secrets: [{ value: defaults.clientSecret, expired: true }] })
    await double.expireTokens()
    await node.logLine(({ reason }) => /has expired: make a new one/.test(String(reason)))
    t.equal(await sync(node, 'alice'), '200 1')
    t.equal(await node.stop(), 0)

    const again = await startNode(t, configFile)
    t.equal(await sync(again, 'alice'), '200 1', 'a restart serves from the store at once')
    t.equal(await readiness(again), 'degraded')
  },
)
