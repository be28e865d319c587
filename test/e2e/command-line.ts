import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { freePort, runEasgate, runEasgateIn, startNode, writeConfig } from '../support/node-process.ts'
import { folderSyncRequest, Phone, textAt } from '../support/simulated-phone.ts'

void t.test('every command of the README works beside a running node', async (t) => {
  const configFile = writeConfig(t, {
    admin: `{ address: 127.0.0.1:${await freePort()} }`,
    extra: 'workers: 2',
  })
  const folder = dirname(configFile)
  const node = await startNode(t, configFile)
  const bob = new Phone({ url: node.proxyUrl, user: 'bob@example.com', deviceId: 'androidDEMOBOB1' })
  const statusOfBob = async () => {
    const { root } = await bob.send('FolderSync', folderSyncRequest('0'), {
      headers: { connection: 'close' },
    })
    return textAt(root, 'FolderHierarchy:Status')
  }
  t.equal(await statusOfBob(), '129')

  const explained = await runEasgate('explain', 'bob', 'androidDEMOBOB1', '--config', configFile)
  t.equal(explained.status, 0, explained.stderr)
  t.match(explained.stdout, /^bob@example\.com {2}androidDEMOBOB1: block \(noncompliant\)\n/)

  const set = await runEasgateIn(
    { EASGATE_CONFIG: configFile },
    'devices',
    'set',
    'bob@example.com',
    'androidDEMOBOB1',
    'complianceState=compliant',
  )
  t.equal(set.status, 0, set.stderr)
  await bob.provision()
  for (let request = 0; request < 8; request++) t.equal(await statusOfBob(), '1', 'in force on both workers')

  const push = join(folder, 'push.csv')
  writeFileSync(push, 'user,deviceId,complianceState\nbob@example.com,androidDEMOBOB1,noncompliant\nbad\n')
  const imported = await runEasgate('--config', configFile, 'devices', 'import', push)
  t.equal(imported.status, 1)
  t.equal(imported.stderr, `${push}:3: expected 3 cells as in the header, found 1\n`)
  t.equal(imported.stdout, '1 of 1 good records taken, 1 faults\n')
  for (let request = 0; request < 8; request++) t.not(await statusOfBob(), '1', 'in force on both workers')

  const listed = await runEasgate('devices', 'list', '--user', 'bob', '--json', `--config=${configFile}`)
  t.equal(listed.status, 0)

  const checked = await runEasgate('store', 'check', '--config', configFile)
  t.equal(checked.status, 0, checked.stderr)
  const backup = join(folder, 'backup.db')
  t.equal((await runEasgate('store', 'backup', backup, '--config', configFile)).status, 0)
  const rebuilt = await runEasgate('store', 'rebuild', '--config', configFile)
  t.equal(rebuilt.status, 1)
  t.match(rebuilt.stderr, /owned by a running easgate\n$/)

  // a wrong call never gets as far as a process of its own
  const wrong = await runEasgate('nonsense')
  t.strictSame([wrong.status, wrong.stdout], [2, ''])
})
