import { hasControl } from '#eas/text.ts'

/** A JSON object, its fields not looked at yet. */
export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A field that is not what the documentation says. The record is skipped: nothing is guessed of it. */
export class MalformedField extends Error {
  override readonly name = 'MalformedField'
  readonly field: string

  constructor(field: string, expected: string) {
    super(`expected ${expected}`)
    this.field = field
  }
}

const maxTextLength = 256

/** A text; undefined for null, a missing field and an empty text, which all say nothing. */
export function text(record: JsonObject, field: string): string | undefined {
  const value = record[field]
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string') throw new MalformedField(field, 'a text or null')
  return value
}

/** A text that only describes: where it cannot be shown or is far too long, it is left out. */
export function description(record: JsonObject, field: string): string | undefined {
  const value = text(record, field)?.trim()
  return value === undefined || value === '' || value.length > maxTextLength / 2 || hasControl(value)
    ? undefined
    : value
}

const word = /^[A-Za-z][A-Za-z0-9]{0,63}$/

/** A word of one of Graph's enums, of those that no version knows yet too. */
export function enumWord(record: JsonObject, field: string): string | undefined {
  const value = text(record, field)
  if (value !== undefined && !word.test(value)) throw new MalformedField(field, "a word of Graph's")
  return value
}

export function flag(record: JsonObject, field: string): boolean | undefined {
  const value = record[field]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'boolean') throw new MalformedField(field, 'true, false or null')
  return value
}

const timestamp = /^(\d{4})-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z$/
/** Years 0001 and 9999 are how Graph says "none": no age may be made of them. facts.md 4 */
const yearsOfNone: ReadonlySet<string | undefined> = new Set(['0001', '9999'])

/** A time, ms since the epoch; undefined where Graph has none. */
export function time(record: JsonObject, field: string): number | undefined {
  const value = text(record, field)
  if (value === undefined) return undefined
  const match = timestamp.exec(value)
  const at = match === null ? Number.NaN : Date.parse(value)
  if (Number.isNaN(at)) throw new MalformedField(field, 'a time such as 2026-03-01T08:30:00Z')
  return yearsOfNone.has(match?.[1]) ? undefined : at
}

/** A name of a user, lower case. */
export function userName(record: JsonObject, field: string): string | undefined {
  const value = text(record, field)?.toLowerCase()
  if (value !== undefined && !isName(value)) throw new MalformedField(field, 'a name')
  return value
}

/** True for a name that the directory takes: no control characters, no blanks around it, not too long. */
export function isName(value: string): boolean {
  return value.length > 0 && value.length <= maxTextLength && value === value.trim() && !hasControl(value)
}

const guid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
/** What stands where there is no id. */
const noGuid = /^[0-]+$/

/** An id of Graph's, lower case; undefined where it is missing or all zeros. */
export function guidOf(record: JsonObject, field: string): string | undefined {
  const value = text(record, field)
  if (value === undefined) return undefined
  if (!guid.test(value)) throw new MalformedField(field, 'a GUID')
  return noGuid.test(value) ? undefined : value.toLowerCase()
}
