import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { loadPolicy } from '#config/load.ts'
import { run } from '../support/command.ts'

const fixture = (file: string) => join(import.meta.dirname, '../fixtures/cli/import', file)

const carried = [
  'iPhone (DeviceType)',
  'iOS 6.1 10B145 (DeviceOS)',
  'Android 4.1.2 (DeviceOS)',
  'Übertelefon 3 (DeviceModel)',
  'iPhone10C5 (DeviceModel)',
  'NokiaE521/2.00()MailforExchange (UserAgent)',
  'He said "no", twice (UserAgent)',
]

void t.test(
  'the rules stand on standard output, the same from every encoding, and nothing else',
  async (t) => {
    for (const file of ['rules-utf8-bom.csv', 'rules-utf8.csv', 'rules-utf16.csv']) {
      const { status, out, error } = await run('policy', 'import-rules', fixture(file))
      t.equal(status, 1)
      const { deviceRules } = parse(out) as { deviceRules: { name: string }[] }
      t.strictSame(
        deviceRules.map(({ name }) => name),
        carried,
        file,
      )
      const at = (line: number) => `${fixture(file)}:${line + (file === 'rules-utf8.csv' ? 0 : 1)}:`
      t.match(error.split('\n'), [
        `${at(3)} QueryString: note: "iOS 6.1 10B145": the rule does not look at 10B145`,
        `${at(5)} QueryString: not carried over: "Android": it names no version`,
        `${at(9)} QueryString: not carried over: "Touchdown*": its * is a plain character`,
        `${at(10)} Characteristic: not carried over: easgate does not look at the X-MS-WL header`,
        `${fixture(file)}: note: rules on a model`,
        `${fixture(file)}: note: where two rules fit one device`,
        "7 of Exchange's device access rules carried over, 3 not",
      ])
      for (const line of error.split('\n'))
        t.ok(out.includes(line), 'whoever reads the file later reads it too')
    }
  },
)

void t.test('the output can be pasted into a policy file, which is then good', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'policy.yaml')
  const { status, out } = await run('policy', 'import-rules', fixture('rules-utf16.csv'), '--output', file)
  t.strictSame([status, out], [1, ''])
  const { value } = loadPolicy(file)
  t.strictSame(
    value.deviceRules.map(({ name }) => name),
    carried,
  )
  t.match(value.deviceRules[1], {
    match: { os: ['iOS'], osVersion: { min: { version: [6, 1] }, max: { version: [6, 1, 1] } } },
    action: 'block',
    unknownVersionFits: false,
  })
})

void t.test('no file is overwritten', async (t) => {
  const file = join(t.testdir({ 'policy.yaml': 'mine' }), 'policy.yaml')
  const { status, error } = await run('policy', 'import-rules', fixture('rules-utf8.csv'), '--output', file)
  t.equal(status, 1)
  t.match(error, /^cannot write .*policy\.yaml: EEXIST/)
  t.equal(readFileSync(file, 'utf8'), 'mine')
})

void t.test('all carried over is status 0', async (t) => {
  const file = join(t.testdir(), 'rules.csv')
  writeFileSync(file, 'AccessLevel,Characteristic,QueryString\nAllow,DeviceType,iPhone\n')
  const { status, error } = await run('policy', 'import-rules', file)
  t.strictSame([status, error], [0, "1 of Exchange's device access rules carried over, 0 not"])
})

void t.test('a file that is not there, and one that is no export of rules', async (t) => {
  const folder = t.testdir({ 'rules.csv': 'a,b\n1,2\n' })
  const missing = await run('policy', 'import-rules', join(folder, 'none.csv'))
  t.equal(missing.status, 1)
  t.match(missing.error, /^cannot read .*none\.csv: ENOENT/)
  const wrong = await run('policy', 'import-rules', join(folder, 'rules.csv'))
  t.equal(wrong.status, 1)
  t.match(
    wrong.error,
    /rules\.csv:1: not carried over: expected the columns AccessLevel, Characteristic, QueryString, found a, b; export with: Get-ActiveSyncDeviceAccessRule/,
  )
})
