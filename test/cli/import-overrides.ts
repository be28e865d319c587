import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run, startConfigured } from '../support/command.ts'
import { freePort } from '../support/node-process.ts'

const fixture = (file: string) => join(import.meta.dirname, '../fixtures/cli/import', file)

void t.test('what mailboxes allow and block is in force on the node, and the rest is named', async (t) => {
  const { configFile, node } = await startConfigured(t)
  const file = fixture('mailboxes-utf16.csv')
  const { status, out, error } = await run('devices', 'import-overrides', file, '--config', configFile)
  t.equal(status, 1)
  t.match(out.split('\n'), [
    '2 devices allowed, 3 blocked, 0 were so before, 3 not carried over',
    /^an allowed device gets mail whatever its compliance; Intune's connector writes these lists too/,
  ])
  t.match(error.split('\n'), [
    /: note: export lists with: Get-CASMailbox/,
    `${file}:4: ActiveSyncAllowedDeviceIDs: note: androidDEMOBOB1 is in both lists of "bob@example.com"`,
    `${file}:6: ActiveSyncEnabled: not carried over: the mailbox of "dave@example.com" has ActiveSync off`,
    `${file}:7: PrimarySmtpAddress: not carried over: nobody is named whose ApplNOBODY1 is`,
    `${file}:8: ActiveSyncAllowedDeviceIDs: not carried over: "a/b" is no EAS device id`,
  ])
  t.match(node.store.device('alice@example.com', 'ApplNEW1')?.override, {
    action: 'allow',
    exclusive: false,
    note: 'imported from Exchange: ActiveSyncAllowedDeviceIDs',
  })
  t.match(node.store.device('bob@example.com', 'androidDEMOBOB1')?.override, {
    action: 'block',
    note: 'imported from Exchange: ActiveSyncBlockedDeviceIDs',
  })
  t.equal(
    node.store.device('zoë@example.com', 'ApplZOE1')?.override?.action,
    'block',
    'who is in no directory',
  )
})

void t.test('a second run finds everything as it is; what an administrator said stands', async (t) => {
  const { configFile, node, folder } = await startConfigured(t)
  const file = join(folder, 'mailboxes.csv')
  writeFileSync(
    file,
    'PrimarySmtpAddress,ActiveSyncAllowedDeviceIDs,ActiveSyncBlockedDeviceIDs\nalice@example.com,A1,B1 C1\n',
  )
  const body = { action: 'allow', note: 'the spare phone' }
  await node.call('PUT', '/api/devices/alice/B1/override', { body })
  const until = '2126-07-01T00:00:00Z'
  await node.call('PUT', '/api/devices/alice/A1/override', { body: { ...body, until } })
  for (const done of [
    '0 devices allowed, 1 blocked, 0 were so before',
    '0 devices allowed, 0 blocked, 1 were so',
  ]) {
    const { status, out, error } = await run('devices', 'import-overrides', file, '--config', configFile)
    t.equal(status, 1)
    t.match(out, new RegExp(`^${done}`))
    t.match(error.split('\n'), [
      `${file}:2: ActiveSyncBlockedDeviceIDs: not carried over: B1 of "alice@example.com": an administrator of easgate said allow (the spare phone); it stands`,
      `${file}:2: ActiveSyncAllowedDeviceIDs: not carried over: A1 of "alice@example.com": an administrator of easgate said allow until 2126-07-01T00:00:00.000Z (the spare phone); it stands`,
    ])
  }
  t.equal(node.store.device('alice@example.com', 'B1')?.override?.action, 'allow')
})

void t.test('all carried over is status 0; allows are warned of only where there are any', async (t) => {
  const { configFile, folder } = await startConfigured(t)
  const file = join(folder, 'mailboxes.csv')
  writeFileSync(file, 'PrimarySmtpAddress,ActiveSyncBlockedDeviceIDs\nalice@example.com,A1\n')
  const { status, out, error } = await run('devices', 'import-overrides', file, '--config', configFile)
  t.strictSame([status, error], [0, ''])
  t.equal(out, '0 devices allowed, 1 blocked, 0 were so before, 0 not carried over')
})

void t.test('types in the place of lists are told, with the way to export them', async (t) => {
  const { configFile } = await startConfigured(t)
  const { status, error } = await run(
    'devices',
    'import-overrides',
    fixture('mailboxes-types.csv'),
    '--config',
    configFile,
  )
  t.equal(status, 1)
  t.match(error, /note: export lists with: Get-CASMailbox -ResultSize Unlimited/)
  t.match(
    error,
    /:3: ActiveSyncBlockedDeviceIDs: not carried over: "Microsoft\.Exchange\.Data\.MultiValuedProperty/,
  )
})

void t.test('a name that the node does not take costs its own devices only', async (t) => {
  const { configFile, folder } = await startConfigured(t)
  const file = join(folder, 'mailboxes.csv')
  const long = 'x'.repeat(300)
  writeFileSync(
    file,
    `PrimarySmtpAddress,ActiveSyncBlockedDeviceIDs\n${long}@example.com,A1\nbob@example.com,B1\n`,
  )
  const { status, out, error } = await run('devices', 'import-overrides', file, '--config', configFile)
  t.equal(status, 1)
  t.match(out, /^0 devices allowed, 1 blocked, 0 were so before, 1 not/)
  t.match(error, /:2: .*field: user, message: expected a name of 1 to 256 characters/s)
})

void t.test('a node that answers nobody, or not this caller, ends the import at once', async (t) => {
  const { configFile, folder, node } = await startConfigured(t, { token: 'secret' })
  const file = join(folder, 'mailboxes.csv')
  writeFileSync(file, 'PrimarySmtpAddress,ActiveSyncBlockedDeviceIDs\nalice@example.com,A1 A2\n')
  writeFileSync(join(folder, 'token'), 'other\n')
  const refused = await run('devices', 'import-overrides', file, '--config', configFile)
  t.equal(refused.status, 1)
  t.equal(refused.error, 'expected Authorization: Bearer and the token of admin.tokenFile')
  t.equal(node.store.device('alice@example.com', 'A1'), undefined)

  const elsewhere = readFileSync(configFile, 'utf8').replace(`:${node.port}`, `:${await freePort()}`)
  writeFileSync(configFile, elsewhere)
  const alone = await run('devices', 'import-overrides', file, '--config', configFile)
  t.equal(alone.status, 1)
  t.match(alone.error, /^no easgate answers at 127\.0\.0\.1/)
  t.match(alone.out, /^0 devices allowed, 0 blocked/)
})

void t.test('an override of easgate that has ended makes way', async (t) => {
  const { configFile, folder, node } = await startConfigured(t)
  const file = join(folder, 'mailboxes.csv')
  writeFileSync(file, 'PrimarySmtpAddress,ActiveSyncBlockedDeviceIDs\nalice@example.com,A1\n')
  const pair = { user: 'alice@example.com', deviceId: 'A1' }
  node.store.setOverride(pair, { action: 'allow', until: 1000, exclusive: false, note: 'long ago' }, 'test')
  const { status, out } = await run('devices', 'import-overrides', file, '--config', configFile)
  t.equal(status, 0)
  t.match(out, /^0 devices allowed, 1 blocked/)
})
