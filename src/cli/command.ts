/** What every subcommand gets. Tests hand in their own streams. */
export interface CommandContext {
  /** `--config`, else the environment's EASGATE_CONFIG, else the default. */
  readonly configFile: string
  readonly print: (line: string) => void
  readonly printError: (line: string) => void
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
