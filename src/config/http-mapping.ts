import { z } from 'zod'

const fieldKinds = {
  user: 'text',
  aliases: 'list',
  groups: 'list',
  deviceId: 'text',
  otherIds: 'list',
  recordId: 'text',
  enrolled: 'boolean',
  registered: 'boolean',
  activated: 'boolean',
  complianceState: 'words',
  graceUntil: 'time',
  platform: 'text',
  osVersion: 'text',
  model: 'text',
  ownership: 'text',
  jailbroken: 'boolean',
  encrypted: 'boolean',
  passcode: 'boolean',
  emailProfileManaged: 'boolean',
  wipePending: 'boolean',
  lastCheckIn: 'time',
  registrationState: 'text',
  managementAgent: 'text',
  threatState: 'text',
  domainJoined: 'boolean',
} as const

/** A field of a fact record, or `recordId`, the id that the MDM itself has for the record. */
export type MappedField = keyof typeof fieldKinds

/** How the values of a field are read; `words` are those of Graph's complianceState. */
export type FieldKind = (typeof fieldKinds)[MappedField]

/** Every field that a mapping may name. */
export const mappedFields: ReadonlyMap<MappedField, FieldKind> = new Map(
  Object.entries(fieldKinds) as [MappedField, FieldKind][],
)

/** Graph's words for compliance: what any other word means, nobody can say. facts.md 3 */
const complianceWords = [
  'compliant',
  'inGracePeriod',
  'noncompliant',
  'conflict',
  'error',
  'configManager',
  'unknown',
]

/** True for a place in a JSON answer: names with dots between them, `.` for all of it, or a JSON pointer. RFC 6901 */
function isFieldPath(text: string): boolean {
  return text === '.' || /^(?:\/(?:[^~/]|~[01])*)+$/.test(text) || /^[^./\s][^.\s]*(?:\.[^.\s]+)*$/.test(text)
}

/** A place in an answer of an MDM. In a list of ours, `*` stands for every entry: `groups.*.name`. */
export const fieldPath = z
  .string({ error: 'expected a path such as device.state' })
  .refine(isFieldPath, { error: 'expected a path such as device.state, or /device/state' })

const translated = z.union([z.boolean(), z.string().min(1)])

/** Where a field stands, or what it always is. */
export type FieldMapping =
  | {
      /** One; for a list of ours perhaps several, whose entries make one list. */
      readonly paths: readonly string[]
      /** Their words into ours. A word that is not here is a missing fact. */
      readonly values?: Readonly<Record<string, string | boolean>>
    }
  | { readonly constant: string | boolean }

const fieldMapping = z.union(
  [
    fieldPath.transform((path): FieldMapping => ({ paths: [path] })),
    z
      .array(fieldPath)
      .min(1)
      .transform((paths): FieldMapping => ({ paths })),
    z
      .strictObject({ path: fieldPath, values: z.record(z.string(), translated) })
      .transform(({ path, values }): FieldMapping => ({ paths: [path], values })),
    z.strictObject({ constant: translated }),
  ],
  { error: 'expected a path, { path, values }, { constant }, or for a list of ours a list of paths' },
)

/** Our fields, each with where it stands in a record of the MDM. */
export const httpMapping = z
  .partialRecord(z.enum([...mappedFields.keys()]), fieldMapping)
  .superRefine((mapping, context) => {
    for (const field of ['user', 'deviceId'] as const) {
      const given = mapping[field]
      if (given !== undefined && 'paths' in given) continue
      context.addIssue({
        code: 'custom',
        path: [field],
        message: 'needed: whose device a record is of, and which',
      })
    }
    for (const [field, kind] of mappedFields) {
      const given = mapping[field]
      if (given === undefined) continue
      for (const { path, message } of mappingFaults(kind, given)) {
        context.addIssue({ code: 'custom', path: [field, ...path], message })
      }
    }
  })

interface MappingFault {
  readonly path: readonly string[]
  readonly message: string
}

function mappingFaults(kind: FieldKind, mapping: FieldMapping): MappingFault[] {
  if ('constant' in mapping) return faultAt(['constant'], valueFault(kind, mapping.constant))
  if (mapping.paths.length > 1 && kind !== 'list') {
    return [{ path: [], message: 'expected one path: this is no list' }]
  }
  return Object.entries(mapping.values ?? {}).flatMap(([word, value]) =>
    faultAt(['values', word], valueFault(kind, value)),
  )
}

function faultAt(path: readonly string[], message: string | undefined): MappingFault[] {
  return message === undefined ? [] : [{ path, message }]
}

function valueFault(kind: FieldKind, value: string | boolean): string | undefined {
  switch (kind) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'expected true or false'
    case 'words':
      return complianceWords.includes(String(value))
        ? undefined
        : `expected one of ${complianceWords.join(', ')}`
    case 'text':
      return typeof value === 'string' ? undefined : 'expected a text'
    case 'list':
    case 'time':
      return 'expected a path: this is another in each record'
  }
}
