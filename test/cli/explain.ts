import t from 'tap'
import { run, runWithInput, startConfigured } from '../support/command.ts'
import { sighting } from '../support/directory-store.ts'
import { traceReport } from '../support/traces.ts'

void t.test('tells the verdict first, then the way to it', async (t) => {
  const { configFile } = await startConfigured(t)
  const { status, out, error } = await run(
    'explain',
    'bob@example.com',
    'androidDEMOBOB1',
    '--user-agent',
    'Android-Mail/2023.10.29',
    '--protocol-version',
    '16.1',
    '--config',
    configFile,
  )
  t.strictSame([status, error], [0, ''])
  const lines = out.split('\n')
  t.equal(lines[0], 'bob@example.com  androidDEMOBOB1: block (noncompliant)')
  t.match(lines[1], /^ {2}because +complianceState is noncompliant$/)
  t.match(lines[2], /^ {2}changes if +its MDM, and every compliance policy/)
  t.match(out, /^ {2}decided by +compliance, mode enforce, backend simulator$/m)
  t.match(out, /^ {2}device +Android 14, Pixel 8, /m)
  t.match(out, /^ {2}claims +Android-Mail\/2023\.10\.29, EAS 16\.1$/m)
  t.match(out, /^ {4}complianceState +noncompliant +file, /m)
  const steps = lines.slice(lines.indexOf('  looked at, in order:') + 1)
  t.match(steps[0], /^ {6}user-mismatch +passed$/)
  t.match(steps.at(-2), /^ {4}> compliance +block +\S/)
  t.match(steps.at(-1), /^ +by complianceState noncompliant/)
})

void t.test('says so where nothing is known', async (t) => {
  const { configFile } = await startConfigured(t)
  const { status, out } = await run('explain', 'nobody', 'X1', '--config', configFile)
  t.equal(status, 0, 'a refusal is a good answer to the question')
  t.match(out, /^nobody@example\.com {2}X1: quarantine \(not-enrolled\)$/m)
  t.match(out, /^ {2}user +no source knows this login/m)
  t.match(out, /^ {2}device +unknown unknown, unknown, unknown$/m)
  t.match(out, /^ {2}on record +not on record, /m)
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
    '--request=abc-1',
    '--config',
    configFile,
  )
  t.equal(status, 0)
  const query = new URLSearchParams({
    user: 'EXAMPLE\\carol',
    deviceId: 'ApplDEMOCAROL1',
    deviceType: 'iPhone',
    userAgent: 'Apple-iPhone15C2/2105.219 & more=yes',
    requestId: 'abc-1',
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

/** The log line of a request of bob's phone. */
const logLine = {
  level: 'info',
  requestId: 'abc-5',
  action: 'block',
  reason: 'noncompliant',
  user: 'bob@example.com',
  deviceId: 'androidDEMOBOB1',
  deviceType: 'Android',
  protocolVersion: '16.1',
  policyRevision: 1,
  factsRevision: 12,
  msg: 'request',
}

void t.test('a log line on standard input asks all that it tells', async (t) => {
  const { configFile, node } = await startConfigured(t)
  const pair = { user: 'bob@example.com', deviceKey: 'androiddemobob1' }
  await node.store.recordSightings([sighting({ ...pair, deviceId: 'androidDEMOBOB1' })])
  await node.store.recordTraces([traceReport({ ...pair, lastRequestId: 'abc-9', requests: 7 })])
  const ask = (line: unknown, ...args: string[]) =>
    runWithInput(`${JSON.stringify(line)}\n`, 'explain', '--log-line', ...args, '--config', configFile)
  const kept = await ask(logLine)
  t.match(kept.out, /^ {2}request +r-1 at \S+, as it was decided then; 7 alike, the last abc-9 at \S+$/m)
  const moved = await ask({ ...logLine, factsRevision: 1 })
  t.match(moved.out, /^ {2}request +abc-5: no explanation is kept; .* others by now/m)
  const json = await ask({ ...logLine, factsRevision: 1 }, '--json')
  t.match(JSON.parse(json.out), {
    claims: { deviceType: 'Android', protocolVersion: '16.1', seenAt: null },
    recomputed: true,
    movedOn: true,
  })
  const lone = await run('explain', 'bob', 'androidDEMOBOB1', '--request', 'abc-5', '--config', configFile)
  t.match(lone.out, /^ {2}request +abc-5: no explanation is kept; .* it is not told whether/m)
})

void t.test('what is no log line is told as such', async (t) => {
  const { configFile } = await startConfigured(t)
  const { deviceId: _, ...ofNoDevice } = logLine
  for (const [input, message] of [
    ['', 'expected one line of the log, found none'],
    [`${JSON.stringify(logLine)}\n`.repeat(2), 'expected one line of the log, found 2'],
    ['{', 'this is no log line of a request of a device'],
    [JSON.stringify(ofNoDevice), 'this is no log line of a request of a device: deviceId'],
  ] as const) {
    const { status, error } = await runWithInput(input, 'explain', '--log-line', '--config', configFile)
    t.equal(status, 1)
    t.ok(error.startsWith(message), error)
  }
})
