import { mappedFields, type FieldMapping, type MappedField } from '#config/http-mapping.ts'
import type { HttpSourceConfig } from '#config/sources.ts'
import { isDeviceId } from '#eas/device-id.ts'
import { type FactsRecord, type FieldFault, type ParsedRecord, parseRecord, time } from '#directory/record.ts'
import { parseFieldPath, valueAt, valuesAt, type FieldPath } from './field-path.ts'

/** A device as the MDM has it. */
export interface DeviceRecord extends FactsRecord {
  readonly deviceId: string
}

/** A record that was read: ours, and the MDM's own id of it. */
export interface ReadRecord {
  readonly record: DeviceRecord
  readonly recordId: string
}

/** What is wrong with a record. `recordId` is the MDM's own id of it, as far as it can be read. */
export interface FaultyRecord {
  readonly recordId: string | undefined
  readonly faults: readonly FieldFault[]
}

/** Undefined for a record of no user, or of a device without any id that a phone could present. */
export type RecordReader = (item: unknown) => ReadRecord | FaultyRecord | undefined

/** Told of each word that the mapping of a field does not have. */
export type OnUnknownWord = (field: MappedField, word: string) => void

/** Reads one field; undefined: the MDM does not say. */
type FieldReader = (item: unknown) => unknown

/**
 * Makes of the mapping what reads the MDM's records. A value that is missing, of another type or a word that the mapping
 * does not have is a fact that nobody gave: nothing is guessed.
 */
export function createRecordReader(
  mapping: HttpSourceConfig['mapping'],
  onUnknownWord: OnUnknownWord,
): RecordReader {
  const readers = Object.entries(mapping).map(([name, fieldMapping]) => {
    const field = name as MappedField
    return [field, fieldReader(field, fieldMapping, onUnknownWord)] as const
  })
  return (item) => {
    const values = readers
      .map(([field, read]) => [field, read(item)] as const)
      .filter(([, value]) => value !== undefined)
    const { recordId, ...fields } = Object.fromEntries(values)
    const [firstOther] = Array.isArray(fields['otherIds']) ? (fields['otherIds'] as readonly unknown[]) : []
    const deviceId = textOf(fields['deviceId'] ?? firstOther)
    if (fields['user'] === undefined || deviceId === undefined) return undefined
    const parsed = parseTaken({ ...fields, deviceId })
    const id = textOf(recordId)
    if ('faults' in parsed) return { recordId: id, faults: parsed.faults }
    const record = { ...parsed.record, deviceId }
    return { record, recordId: id ?? record.deviceId }
  }
}

/** A text that only describes is left out where it cannot be shown; it is not worth a record. */
function parseTaken(fields: Readonly<Record<string, unknown>>): ParsedRecord {
  const parsed = parseRecord(fields)
  if (!('faults' in parsed)) return parsed
  const faulty = new Set(parsed.faults.map(({ field }) => field))
  if (![...faulty].every((field) => descriptions.has(field))) return parsed
  return parseRecord(Object.fromEntries(Object.entries(fields).filter(([field]) => !faulty.has(field))))
}

const descriptions: ReadonlySet<string> = new Set(['platform', 'osVersion', 'model', 'ownership'])

function fieldReader(field: MappedField, mapping: FieldMapping, onUnknownWord: OnUnknownWord): FieldReader {
  if ('constant' in mapping) return () => mapping.constant
  const kind = mappedFields.get(field)
  const paths = mapping.paths.map(parseFieldPath)
  if (kind === 'list') return listReader(field, paths)
  const [path = []] = paths
  if (mapping.values !== undefined) {
    const ours = new Map(Object.entries(mapping.values))
    return (item) => {
      const word = textOf(valueAt(item, path))
      if (word !== undefined && !ours.has(word)) onUnknownWord(field, word)
      return ours.get(word ?? '')
    }
  }
  switch (kind) {
    case 'boolean':
      return (item) => booleanOf(valueAt(item, path))
    case 'time':
      return (item) => timeOf(valueAt(item, path))
    default:
      return (item) => textOf(valueAt(item, path))
  }
}

/** Left out: what is no text, since an object is no name, and of other ids those that no phone can present. */
function listReader(field: MappedField, paths: readonly FieldPath[]): FieldReader {
  const isTaken = (text: string | undefined) =>
    text !== undefined && (field !== 'otherIds' || isDeviceId(text))
  return (item) => [...new Set(paths.flatMap((path) => valuesAt(item, path)).map(textOf))].filter(isTaken)
}

/** A text without the blanks around it, a number or a boolean as text; undefined for all else, and for no text. */
function textOf(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return value.trim() === '' ? undefined : value.trim()
    case 'number':
    case 'boolean':
      return String(value)
    default:
      return undefined
  }
}

function booleanOf(value: unknown): boolean | undefined {
  switch (textOf(value)?.toLowerCase()) {
    case 'true':
      return true
    case 'false':
      return false
    default:
      return undefined
  }
}

/** As text: the record's schema reads it once more. A time that cannot be read says nothing of when. */
function timeOf(value: unknown): string | undefined {
  const text = textOf(value)
  return time.safeParse(text).success ? text : undefined
}
