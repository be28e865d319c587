import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { digestOf } from '#config/digest.ts'
import { run } from '../support/command.ts'
import { writeConfig } from '../support/node-process.ts'
import {
  harshPolicy,
  mildPolicy,
  startPolicyNode,
  type PolicyNode,
  type PolicyNodeOptions,
} from '../support/policy-node.ts'

interface Configured {
  readonly node: PolicyNode
  readonly config: readonly string[]
  /** Writes a draft beside the policy file. */
  readonly draft: (text: string) => string
}

/** The policy routes, with a config that leads to them. */
async function start(t: Test, options: PolicyNodeOptions = {}): Promise<Configured> {
  const configFile = writeConfig(t)
  const folder = dirname(configFile)
  const node = await startPolicyNode(t, { ...options, folder })
  const text = readFileSync(configFile, 'utf8')
  const address = new URL(node.url).host
  writeFileSync(configFile, text.replace('admin: { address: 127.0.0.1:0 }', `admin: { address: ${address} }`))
  return {
    node,
    config: ['--config', configFile],
    draft: (policy) => {
      const file = join(folder, 'draft.yaml')
      writeFileSync(file, policy)
      return file
    },
  }
}

void t.test('shows what is in force, and what is held with the way to confirm it', async (t) => {
  const { node, config } = await start(t, { phones: 10 })
  const quiet = await run('policy', 'show', ...config)
  t.strictSame([quiet.status, quiet.error], [0, ''])
  t.equal(
    quiet.out,
    `policy ${digestOf(mildPolicy)}, revision 1, in force since 2026-06-01T12:00:00.000Z by file\nnothing is held`,
  )
  node.write(harshPolicy)
  await node.keeper.reload()
  const digest = digestOf(harshPolicy)
  t.strictSame((await run('policy', 'show', ...config)).out.split('\n').slice(1), [
    `held since 2026-06-01T12:00:00.000Z: policy ${node.file}`,
    '  of 10 devices let in during the last 24 hours 10 would be refused, 5 may be',
    '    reason posture-unknown: 10 newly refused, 0 newly let in',
    '    platform iOS: 10 newly refused, 0 newly let in',
    '    group staff: 10 newly refused, 0 newly let in',
    `  let it take place: easgate policy confirm ${digest}`,
  ])
  const wrong = await run('policy', 'confirm', 'aaaaaaaaaaaa', ...config)
  t.equal(wrong.status, 1)
  t.match(wrong.error, /^no change with the digest aaaaaaaaaaaa is held; what is: policy /)
  const confirmed = await run('policy', 'confirm', digest, ...config)
  t.strictSame([confirmed.status, confirmed.out], [0, `policy ${node.file} (${digest}): confirmed`])
  t.equal(node.keeper.current().digest, digest)
})

void t.test('a draft that refuses somebody ends with 3, one that does not with 0', async (t) => {
  const { node, config, draft } = await start(t, { phones: 102 })
  const { status, out, error } = await run('policy', 'diff', draft(harshPolicy), ...config)
  t.strictSame([status, error], [3, ''])
  const lines = out.split('\n')
  t.match(lines[0], /draft\.yaml \(\w{12}\) against the policy in force \(\w{12}, revision 1\)$/)
  t.strictSame(lines.slice(1, 7), [
    '102 devices seen since 2026-05-02T12:00:00.000Z: 102 newly refused, 0 newly let in',
    '  reason posture-unknown: 102 newly refused, 0 newly let in',
    '  platform iOS: 102 newly refused, 0 newly let in',
    '  group staff: 102 newly refused, 0 newly let in',
    'safety catch: of 102 devices let in during the last 24 hours 102 would be refused, 20 may be; it would be held',
    'refused:  user0@example.com  Appl0  allow (compliant)  ->  block (posture-unknown)',
  ])
  t.equal(lines.at(-1), 'and 2 more; --csv lists them all')
  t.equal(node.keeper.current().text, mildPolicy, 'nothing was taken')

  const same = await run('policy', 'diff', draft(mildPolicy), ...config)
  t.equal(same.status, 0)
  t.match(same.out, /: 0 newly refused, 0 newly let in$/m)
  const report = draft(harshPolicy.replace('{ noncompliant', '{ mode: report-only, noncompliant'))
  t.equal((await run('policy', 'diff', report, ...config)).status, 0, 'report-only refuses nobody')
})

void t.test('--csv lists them all; --since is how far back', async (t) => {
  const { config, draft } = await start(t, { phones: 150 })
  const { status, out, error } = await run('policy', 'diff', draft(harshPolicy), '--csv', ...config)
  t.strictSame([status, error], [3, ''])
  const [header, ...rows] = out.split('\n')
  t.match(header, /^to,user,deviceId,/)
  t.equal(rows.length, 150)
  t.ok(rows.every((row) => row.startsWith('refused,user')))
  const lately = await run('policy', 'diff', draft(harshPolicy), '--csv', '--since', '30m', ...config)
  t.strictSame([lately.status, lately.out], [0, header])
  const wrong = await run('policy', 'diff', draft(harshPolicy), '--since', 'yesterday', ...config)
  t.strictSame([wrong.status, wrong.out], [1, ''])
  t.match(wrong.error, /^since must be a time span/)
})

void t.test('the faults of a draft are told by its line, without a node', async (t) => {
  const file = join(
    t.testdir({ 'draft.yaml': 'conditionalAccess:\n  onPremises: { mode: on }\n' }),
    'draft.yaml',
  )
  const { status, error } = await run('policy', 'diff', file, '--config', join(dirname(file), 'none.yaml'))
  t.equal(status, 1)
  t.match(error, /draft\.yaml:2: conditionalAccess\.onPremises\.mode: /)
  const missing = await run('policy', 'diff', join(dirname(file), 'missing.yaml'))
  t.equal(missing.status, 1)
  t.match(missing.error, /missing\.yaml: cannot be read/)
})

void t.test('says so where no node answers', async (t) => {
  const configFile = writeConfig(t, { admin: '{ address: 127.0.0.1:9 }' })
  const policy = join(dirname(configFile), 'policy.yaml')
  for (const args of [['show'], ['diff', policy], ['diff', policy, '--csv'], ['confirm', 'aaaaaaaaaaaa']]) {
    const { status, error } = await run('policy', ...args, '--config', configFile)
    t.equal(status, 1, args.join(' '))
    t.match(error, /^no easgate answers at 127\.0\.0\.1:9 /, args.join(' '))
  }
})
