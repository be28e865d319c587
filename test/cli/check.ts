import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t from 'tap'
import { loadSettings } from '#config/load.ts'
import { openStore } from '#directory/store.ts'
import { phone, sighting } from '../support/directory-store.ts'
import { run } from '../support/command.ts'
import { root, writeConfig } from '../support/node-process.ts'

void t.test('says that config and policy are good, and which they are', async (t) => {
  const configFile = writeConfig(t)
  const { status, out, error } = await run('check', '--config', configFile)
  t.strictSame([status, error], [0, ''])
  t.match(out, /easgate\.yaml: good \([0-9a-f]{12}\)\n.*policy\.yaml: good \([0-9a-f]{12}\)\n/)
})

void t.test('the default config is good', async (t) => {
  const before = process.cwd()
  process.chdir(root)
  t.teardown(() => process.chdir(before))
  t.equal((await run('check')).status, 0)
})

void t.test('warns of every path that is passed through', async (t) => {
  const configFile = writeConfig(t, { routing: '{ default: simulator, passthrough: [/owa, /EWS] }' })
  const { status, out } = await run('check', '--config', configFile)
  t.equal(status, 0)
  t.match(out, 'warning: /owa is passed through without any check of user or device')
  t.match(out, 'warning: /EWS is passed through without any check of user or device')
})

void t.test('prints every fault of both files with its line', async (t) => {
  const configFile = writeConfig(t, {
    extra: 'workers: many\nlimit: {}',
    policy: 'conditionalAccess: { onPremises: { mode: on } }\n',
  })
  const { status, out, error } = await run('check', '--config', configFile)
  t.strictSame([status, out], [1, ''])
  t.match(error, /easgate\.yaml:\d+: workers: expected/)
  t.match(error, /easgate\.yaml:\d+: limit: unknown key/)
  t.match(error, /policy\.yaml:1: conditionalAccess\.onPremises\.mode: /)
  t.match(error, /\n3 faults; nothing was started$/)
})

void t.test('a token file that holds no token is a fault: nobody could come in', async (t) => {
  const tokenFile = join(mkdtempSync(join(tmpdir(), 'easgate-')), 'token')
  t.teardown(() => rmSync(dirname(tokenFile), { recursive: true }))
  for (const key of ['tokenFile', 'metricsTokenFile']) {
    const configFile = writeConfig(t, { admin: `{ ${key}: ${tokenFile} }` })
    for (const content of ['', ' \n', 'one two\n', 'bell\u0007', 'schlüssel']) {
      writeFileSync(tokenFile, content)
      const { status, error } = await run('check', '--config', configFile)
      t.equal(status, 1, `${key} ${JSON.stringify(content)}`)
      t.equal(
        error,
        `${tokenFile}: admin.${key}: expected one word of printable ASCII characters\n1 fault; nothing was started`,
      )
    }
    writeFileSync(tokenFile, 'a-good-token\n')
    t.equal((await run('check', '--config', configFile)).status, 0)
  }
})

void t.test('names the line of a group that nobody is in, once the sources were read', async (t) => {
  const configFile = writeConfig(t, {
    policy: 'conditionalAccess:\n  online: { exemptedGroups: [Sales, saels] }\n',
    routing: '{ default: simulator, rules: [{ group: Managers, backend: simulator }] }',
  })
  const before = await run('check', '--config', configFile)
  t.equal(before.status, 0)
  t.match(before.out, 'groups and the devices in use are not checked')

  const { path } = loadSettings(configFile).config.value.store
  const store = openStore(path, { sourceOrder: ['file'], now: Date.now })
  await store.upsert('file', [{ user: 'alice@example.com', groups: ['sales'] }])
  store.setSourceComplete('file')
  store.close()
  const { status, out, error } = await run('check', '--config', configFile)
  t.strictSame([status, out], [1, ''])
  t.match(error, /easgate\.yaml:\d+: routing\.rules\.0\.group: no source knows a group managers/)
  t.match(
    error,
    /policy\.yaml:2: conditionalAccess\.online\.exemptedGroups\.1: no source knows a group saels/,
  )
  t.notMatch(error, /group sales/)
})

void t.test('warns of an allow that rests on what a client claims', async (t) => {
  const configFile = writeConfig(t, {
    policy: 'conditionalAccess:\n  online: { unsupportedPlatforms: allow }\n',
  })
  const { status, out } = await run('check', '--config', configFile)
  t.equal(status, 0)
  t.match(out, /warning: .*policy\.yaml:2: conditionalAccess\.online\.unsupportedPlatforms: lets in on what/)
})

void t.test('reads the texts of the quarantine mailbox, and tells every fault by its line', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'easgate-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'texts.yaml')
  const configFile = writeConfig(t, { extra: `quarantine: { language: de, textsFile: ${file} }` })
  const missing = await run('check', '--config', configFile)
  t.equal(missing.status, 1)
  t.match(missing.error, `${file}: cannot be read`)
  writeFileSync(file, 'subject: Hold\ntext: no link\nreason: {}\n')
  const faulty = await run('check', '--config', configFile)
  t.equal(faulty.status, 1)
  t.match(faulty.error, `${file}:3: reason: unknown key`)
  writeFileSync(file, 'subject: Hold\ntext: no link\n')
  t.match((await run('check', '--config', configFile)).error, `${file}:2: text: expected {link} in it`)
  writeFileSync(file, 'subject: Hold\n')
  const good = await run('check', '--config', configFile)
  t.strictSame([good.status, good.error], [0, ''])
  t.match(good.out, `${file}: good`)
})

void t.test('reads the texts of the enrolment pages, and tells every fault by its line', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'easgate-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'texts.yaml')
  const configFile = writeConfig(t, { extra: `enrollment: { textsFiles: { fr: ${file} } }` })
  writeFileSync(file, 'start:\n  title: Aide\n  subtitle: x\n')
  const faulty = await run('check', '--config', configFile)
  t.equal(faulty.status, 1)
  t.match(faulty.error, `${file}:3: start.subtitle: unknown key`)
  writeFileSync(file, 'start:\n  title: Aide\n')
  const good = await run('check', '--config', configFile)
  t.strictSame([good.status, good.error], [0, ''])
  t.match(good.out, `${file}: good`)
})

void t.test('names a policy that would refuse too many of the devices in use', async (t) => {
  const policy = 'maxNewRefusals: 50%\nconditionalAccess:\n  onPremises: { mode: enforce }\n'
  const configFile = writeConfig(t, { policy })
  const { config, policy: before } = loadSettings(configFile)
  const store = openStore(config.value.store.path, { sourceOrder: ['file'], now: Date.now })
  const users = Array.from({ length: 20 }, (_, number) => `user${number}@example.com`)
  await store.upsert(
    'file',
    users.map((user) => phone(user, 'Phone1')),
  )
  store.setSourceComplete('file')
  const seen = {
    deviceId: 'Phone1',
    deviceKey: 'phone1',
    backend: 'simulator',
    at: Date.now(),
    allowed: true,
  }
  await store.recordSightings(users.map((user) => sighting({ user, ...seen })))
  store.keepPolicy({ revision: 1, digest: before.digest, text: before.text, at: 0, actor: 'file' })
  store.close()
  t.equal((await run('check', '--config', configFile)).status, 0)

  const rule = 'deviceRules: [{ name: none of these, match: { deviceType: iPhone }, action: block }]\n'
  writeFileSync(before.file, policy + rule)
  const { status, error } = await run('check', '--config', configFile)
  t.equal(status, 1)
  t.match(
    error,
    /policy\.yaml:1: maxNewRefusals: this policy would newly refuse 20 of the 20 devices in use, 10 may be/,
  )
})
