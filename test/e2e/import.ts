import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import {
  demoFacts,
  freePort,
  root,
  runEasgate,
  startNode,
  writeConfig,
  type NodeProcess,
} from '../support/node-process.ts'
import { folderSyncRequest, Phone, textAt } from '../support/simulated-phone.ts'

const fixtures = join(root, 'test', 'fixtures', 'cli', 'import')

/** Lets who was there before 2024 go on for a long time. */
const policy = `conditionalAccess:
  onPremises:
    noncompliant: block
    notEnrolled: block
    grandfathered: { seenBefore: 2024-01-01, until: 2099-01-01 }
`

/** What FolderSync answers, asked as often as to reach every worker: each connection may come to another. */
async function statusesOf({ proxyUrl: url }: NodeProcess, user: string, deviceId: string) {
  const phone = new Phone({ url, user, deviceId })
  const statuses = new Set<string | undefined>()
  for (let request = 0; request < 8; request++) {
    const { root: answer } = await phone.send('FolderSync', folderSyncRequest('0'), {
      headers: { connection: 'close' },
    })
    statuses.add(textAt(answer, 'FolderHierarchy:Status'))
  }
  return [...statuses]
}

void t.test('what stood in Exchange is in force on a running node', async (t) => {
  const configFile = writeConfig(t, {
    admin: `{ address: 127.0.0.1:${await freePort()} }`,
    facts: demoFacts,
    policy,
    extra: 'workers: 2',
  })
  const folder = dirname(configFile)
  const node = await startNode(t, configFile)
  t.strictSame(await statusesOf(node, 'carol@example.com', 'ApplDEMOCAROL1'), ['129'])

  const devices = join(folder, 'devices.csv')
  const lines = [
    '#TYPE Selected.System.Management.Automation.PSCustomObject',
    '"PrimarySmtpAddress";"DeviceID";"DeviceType";"DeviceAccessState";"FirstSyncTime";"ClientType"',
    '"Carol@example.com";"ApplDEMOCAROL1";"iPhone";"Allowed";"22.11.2023 18:04:38";"EAS"',
    '"bob@example.com";"androidDEMOBOB1";"Android";"Blocked";"22.11.2024 18:04:38";"EAS"',
    '"Zoë Müller";"ApplZOE1";"iPhone";"Allowed";"22.11.2023 18:04:38";"EAS"',
    '',
  ]
  writeFileSync(devices, Buffer.from(`\uFEFF${lines.join('\r\n')}`, 'utf16le'))
  const imported = await runEasgate('devices', 'import-exchange', devices, '--config', configFile)
  t.equal(imported.status, 1)
  t.equal(imported.stdout, '2 devices of Exchange taken into the inventory, 1 not\n')
  t.match(
    imported.stderr,
    `${devices}:5: PrimarySmtpAddress: not carried over: "ApplZOE1" of "Zoë Müller": no directory entry has this name`,
  )

  const carol = new Phone({ url: node.proxyUrl, user: 'carol@example.com', deviceId: 'ApplDEMOCAROL1' })
  t.ok((await carol.provision()) > 0, 'who was there before the policy goes on')
  const bob = new Phone({ url: node.proxyUrl, user: 'bob@example.com', deviceId: 'androidDEMOBOB1' })
  t.ok(
    (await bob.provision()) > 0,
    'a wipe that was ordered in Exchange would reach a refused phone that it knows',
  )

  const mailboxes = join(fixtures, 'mailboxes-utf16.csv')
  const overridden = await runEasgate('devices', 'import-overrides', mailboxes, '--config', configFile)
  t.equal(overridden.status, 1)
  t.match(overridden.stdout, /^2 devices allowed, 3 blocked, 0 were so before, 3 not carried over\n/)
  const explained = await node.admin('GET', '/api/explain?user=bob&deviceId=ApplLOST1')
  t.match(explained.json(), { action: 'block', reason: 'personal-block' })
  t.strictSame(await statusesOf(node, 'bob@example.com', 'ApplLOST1'), ['129'])
  t.strictSame(await node.stop(), 0)
})

void t.test('rules and settings become policy files that easgate reads', async (t) => {
  const folder = t.testdir()
  for (const [command, files] of [
    ['import-rules', ['rules-utf16.csv']],
    ['import-intune', ['intune-settings.json', 'intune-policy-utf16.json']],
  ] as const) {
    const paths = files.map((file) => join(fixtures, file))
    const printed = await runEasgate('policy', command, ...paths)
    t.equal(printed.status, 1)
    t.match(printed.stderr, /not carried over: /)

    const output = join(folder, `${command}.yaml`)
    const written = await runEasgate('policy', command, ...paths, '--output', output)
    t.strictSame([written.status, written.stdout, written.stderr], [1, '', printed.stderr])
    const configFile = writeConfig(t, { policy: printed.stdout })
    const checked = await runEasgate('check', '--config', configFile)
    t.equal(checked.status, 0, checked.stderr)
  }
})
