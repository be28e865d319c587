import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { EasError } from '#eas/errors.ts'

/** One row of a table under test/fixtures/eas: an input, and either what is read of it or the code it is refused with. */
export interface EasRow<Input> {
  /** The behaviour, as a test title. */
  readonly name: string
  /** The clause of protocol.md, the issue or the threat that asks for it. */
  readonly proves: string
  readonly input: Input
  /** Every field that is not undefined. */
  readonly expected?: unknown
  readonly code?: string
  /** Byte offset of the fault; absent where the error names none. */
  readonly offset?: number
}

/** What is compared: fields without those that are undefined, or code and offset of the refusal. */
export type EasOutcome = { readonly expected: unknown } | { readonly code: string; readonly offset?: number }

/** The rows of test/fixtures/eas/`table`.json. */
export function easRows<Input>(table: string): EasRow<Input>[] {
  const file = join(import.meta.dirname, '../fixtures/eas', `${table}.json`)
  const rows = JSON.parse(readFileSync(file, 'utf8')) as EasRow<Input>[]
  const names = new Set(rows.map(({ name }) => name))
  if (names.size !== rows.length) throw new Error(`${file}: two rows of one name`)
  return rows
}

/** Checks a reader against its rows, one assertion each. */
export function checkEasRows<Input>(t: Test, rows: EasRow<Input>[], read: (input: Input) => unknown): void {
  for (const row of rows) {
    t.strictSame(
      outcomeOf(() => read(row.input)),
      wantedOf(row),
      `${row.name} [${row.proves}]`,
    )
  }
}

/** What a reader gives or refuses. Any error but an EasError passes through and fails the test. */
export function outcomeOf(read: () => unknown): EasOutcome {
  try {
    return { expected: withoutUndefined(read()) }
  } catch (error) {
    if (!(error instanceof EasError)) throw error
    return { code: error.code, ...(error.offset === undefined ? undefined : { offset: error.offset }) }
  }
}

function wantedOf({ name, expected, code, offset }: EasRow<unknown>): EasOutcome {
  if ((expected === undefined) === (code === undefined)) throw new Error(`${name}: either expected or code`)
  if (code === undefined) return { expected }
  return { code, ...(offset === undefined ? undefined : { offset }) }
}

function withoutUndefined(value: unknown): unknown {
  return value === undefined ? null : JSON.parse(JSON.stringify(value))
}
