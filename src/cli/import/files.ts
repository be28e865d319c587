import { readFileSync, writeFileSync } from 'node:fs'
import { EnvironmentError, type CommandContext } from '../command.ts'

/** @throws {EnvironmentError} naming the file */
export function readInput(file: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new EnvironmentError(`cannot read ${file}: ${reasonOf(cause)}`, { cause })
  }
}

/**
 * Prints a text, or writes it into a new file where one is named.
 * @throws {EnvironmentError} where the file exists: nothing is ever overwritten
 */
export function writeOutput(text: string, file: string | undefined, { print }: CommandContext): void {
  if (file === undefined) {
    print(text.trimEnd())
    return
  }
  try {
    writeFileSync(file, text, { flag: 'wx' })
  } catch (cause) {
    throw new EnvironmentError(`cannot write ${file}: ${reasonOf(cause)}`, { cause })
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
