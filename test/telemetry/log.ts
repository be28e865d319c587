import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import pino from 'pino'
import t from 'tap'
import { createTimestamp, logOutcome } from '#telemetry/log.ts'
import type { Outcome } from '#telemetry/outcome.ts'
import { outcome } from '../support/outcome.ts'
import { root } from '../support/node-process.ts'

/** The line that a request writes, without its line break. */
function lineOf(fields: Partial<Outcome>): string {
  const lines: string[] = []
  logOutcome(pino({}, { write: (line) => lines.push(line) }), outcome(fields))
  const [line, ...others] = lines
  if (line === undefined || others.length > 0) throw new Error(`expected one line, got ${lines.length}`)
  return line.replace(/\n$/, '')
}

void t.test('a request is one line with the words of its outcome', async (t) => {
  const line = JSON.parse(lineOf({ upstreamMs: 7.777, server: 'mail:443' })) as Record<string, unknown>
  const { level: _level, time: _time, pid: _pid, hostname: _hostname, ...fields } = line
  t.strictSame(fields, {
    requestId: 'abc-1',
    command: 'Sync',
    action: 'block',
    reason: 'noncompliant',
    rule: 'compliance',
    mode: 'enforce',
    status: 200,
    user: 'bob@example.com',
    deviceId: 'androidDEMOBOB1',
    deviceType: 'Android',
    userAgent: 'Android-Mail/2023',
    platform: 'Android',
    osVersion: '14',
    client: 'Gmail',
    protocolVersion: '16.1',
    backend: 'simulator',
    server: 'mail:443',
    clientAddress: '192.0.2.7',
    policyRevision: 1,
    factsRevision: 12,
    durationMs: 1.23,
    upstreamMs: 7.78,
    msg: 'request',
  })
  t.match(JSON.parse(lineOf({ reportOnly: true, code: 'EAS_COMMAND_UNKNOWN' })), {
    reportOnly: true,
    code: 'EAS_COMMAND_UNKNOWN',
  })
})

void t.test('what a client says cannot break out of its field (T-59)', async (t) => {
  const forged = '{"level":"info","action":"allow"}'
  for (const [index, hostile] of [
    `\n${forged}`,
    `\r\n${forged}`,
    `"}\n${forged}`,
    '\u001b[2J\u001b]0;title\u0007',
    '\u009b2J',
    '\u0000\u0008\u007f',
    '\u2028\u2029',
    '\u202eallow\u202c',
    '\ud800',
    '%s %j %d',
  ].entries()) {
    for (const field of ['user', 'userAgent', 'deviceType'] as const) {
      const line = lineOf({ [field]: hostile })
      t.notMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u, `${field}, text ${index}`)
      t.match(JSON.parse(line), { action: 'block', msg: 'request' })
    }
  }
})

void t.test('long fields are cut', async (t) => {
  const long = 'x'.repeat(1_000_000)
  const line = lineOf({ user: long, userAgent: long, deviceType: long })
  t.match(JSON.parse(line), { user: 'x'.repeat(256), userAgent: 'x'.repeat(256) })
  for (const character of ['x', '\u009b', '"', '€', '\u{1f600}']) {
    const text = character.repeat(1000)
    const bytes = Buffer.byteLength(lineOf({ user: text, userAgent: text, deviceType: text }))
    t.ok(bytes < 4096, `a line of ${bytes} bytes is written in one piece`)
  }
})

/** What a process writes that logs a warning and a request at a level. */
async function written(level: string): Promise<string[]> {
  const script = `
    import { createLog, logOutcome } from '#telemetry/log.ts'
    import { outcome } from './test/support/outcome.ts'
    const log = createLog(${JSON.stringify(level)}, { pid: 1 })
    log.warn({ err: new Error('text of a fault') }, 'a warning')
    logOutcome(log, outcome())
    process.exit(0)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return (await text(child.stdout)).split('\n').slice(0, -1)
}

void t.test('the level of the config holds, and nothing is lost at the end of a process', async (t) => {
  for (const [level, messages] of [
    ['info', ['a warning', 'request']],
    ['warn', ['a warning']],
    ['silent', []],
  ] as const) {
    const lines = (await written(level)).map((line) => JSON.parse(line) as Record<string, unknown>)
    t.strictSame(
      lines.map(({ msg }) => msg),
      messages,
      level,
    )
    for (const line of lines) {
      t.match(line, { pid: 1, level: /^(?:warn|info)$/, time: /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/ })
    }
  }
})

void t.test('a time stamp is what toISOString gives, within a second and over its end', (t) => {
  const times = [0, 7, 999, 1000, 1_798_761_599_999, 1_798_761_600_000, 1_798_761_599_998]
  let next = 0
  const timestamp = createTimestamp(() => times[next++] ?? 0)
  for (const time of times) t.equal(timestamp(), `,"time":"${new Date(time).toISOString()}"`)
  t.end()
})
