import { z } from 'zod'
import { isDeviceId } from '#eas/device-id.ts'
import { hasControl } from '#eas/text.ts'
import type { DeviceFacts } from '#policy/facts.ts'

/** One record as a source gives it. Without `deviceId` it describes the user only. Times are ms since the epoch. */
export interface FactsRecord extends DeviceFacts {
  /** UPN in lower case. */
  readonly user: string
  /** Other names of the user, lower case: addresses, `domain\user`. */
  readonly aliases?: readonly string[]
  /** Groups in lower case, as the policy has them. */
  readonly groups?: readonly string[]
  /** The EAS device id as spelled by the source. */
  readonly deviceId?: string
  /** Other ids that the phone may present in its place, best first: of the MDM, of the directory, a serial number. */
  readonly otherIds?: readonly string[]
}

/** What is wrong with one field; `field` is empty where it is the record as a whole. */
export interface FieldFault {
  readonly field: string
  readonly message: string
}

export type ParsedRecord = { readonly record: FactsRecord } | { readonly faults: readonly FieldFault[] }

const maxNameLength = 256
const maxTextLength = 128
const maxListLength = 2000
const maxOtherIds = 16

/** One line of text without blanks around it. */
export function plainText(maxLength: number) {
  const message = `expected text of 1 to ${maxLength} characters, without control characters or space around it`
  return z
    .string({ error: message })
    .refine((text) => text.length > 0 && text.length <= maxLength, { error: message, abort: true })
    .refine((text) => text === text.trim() && !hasControl(text), { error: message })
}

const name = plainText(maxNameLength).toLowerCase()
const names = z
  .array(name, { error: 'expected a list of names' })
  .max(maxListLength, { error: `expected at most ${maxListLength} names` })
  .transform((list) => [...new Set(list)])
const text = plainText(maxTextLength)
const boolean = z.boolean({ error: 'expected true or false' })

const timeMessage = 'expected a time with its zone, such as 2026-03-01T08:30:00Z'
const isoTime = /^(\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/

/** Years 0001 and 9999 are how Graph says "none"; an age made of them would be nonsense. */
const yearsOfNone: ReadonlySet<string> = new Set(['0001', '9999'])

/** A time in ISO 8601 with its zone, as ms since the epoch; undefined for the years that stand for none. */
export const time = z.string({ error: timeMessage }).transform((written, context) => {
  const [, year = '', month = '', day = ''] = isoTime.exec(written) ?? []
  if (yearsOfNone.has(year)) return undefined
  const at = Date.parse(written)
  // Date.parse turns 30 February into 2 March
  if (Number.isNaN(at) || new Date(Date.UTC(+year, +month - 1, +day)).getUTCDate() !== +day) {
    context.addIssue({ code: 'custom', message: timeMessage })
    return z.NEVER
  }
  return at
})

const deviceId = z
  .string()
  .refine(isDeviceId, { error: 'expected 1 to 64 of the letters A to Z, digits, -, _ and .' })

const schema = z.strictObject(
  {
    user: name,
    aliases: names.optional(),
    groups: names.optional(),
    deviceId: deviceId.optional(),
    otherIds: z
      .array(deviceId, { error: 'expected a list of device ids' })
      .max(maxOtherIds, { error: `expected at most ${maxOtherIds} device ids` })
      .optional(),
    enrolled: boolean.optional(),
    registered: boolean.optional(),
    activated: boolean.optional(),
    complianceState: plainText(64).optional(),
    graceUntil: time.optional(),
    platform: text.optional(),
    osVersion: text.optional(),
    model: text.optional(),
    ownership: text.optional(),
    jailbroken: boolean.optional(),
    encrypted: boolean.optional(),
    passcode: boolean.optional(),
    emailProfileManaged: boolean.optional(),
    wipePending: boolean.optional(),
    lastCheckIn: time.optional(),
    registrationState: plainText(64).optional(),
    managementAgent: plainText(64).optional(),
    threatState: plainText(64).optional(),
    domainJoined: boolean.optional(),
  },
  { error: (issue) => (issue.code === 'invalid_type' ? 'expected an object' : undefined) },
)

export type FactsField = keyof typeof schema.shape

/** Every field of a record, in the order in which files and the store write them. */
export const factsFields = Object.keys(schema.shape) as readonly FactsField[]

/** The fields that describe the device. */
export const deviceFields = factsFields.filter(
  (field): field is keyof DeviceFacts =>
    !['user', 'aliases', 'groups', 'deviceId', 'otherIds'].includes(field),
)

export function isFactsField(field: string): field is FactsField {
  return Object.hasOwn(schema.shape, field)
}

/** What is said of a key or column that is no field. */
export const unknownField = `not a known field; expected one of ${factsFields.join(', ')}`

/**
 * Reads one record: the body of a push, an item of a JSON file, a row of a CSV file. Unknown keys are faults. User,
 * aliases and groups are folded to lower case; a `complianceState` that this version does not know is kept as it is.
 */
export function parseRecord(value: unknown): ParsedRecord {
  const parsed = schema.safeParse(value)
  if (!parsed.success) return { faults: parsed.error.issues.flatMap(toFaults) }
  const fields = parsed.data
  const given = ['otherIds' as const, ...deviceFields].filter((field) => fields[field] !== undefined)
  if (fields.deviceId === undefined && given.length > 0) {
    return {
      faults: [{ field: 'deviceId', message: `expected, because ${given.join(', ')} describe a device` }],
    }
  }
  return { record: withoutAbsent(fields) }
}

const storedFacts = z.strictObject(
  Object.fromEntries(
    deviceFields.map((field) => [field, z.union([z.boolean(), z.string(), z.number()]).optional()]),
  ),
)

/** True for facts as the store writes them. For what comes out of a damaged file. */
export function isDeviceFacts(value: unknown): value is DeviceFacts {
  return storedFacts.safeParse(value).success
}

/** The part of a record that describes the device, fields in the order of `deviceFields`. */
export function deviceFactsOf(record: DeviceFacts): DeviceFacts {
  const entries = deviceFields
    .filter((field) => record[field] !== undefined)
    .map((field) => [field, record[field]])
  return Object.fromEntries(entries) as DeviceFacts
}

function withoutAbsent(fields: z.output<typeof schema>): FactsRecord {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as unknown as FactsRecord
}

function toFaults(issue: z.core.$ZodIssue): readonly FieldFault[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((field) => ({ field, message: unknownField }))
  }
  return [{ field: issue.path.join('.'), message: issue.message }]
}
