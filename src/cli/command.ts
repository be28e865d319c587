/** What every subcommand gets. Tests hand in their own streams. */
export interface CommandContext {
  /** `--config`, else the environment's EASGATE_CONFIG, else the default. */
  readonly configFile: string
  readonly print: (line: string) => void
  readonly printError: (line: string) => void
  /** All of standard input, as text. */
  readonly readInput: () => string
}

/** One subcommand. Gives the exit status: 0 good, 1 failed. */
export interface Command {
  /** Shown by `easgate --help`. */
  readonly usage: string
  readonly run: (args: readonly string[], context: CommandContext) => Promise<number>
}

/** The command line is wrong: usage is shown, exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** The machine does not let the command do its work. One line tells the whole story: it is shown alone, exit status 1. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError'
}

/** @throws {UsageError} where a command that takes nothing is given something */
export function refuseArguments(command: string, args: readonly string[]): void {
  if (args.length > 0) throw new UsageError(`${command} takes no ${args.join(' ')}`)
}

/**
 * Resolves at the first SIGINT or SIGTERM. Later ones change nothing: npm passes on the Ctrl-C that the terminal has
 * already sent, and must not cut short the stop that it has asked for.
 */
export function stopSignal(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => resolve())
  return promise
}

/** Waits for a listener to open. @throws {EnvironmentError} naming the config key and the address that is not to be had */
export async function opened<Opened>(
  listening: Promise<Opened>,
  key: string,
  address: string,
): Promise<Opened> {
  try {
    return await listening
  } catch (cause) {
    throw new EnvironmentError(`cannot listen on ${address} (${key}): ${reasonOf(cause)}`, { cause })
  }
}

function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'EADDRINUSE') return 'another program listens there'
  return cause instanceof Error ? cause.message : String(cause)
}
