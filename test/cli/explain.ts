import t from 'tap'
import { run, startConfigured } from '../support/command.ts'

void t.test('tells the verdict first, then the way to it', async (t) => {
  const { configFile } = await startConfigured(t)
  const { status, out, error } = await run(
    'explain',
    'bob@example.com',
    'androidDEMOBOB1',
    '--user-agent',
    'Android-Mail/2023.10.29',
    '--config',
    configFile,
  )
  t.strictSame([status, error], [0, ''])
  const lines = out.split('\n')
  t.equal(lines[0], 'bob@example.com  androidDEMOBOB1: block (noncompliant)')
  t.match(lines[1], /^ {2}decided by compliance, mode enforce, backend simulator$/)
  t.match(lines[2], /^ {2}device {5}Android 14, Pixel 8, /)
  t.match(out, /^ {2}complianceState {6}noncompliant$/m)
  t.match(out, /^ {2}source {15}file$/m)
  const steps = lines.slice(lines.indexOf('  looked at, in order:') + 1)
  t.match(steps[0], /^ {4}user-mismatch +passed$/)
  t.match(steps.at(-1), /^ {4}compliance +block +\S/)
})

void t.test('says so where nothing is known', async (t) => {
  const { configFile } = await startConfigured(t)
  const { status, out } = await run('explain', 'nobody', 'X1', '--config', configFile)
  t.equal(status, 0, 'a refusal is a good answer to the question')
  t.match(out, /^nobody@example\.com {2}X1: quarantine \(not-enrolled\)$/m)
  t.match(out, /^ {2}device {5}unknown unknown, unknown, unknown$/m)
  t.match(out, /^ {2}source {15}-$/m)
})

void t.test('--json is the answer of the API, and every parameter goes there', async (t) => {
  const { configFile, node } = await startConfigured(t)
  const { status, out } = await run(
    'explain',
    'EXAMPLE\\carol',
    'ApplDEMOCAROL1',
    '--json',
    '--device-type=iPhone',
    '--user-agent',
    'Apple-iPhone15C2/2105.219 & more=yes',
    '--config',
    configFile,
  )
  t.equal(status, 0)
  const query = new URLSearchParams({
    user: 'EXAMPLE\\carol',
    deviceId: 'ApplDEMOCAROL1',
    deviceType: 'iPhone',
    userAgent: 'Apple-iPhone15C2/2105.219 & more=yes',
  })
  const answer = await node.call('GET', `/api/explain?${query.toString()}`)
  t.strictSame(JSON.parse(out), answer.json())
  t.match(answer.json(), { user: 'carol@example.com', device: { platform: 'iOS' } })
})

void t.test('a question that is wrong is told by field', async (t) => {
  const { configFile } = await startConfigured(t)
  const { status, error } = await run('explain', '', 'not an id', '--config', configFile)
  t.equal(status, 1)
  t.match(
    error,
    /^a parameter is missing or malformed\n {2}field: user, message: .*\n {2}field: deviceId, message: /,
  )
})
