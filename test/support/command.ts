import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Test } from 'tap'
import type { Command } from '#cli/command.ts'
import { runCommand } from '#cli/run.ts'
import { startAdmin, type AdminNode, type AdminNodeOptions } from './admin-node.ts'
import { writeConfig } from './node-process.ts'

/** What a command printed, and how it ended. */
export interface Run {
  readonly status: number
  readonly out: string
  readonly error: string
}

/** Stands for `serve`, which main hands in: tells what it was given. */
const serve: Command = {
  usage: 'serve                                   run the proxy',
  run: async (args, { configFile, print }) => {
    print(JSON.stringify({ args, configFile }))
    return 0
  },
}

/** Runs a command line in this process. */
export function run(...args: readonly string[]): Promise<Run> {
  return runWithInput('', ...args)
}

/** The same, with a text on its standard input. */
export async function runWithInput(input: string, ...args: readonly string[]): Promise<Run> {
  const out: string[] = []
  const error: string[] = []
  const status = await runCommand(args, serve, {
    print: (line) => out.push(line),
    printError: (line) => error.push(line),
    readInput: () => input,
  })
  return { status, out: out.join('\n'), error: error.join('\n') }
}

/** A config, and the admin listener that it names. */
export interface ConfiguredNode {
  readonly node: AdminNode
  readonly configFile: string
  /** The folder of config, policy and facts. */
  readonly folder: string
}

/** Starts the admin listener in this process, with a config that leads to it. */
export async function startConfigured(t: Test, options: AdminNodeOptions = {}): Promise<ConfiguredNode> {
  const configFile = writeConfig(t)
  const folder = dirname(configFile)
  const node = await startAdmin(t, { ...options, storePath: join(folder, 'running.db') })
  const tokenFile = join(folder, 'token')
  if (options.token !== undefined) writeFileSync(tokenFile, `${options.token}\n`)
  const admin = {
    address: `127.0.0.1:${node.port}`,
    ...(options.token === undefined ? {} : { tokenFile }),
  }
  const text = readFileSync(configFile, 'utf8')
  writeFileSync(
    configFile,
    text.replace('admin: { address: 127.0.0.1:0 }', `admin: ${JSON.stringify(admin)}`),
  )
  return { node, configFile, folder }
}
