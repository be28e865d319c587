import t from 'tap'
import { run, startConfigured } from '../support/command.ts'

const bobs = ['bob@example.com', 'androidDEMOBOB1'] as const

void t.test('allow, block and clear-override speak of one device', async (t) => {
  const { configFile, node } = await startConfigured(t)
  const call = (command: string, ...options: string[]) =>
    run('devices', command, ...bobs, ...options, '--config', configFile)
  const override = () => node.store.device(...bobs)?.override

  const until = '2030-01-01T00:00:00.000Z'
  t.strictSame(await call('allow', '--note', 'on a trip', '--until', until, '--exclusive'), {
    status: 0,
    out: `bob@example.com androidDEMOBOB1: allowed until ${until}, in force`,
    error: '',
  })
  t.match(override(), { action: 'allow', note: 'on a trip', until: Date.parse(until), exclusive: true })

  const blocked = await call('block', '--note', 'lost')
  t.strictSame(
    [blocked.status, blocked.out],
    [0, 'bob@example.com androidDEMOBOB1: blocked, in force'],
    blocked.error,
  )
  t.strictSame(
    { ...override(), at: 0 },
    { action: 'block', note: 'lost', exclusive: false, actor: 'api', at: 0 },
  )
  const listed = await run('devices', 'list', '--override', 'block', '--config', configFile)
  t.match(listed.out, /\nbob@example\.com .* block$/)
  t.equal(listed.out.split('\n').length, 2, 'a header, and nobody else')

  t.strictSame(await call('clear-override'), {
    status: 0,
    out: 'bob@example.com androidDEMOBOB1: judged by the rules again, in force',
    error: '',
  })
  t.equal(override(), undefined)
  t.match(await call('clear-override'), { status: 1, error: 'this device is neither allowed nor blocked' })
})

void t.test('--days ends it that many days from now', async (t) => {
  const { configFile, node } = await startConfigured(t)
  const start = Date.now()
  const { out } = await run('devices', 'allow', ...bobs, '--note=x', '--days=7', '--config', configFile)
  const until = node.store.device(...bobs)?.override?.until ?? 0
  t.ok(until >= start + 7 * 86_400_000 && until <= Date.now() + 7 * 86_400_000)
  t.match(out, `allowed until ${new Date(until).toISOString()}, in force`)
})

void t.test('what the node refuses is told by its field', async (t) => {
  const { configFile, node } = await startConfigured(t)
  const past = ['--until', '2020-01-01T00:00:00Z']
  const { status, error } = await run(
    'devices',
    'allow',
    ...bobs,
    '--note',
    ' ',
    ...past,
    '--config',
    configFile,
  )
  t.equal(status, 1)
  t.match(error, /^nothing was changed\n {2}field: note, message: expected text of 1 to 256 characters/)
  t.equal(node.store.device(...bobs)?.override, undefined)
})
