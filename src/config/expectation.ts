import type { z } from 'zod'

const nouns: Readonly<Record<string, string>> = {
  object: 'a map of keys',
  record: 'a map of names',
  array: 'a list',
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
}

/**
 * Says what the schema expected, in the words of somebody who edits YAML. It never repeats the value, which may be a
 * secret. Undefined where the schema has a message of its own.
 */
export function expectation(issue: z.core.$ZodRawIssue): string | undefined {
  const expected = expectedText(issue)
  if (expected === undefined) return undefined
  return issue.input === undefined ? `missing: expected ${expected}` : `expected ${expected}`
}

function expectedText(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type': {
      const noun = nouns[issue.expected] ?? issue.expected
      return issue.input === undefined ? noun : `${noun}, found ${foundText(issue.input)}`
    }
    case 'invalid_value':
      return oneOf(issue.values)
    case 'invalid_union':
      return 'options' in issue && Array.isArray(issue.options) ? oneOf(issue.options) : undefined
    case 'too_small':
      return issue.origin === 'string' ? 'a text that is not empty' : `at least ${issue.minimum}`
    case 'too_big':
      return `at most ${issue.maximum}`
    default:
      return undefined
  }
}

function oneOf(values: readonly unknown[]): string {
  return values.length === 1 ? String(values[0]) : `one of ${values.map(String).join(', ')}`
}

function foundText(input: unknown): string {
  if (input === null) return 'nothing'
  if (Array.isArray(input)) return 'a list'
  if (typeof input === 'object') return 'a map'
  return typeof input === 'string' ? 'a text' : `a ${typeof input}`
}
