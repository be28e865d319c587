import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Command } from '#cli/command.ts'
import { runCommand } from '#cli/run.ts'
import { run } from '../support/command.ts'
import { writeConfig } from '../support/node-process.ts'

interface WrongCall {
  readonly args: readonly string[]
  /** Part of what is said of it. */
  readonly message: string
}

const file = join(import.meta.dirname, '../fixtures/cli/wrong-calls.json')
const wrongCalls = JSON.parse(readFileSync(file, 'utf8')) as readonly WrongCall[]
const usage = /^usage: easgate COMMAND/m

void t.test('a wrong call says what is wrong, shows the usage, exit status 2', async (t) => {
  for (const { args, message } of wrongCalls) {
    const { status, out, error } = await run(...args)
    const name = `easgate ${args.join(' ')}`
    t.equal(status, 2, name)
    t.equal(out, '', name)
    t.ok(error.split('\n')[0]?.includes(message), `${name}: ${error.split('\n')[0]}`)
    t.match(error, usage, name)
  }
})

void t.test('help is no fault, wherever it is asked for', async (t) => {
  for (const args of [['--help'], ['-h'], ['help'], ['serve', '--help'], ['devices', 'list', '-h']]) {
    const { status, out, error } = await run(...args)
    t.strictSame([status, error], [0, ''], args.join(' '))
    t.match(out, usage)
    for (const command of ['serve', 'check', 'explain', 'devices list', 'store backup', 'simulate']) {
      t.match(out, command)
    }
  }
})

void t.test('--config may stand anywhere', async (t) => {
  for (const args of [
    ['serve', '--config', 'a.yaml'],
    ['--config', 'a.yaml', 'serve'],
    ['serve', '--config=a.yaml'],
    ['--config=a.yaml', 'serve'],
  ]) {
    const { status, out } = await run(...args)
    t.equal(status, 0, args.join(' '))
    t.strictSame(JSON.parse(out), { args: [], configFile: 'a.yaml' }, args.join(' '))
  }
  const among = await run('serve', 'x', '--config', 'a.yaml', '--y')
  t.strictSame(JSON.parse(among.out), { args: ['x', '--y'], configFile: 'a.yaml' })
  const behind = await run('serve', '--', '--config', 'a.yaml')
  t.match(JSON.parse(behind.out), { args: ['--', '--config', 'a.yaml'] }, 'behind -- it is no option')
})

void t.test('without --config the environment says where it is, then the default', async (t) => {
  const before = process.env['EASGATE_CONFIG']
  t.teardown(() => {
    if (before === undefined) delete process.env['EASGATE_CONFIG']
    else process.env['EASGATE_CONFIG'] = before
  })
  process.env['EASGATE_CONFIG'] = 'from-environment.yaml'
  t.match(JSON.parse((await run('serve')).out), { configFile: 'from-environment.yaml' })
  t.match(JSON.parse((await run('serve', '--config', 'a.yaml')).out), { configFile: 'a.yaml' })
  delete process.env['EASGATE_CONFIG']
  t.match(JSON.parse((await run('serve')).out), { configFile: 'config/easgate.yaml' })
})

void t.test('a config that is not there starts nothing, for every command that needs one', async (t) => {
  const csv = join(t.testdir({ 'a.csv': 'user\n' }), 'a.csv')
  for (const args of [
    ['check'],
    ['explain', 'a', 'b'],
    ['devices', 'list'],
    ['devices', 'show', 'a', 'b'],
    ['devices', 'set', 'a', 'b', 'enrolled=true'],
    ['devices', 'import', csv],
    ['store', 'check'],
    ['store', 'backup', 'x'],
    ['store', 'rebuild'],
  ]) {
    const { status, out, error } = await run(...args, '--config', '/nowhere/easgate.yaml')
    t.strictSame([status, out], [1, ''], args.join(' '))
    t.match(error, /^\/nowhere\/easgate\.yaml: cannot be read: .*\n1 fault; nothing was started$/)
  }
})

void t.test('no node running is said as such, for every command that needs one', async (t) => {
  const configFile = writeConfig(t)
  const csv = join(configFile, '..', 'devices.csv')
  for (const args of [
    ['explain', 'a', 'b'],
    ['devices', 'list'],
    ['devices', 'show', 'a', 'b'],
    ['devices', 'set', 'a', 'b', 'enrolled=true'],
    ['devices', 'import', csv],
  ]) {
    const { status, error } = await run(...args, '--config', configFile)
    t.equal(status, 1, args.join(' '))
    t.match(error, /^no easgate answers at 127\.0\.0\.1:0 \(.+\); start it with: npm start$/, args.join(' '))
  }
})

void t.test('a fault of easgate is not made up to look like one of the caller', async (t) => {
  const broken: Command = { usage: 'serve', run: () => Promise.reject(new TypeError('a fault of ours')) }
  const output = {
    print: () => undefined,
    printError: () => t.fail('nothing is printed'),
    readInput: () => '',
  }
  await t.rejects(runCommand(['serve'], broken, output), { message: 'a fault of ours' })
})
