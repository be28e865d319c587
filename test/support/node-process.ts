import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { request } from 'undici'
import type { Test } from 'tap'

/** The repository, from which the product is started as a user does. */
export const root = join(import.meta.dirname, '..', '..')
const main = join(root, 'src', 'main.ts')
/** The product is compiled once for all tests, not once for each process. */
const environment = { ...process.env, NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compiled') }

/** One line of the log of a running node. */
export type LogLine = Readonly<Record<string, unknown>>

/** The real product as a process of its own: `serve`, on free ports. */
export interface NodeProcess {
  readonly child: ChildProcess
  readonly configFile: string
  /** Base URL of the proxy, without a slash at its end. */
  readonly proxyUrl: string
  readonly adminUrl: string
  /** Resolves with the first line, of those written so far or later, that `wanted` accepts. */
  readonly logLine: (wanted: (line: LogLine) => boolean) => Promise<LogLine>
  readonly admin: (
    method: 'GET' | 'POST' | 'DELETE' | 'PUT',
    path: string,
    body?: unknown,
  ) => Promise<AdminAnswer>
  /** Every line of standard output and standard error so far. */
  readonly written: () => readonly string[]
  /** Resolves with the exit status once owner and workers are gone. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<number | null>
}

export interface AdminAnswer {
  readonly status: number
  readonly text: string
  readonly json: () => unknown
}

/** The demo's facts, in the columns of config/demo-devices.csv. */
export const demoFacts = [
  'user,groups,deviceId,enrolled,registered,complianceState,platform,osVersion,model',
  'alice@example.com,,ApplDEMOALICE1,true,true,compliant,iOS,17.5.1,iPhone 15',
  'bob@example.com,,androidDEMOBOB1,true,true,noncompliant,Android,14,Pixel 8',
  'carol@example.com,,,,,,,,',
  'dave@example.com,executives,,,,,,,',
  '',
].join('\n')

export const demoPolicy =
  'conditionalAccess: { onPremises: { exemptedGroups: [executives], noncompliant: block } }\n'

/**
 * Writes a config with its policy and facts into the test's folder. `listen`, `admin`, `backends`, `routing` and `sources`
 * are the YAML of those keys (the facts by default), `extra` is YAML of further top-level keys.
 */
export function writeConfig(
  t: Test,
  {
    facts = demoFacts,
    policy = demoPolicy,
    listen = '{ address: 127.0.0.1:0 }',
    admin = '{ address: 127.0.0.1:0 }',
    backends = '{ simulator: { kind: simulator } }',
    routing = '{ default: simulator }',
    sources = undefined as string | undefined,
    extra = '',
  } = {},
): string {
  const folder = t.testdir({ 'policy.yaml': policy, 'devices.csv': facts })
  const file = join(folder, 'easgate.yaml')
  writeFileSync(
    file,
    [
      `listen: ${listen}`,
      `admin: ${admin}`,
      `store: { path: ${join(folder, 'easgate.db')} }`,
      'identity: { defaultDomain: example.com, domains: { EXAMPLE: example.com } }',
      `backends: ${backends}`,
      `routing: ${routing}`,
      `sources: ${sources ?? `[{ kind: file, path: ${join(folder, 'devices.csv')} }]`}`,
      `policy: { file: ${join(folder, 'policy.yaml')} }`,
      extra,
      '',
    ].join('\n'),
  )
  return file
}

/** Starts a node and waits until it serves; it is stopped when the test ends. */
export async function startNode(t: Test, configFile: string): Promise<NodeProcess> {
  const child = spawn(process.execPath, [main, 'serve', '--config', configFile], {
    cwd: root,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: LogLine[] = []
  const waiting = new Set<(line: LogLine) => void>()
  const errors: string[] = []
  const written: string[] = []
  createInterface({ input: child.stderr }).on('line', (line) => errors.push(line))
  createInterface({ input: child.stdout }).on('line', (line) => {
    written.push(line)
    if (!line.startsWith('{')) return
    const parsed = JSON.parse(line) as LogLine
    lines.push(parsed)
    for (const look of waiting) look(parsed)
  })
  const ended = once(child, 'close').then(() => {
    throw new Error(`the node ended: ${errors.join('\n')}`)
  })
  ended.catch(() => undefined)
  const logLine = (wanted: (line: LogLine) => boolean): Promise<LogLine> => {
    const found = lines.find(wanted)
    if (found !== undefined) return Promise.resolve(found)
    const { promise, resolve } = Promise.withResolvers<LogLine>()
    const look = (line: LogLine) => {
      if (!wanted(line)) return
      waiting.delete(look)
      resolve(line)
    }
    waiting.add(look)
    return Promise.race([promise, ended])
  }
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal)
      // not `exit`: the standard output closes only when the workers, which share it, are gone too
      await once(child, 'close')
    }
    return child.exitCode
  }
  t.teardown(() => stop('SIGKILL'))
  const { proxyPort, adminPort } = await logLine(({ msg }) => msg === 'easgate serves')
  const adminUrl = `http://127.0.0.1:${String(adminPort)}`
  return {
    child,
    configFile,
    proxyUrl: `http://127.0.0.1:${String(proxyPort)}`,
    adminUrl,
    logLine,
    admin: (method, path, body) => callAdmin(`${adminUrl}${path}`, method, body),
    written: () => [...written, ...errors],
    stop,
  }
}

/** The process ids of a node's workers, by the parent that the kernel knows. */
export function workersOf({ child }: NodeProcess): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === child.pid)
}

function parentOf(pid: number): number | undefined {
  try {
    // pid (name) state ppid; the name may hold blanks and brackets
    return Number(readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')[1])
  } catch {
    return undefined
  }
}

async function callAdmin(
  url: string,
  method: 'GET' | 'POST' | 'DELETE' | 'PUT',
  body: unknown,
): Promise<AdminAnswer> {
  const response = await request(url, {
    method,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  })
  const text = await response.body.text()
  return { status: response.statusCode, text, json: () => JSON.parse(text) as unknown }
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Runs a subcommand to its end. */
export function runEasgate(...args: readonly string[]) {
  return runProcess({}, '', args)
}

/** The same, with more in its environment. */
export function runEasgateIn(env: Readonly<Record<string, string>>, ...args: readonly string[]) {
  return runProcess(env, '', args)
}

/** The same, with a text on its standard input. */
export function runEasgateWithInput(input: string, ...args: readonly string[]) {
  return runProcess({}, input, args)
}

async function runProcess(env: Readonly<Record<string, string>>, input: string, args: readonly string[]) {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: root,
    env: { ...environment, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.end(input)
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()))
  await once(child, 'close')
  return { status: child.exitCode, ...output }
}
