import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { ConfigError } from '#config/yaml.ts'
import { DirectoryError } from '#directory/errors.ts'
import { AdminError } from './admin-client.ts'
import { check } from './check.ts'
import { EnvironmentError, UsageError, type Command, type CommandContext } from './command.ts'
import { devices } from './devices.ts'
import { explain } from './explain.ts'
import { policy } from './policy.ts'
import { simulate } from './simulate.ts'
import { store } from './store.ts'

const defaultConfigFile = 'config/easgate.yaml'

/** Where lines go to and come from; tests have their own. */
export type Streams = Pick<CommandContext, 'print' | 'printError' | 'readInput'>

const standardStreams: Streams = {
  print: (line) => process.stdout.write(`${line}\n`),
  printError: (line) => process.stderr.write(`${line}\n`),
  readInput: () => readFileSync(process.stdin.fd, 'utf8'),
}

/**
 * Runs a command line. `serve` is handed in by main, which alone knows the processes.
 * @returns the exit status: 0 good, 1 failed, 2 called wrongly
 */
export async function runCommand(
  args: readonly string[],
  serve: Command,
  streams: Streams = standardStreams,
): Promise<number> {
  const commands = new Map<string, Command>(
    Object.entries({ serve, check, explain, devices, policy, store, simulate }),
  )
  const usage = [
    'usage: easgate COMMAND [--config FILE]',
    ...[...commands.values()].flatMap((command) => command.usage.split('\n').map((line) => `  ${line}`)),
    `The config file is --config, else $EASGATE_CONFIG, else ${defaultConfigFile}.`,
  ].join('\n')
  try {
    const { configFile, help, rest } = takeCommonOptions(args)
    if (help) {
      streams.print(usage)
      return 0
    }
    const [name, ...commandArgs] = rest
    if (name === undefined) throw new UsageError('a command is missing')
    const command = commands.get(name)
    if (command === undefined) throw new UsageError(`there is no command ${name}`)
    return await command.run(commandArgs, { configFile, ...streams })
  } catch (error) {
    return report(error, usage, streams)
  }
}

interface CommonOptions {
  readonly configFile: string
  readonly help: boolean
  /** What is left for the command. */
  readonly rest: readonly string[]
}

/** `--config` and `--help` may stand anywhere, for every command. */
function takeCommonOptions(args: readonly string[]): CommonOptions {
  const { tokens } = parseArgs({
    args: [...args],
    options: { config: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    strict: false,
    tokens: true,
  })
  const options = tokens.filter((token) => token.kind === 'option')
  const configs = options.filter(({ name }) => name === 'config')
  const [config] = configs
  if (configs.length > 1) throw new UsageError('--config is given twice')
  if (config !== undefined && (config.value ?? '') === '') throw new UsageError('--config takes a file')
  return {
    configFile: config?.value ?? process.env['EASGATE_CONFIG'] ?? defaultConfigFile,
    help: args[0] === 'help' || options.some(({ name }) => name === 'help'),
    rest: config === undefined ? args : args.toSpliced(config.index, config.inlineValue === true ? 1 : 2),
  }
}

function report(error: unknown, usage: string, { printError }: Streams): number {
  if (error instanceof UsageError || isParseArgsError(error)) {
    printError(error.message)
    printError(usage)
    return 2
  }
  if (error instanceof ConfigError) {
    printError(error.message)
    printError(`${error.faults.length} fault${error.faults.length === 1 ? '' : 's'}; nothing was started`)
    return 1
  }
  if (error instanceof AdminError || error instanceof DirectoryError || error instanceof EnvironmentError) {
    printError(error.message)
    return 1
  }
  throw error
}

function isParseArgsError(error: unknown): error is TypeError {
  return error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_')
}
