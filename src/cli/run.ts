import { parseArgs } from 'node:util'
import { ConfigError } from '#config/yaml.ts'
import { DirectoryError } from '#directory/errors.ts'
import { AdminError } from './admin-client.ts'
import { check } from './check.ts'
import { UsageError, type Command } from './command.ts'
import { devices } from './devices.ts'
import { explain } from './explain.ts'
import { simulate } from './simulate.ts'
import { store } from './store.ts'

const defaultConfigFile = 'config/easgate.yaml'

/** Where lines go; tests collect them. */
export interface Output {
  readonly print: (line: string) => void
  readonly printError: (line: string) => void
}

const standardOutput: Output = {
  print: (line) => process.stdout.write(`${line}\n`),
  printError: (line) => process.stderr.write(`${line}\n`),
}

/**
 * Runs a command line. `serve` is handed in by main, which alone knows the processes.
 * @returns the exit status: 0 good, 1 failed, 2 called wrongly
 */
export async function runCommand(
  args: readonly string[],
  serve: Command,
  output: Output = standardOutput,
): Promise<number> {
  const commands = new Map<string, Command>(
    Object.entries({ serve, check, explain, devices, store, simulate }),
  )
  const usage = [
    'usage: easgate COMMAND [--config FILE]',
    ...[...commands.values()].flatMap((command) => command.usage.split('\n').map((line) => `  ${line}`)),
    `The config file is --config, else $EASGATE_CONFIG, else ${defaultConfigFile}.`,
  ].join('\n')
  const [name = '', ...rest] = args
  if (name === '--help' || name === '-h' || name === 'help') {
    output.print(usage)
    return 0
  }
  const command = commands.get(name)
  if (command === undefined) {
    output.printError(name === '' ? 'a command is missing' : `there is no command ${name}`)
    output.printError(usage)
    return 2
  }
  try {
    const { configFile, args: commandArgs } = takeConfigFile(rest)
    return await command.run(commandArgs, { configFile, ...output })
  } catch (error) {
    return report(error, usage, output)
  }
}

/** `--config` may stand anywhere, for every command. */
function takeConfigFile(args: readonly string[]): { configFile: string; args: readonly string[] } {
  const { tokens } = parseArgs({
    args: [...args],
    options: { config: { type: 'string' } },
    strict: false,
    tokens: true,
  })
  const option = tokens.find((token) => token.kind === 'option' && token.name === 'config')
  const fallback = process.env['EASGATE_CONFIG'] ?? defaultConfigFile
  if (option?.kind !== 'option') return { configFile: fallback, args }
  if (option.value === undefined) throw new UsageError('--config takes a file')
  return {
    configFile: option.value,
    args: args.toSpliced(option.index, option.inlineValue ? 1 : 2),
  }
}

function report(error: unknown, usage: string, { printError }: Output): number {
  if (
    error instanceof UsageError ||
    (error instanceof TypeError && 'code' in error && isParseArgsCode(error.code))
  ) {
    printError(error.message)
    printError(usage)
    return 2
  }
  if (error instanceof ConfigError) {
    printError(error.message)
    printError(`${error.faults.length} fault${error.faults.length === 1 ? '' : 's'}; nothing was started`)
    return 1
  }
  if (error instanceof AdminError || error instanceof DirectoryError) {
    printError(error.message)
    return 1
  }
  throw error
}

function isParseArgsCode(code: unknown): boolean {
  return typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS_')
}
