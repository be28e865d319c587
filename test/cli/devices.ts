import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run, startConfigured } from '../support/command.ts'
import { phone, sighting } from '../support/directory-store.ts'

void t.test('list shows a row for each device, with what it met last', async (t) => {
  const { configFile, node } = await startConfigured(t)
  await node.store.recordSightings([
    sighting({ user: 'carol@example.com', deviceId: 'ApplDEMOCAROL1', deviceKey: 'appldemocarol1' }),
  ])
  const { status, out, error } = await run('devices', 'list', '--config', configFile)
  t.strictSame([status, error], [0, ''])
  const rows = out.split('\n').map((line) => line.split(/ {2,}/))
  t.strictSame(rows, [
    ['user', 'device id', 'platform', 'compliance', 'last action', 'reason', 'last seen', 'override'],
    ['alice@example.com', 'ApplDEMOALICE1', 'iOS', 'compliant', 'never seen', '-', '-', '-'],
    ['bob@example.com', 'androidDEMOBOB1', 'Android', 'noncompliant', 'never seen', '-', '-', '-'],
    [
      'carol@example.com',
      'ApplDEMOCAROL1',
      'iOS',
      'not on record',
      'block',
      'not-enrolled',
      '1970-01-01T00:16:40.000Z',
      '-',
    ],
  ])
})

void t.test('list takes the filters of the API, and --json for programs', async (t) => {
  const { configFile, node } = await startConfigured(t)
  const filtered = await run('devices', 'list', '--platform', 'android', '--json', '--config', configFile)
  t.equal(filtered.status, 0)
  const answer = (await node.call('GET', '/api/devices?platform=android')).json()
  t.strictSame([JSON.parse(filtered.out)], (answer as { devices: unknown[] }).devices)
  const wrong = await run('devices', 'list', '--state', 'blocked', '--config', configFile)
  t.equal(wrong.status, 1)
  t.match(wrong.error, /^there is no state blocked; expected one of allow, block/)
})

void t.test('list goes on to the last page', async (t) => {
  const { configFile, node } = await startConfigured(t)
  const body = Array.from({ length: 250 }, (_, number) => phone(`user${number}@example.com`, `Appl${number}`))
  await node.call('POST', '/api/facts', { body })
  const { out } = await run('devices', 'list', '--json', '--config', configFile)
  const ids = out.split('\n').map((line) => (JSON.parse(line) as { deviceId: string }).deviceId)
  t.equal(new Set(ids).size, 252)
  t.equal(ids.length, 252)
})

void t.test('show is the answer of the API; a device that is not there is said so', async (t) => {
  const { configFile, node } = await startConfigured(t)
  const shown = await run('devices', 'show', 'alice@example.com', 'APPLdemoALICE1', '--config', configFile)
  t.equal(shown.status, 0)
  const answer = await node.call('GET', '/api/devices/alice@example.com/ApplDEMOALICE1')
  t.strictSame(JSON.parse(shown.out), answer.json())
  const none = await run('devices', 'show', 'DOMAIN\\a/b', 'x?y', '--config', configFile)
  t.equal(none.status, 1)
  t.equal(none.error, 'this device is neither on record nor was it seen')
})

void t.test('set pushes fields of every kind, which are in force at once', async (t) => {
  const { configFile, node } = await startConfigured(t)
  const { status, out } = await run(
    'devices',
    'set',
    'bob@example.com',
    'androidDEMOBOB1',
    'complianceState=compliant',
    'enrolled=true',
    'jailbroken=false',
    'groups=Sales;travel;',
    'graceUntil=2026-07-01T00:00:00Z',
    'model=A=B',
    '--config',
    configFile,
  )
  t.strictSame([status, out], [0, 'bob@example.com androidDEMOBOB1: set, in force'])
  t.match(node.store.device('bob@example.com', 'androidDEMOBOB1'), {
    groups: ['sales', 'travel'],
    facts: {
      complianceState: 'compliant',
      enrolled: true,
      jailbroken: false,
      graceUntil: Date.parse('2026-07-01T00:00:00Z'),
      model: 'A=B',
    },
  })
})

void t.test('set names a field that is wrong', async (t) => {
  const { configFile, node } = await startConfigured(t)
  const before = node.store.currentRevision()
  const { status, error } = await run(
    'devices',
    'set',
    'bob@example.com',
    'X1',
    'colour=red',
    'enrolled=maybe',
    '--config',
    configFile,
  )
  t.equal(status, 1)
  t.match(error, /^2 faults; nothing was changed$/m)
  t.match(error, /^ {2}index: 0, field: enrolled, message: expected true or false$/m)
  t.match(error, /^ {2}index: 0, field: colour, message: not a known field/m)
  t.equal(node.store.currentRevision(), before)
})

void t.test('import takes the good rows of a CSV and names each bad one by its line', async (t) => {
  const { configFile, folder, node } = await startConfigured(t)
  const file = join(folder, 'push.csv')
  writeFileSync(
    file,
    [
      'user,groups,deviceId,enrolled,complianceState,lastCheckIn',
      'erin@example.com,sales;travel,ApplERIN1,true,compliant,2026-05-01T08:00:00Z',
      'frank@example.com,,ApplFRANK1,perhaps,compliant,',
      '',
      'grace@example.com,,ApplGRACE1,true,noncompliant,yesterday',
      'heidi@example.com,,ApplHEIDI1,false',
      'ivan@example.com,,ApplIVAN1,true,compliant,',
    ].join('\n'),
  )
  const { status, out, error } = await run('devices', 'import', file, '--config', configFile)
  t.equal(status, 1)
  t.equal(out, '2 of 2 good records taken, 3 faults')
  t.strictSame(
    error.split('\n').map((line) => line.slice(file.length)),
    [
      ':3: enrolled: expected true or false',
      ':5: lastCheckIn: expected a time with its zone, such as 2026-03-01T08:30:00Z',
      ':6: expected 6 cells as in the header, found 4',
    ],
  )
  t.match(node.store.device('erin@example.com', 'ApplERIN1'), {
    groups: ['sales', 'travel'],
    facts: { enrolled: true, lastCheckIn: Date.parse('2026-05-01T08:00:00Z'), origin: { sources: ['api'] } },
  })
  t.ok(node.store.device('ivan@example.com', 'ApplIVAN1'))
  t.notOk(node.store.device('frank@example.com', 'ApplFRANK1'))
})

void t.test('import takes JSON, and sends large files in parts', async (t) => {
  const { configFile, folder, node } = await startConfigured(t)
  const file = join(folder, 'push.json')
  const groups = Array.from({ length: 400 }, (_, number) => `a-group-with-a-rather-long-name-${number}`)
  const records = Array.from({ length: 1500 }, (_, number) =>
    phone(`user${number}@example.com`, `Appl${number}`, number % 10 === 0 ? { groups } : {}),
  )
  writeFileSync(file, JSON.stringify({ devices: records }))
  const { status, out, error } = await run('devices', 'import', file, '--config', configFile)
  t.strictSame([status, out, error], [0, '1500 of 1500 good records taken, 0 faults', ''])
  t.ok(node.store.device('user1499@example.com', 'Appl1499'))
  const pushes = node.store.auditEvents({}).events.map(({ detail }) => Number(detail?.['records']))
  t.ok(pushes.length > 2, 'neither more than 1000 records nor more than a megabyte at once')
  t.equal(
    pushes.reduce((sum, count) => sum + count),
    1500,
  )
})

void t.test('import tells what is wrong with a file as a whole', async (t) => {
  const { configFile, folder } = await startConfigured(t)
  for (const [name, content, message] of [
    ['bad-header.csv', 'user,colour\na,b\n', ':1: colour: not a known column'],
    ['latin1.csv', Buffer.from('user\njörg@example.com\n', 'latin1'), ':0: expected UTF-8'],
    ['empty.csv', '', ':1: expected a header line'],
    ['list.txt', 'user\n', ':0: expected a file name that ends in .csv or .json'],
    ['broken.json', '[{', ', item 0: expected JSON'],
    ['bad-item.json', '[{"user":"a@example.com"},{"user":5}]', ', item 1: user: expected'],
  ] as const) {
    const file = join(folder, name)
    writeFileSync(file, content)
    const { status, error } = await run('devices', 'import', file, '--config', configFile)
    t.equal(status, 1, name)
    t.ok(error.startsWith(`${file}${message}`), error)
  }
  const { status, error } = await run('devices', 'import', join(folder, 'none.csv'), '--config', configFile)
  t.equal(status, 1)
  t.match(error, /^cannot read .*none\.csv: ENOENT/)
})

void t.test('an import that the node refuses half way tells how far it came', async (t) => {
  const { configFile, folder, node } = await startConfigured(t)
  const file = join(folder, 'push.json')
  const records = Array.from({ length: 2500 }, (_, number) =>
    phone(`user${number}@example.com`, `Appl${number}`),
  )
  writeFileSync(file, JSON.stringify(records))
  let calls = 0
  node.store.onChange(() => {
    if (node.store.device('user1200@example.com', 'Appl1200') !== undefined && calls++ === 0)
      node.store.close()
  })
  const { status, out, error } = await run('devices', 'import', file, '--config', configFile)
  t.equal(status, 1)
  t.equal(out, '1000 of 2500 good records taken, 0 faults')
  t.match(error, /the store .* is closed/)
  rmSync(file)
})
