import type { DeviceFacts, FactsOrigin } from '#policy/facts.ts'
import { deviceFields } from './record.ts'

/** What one source says of one spelling of a device id. `asOf`: when it was last confirmed, ms since the epoch. */
export interface DeviceRecord {
  readonly deviceId: string
  readonly source: string
  readonly facts: DeviceFacts
  readonly asOf: number
}

export type MergedDevice = DeviceFacts & { readonly origin: FactsOrigin }

type Field = keyof DeviceFacts
type Value = NonNullable<DeviceFacts[Field]>

/** A value, the source that gave it, and when that source last confirmed it, ms since the epoch. */
export interface FieldWord {
  readonly value: Value
  readonly source: string
  readonly asOf: number
}

type MergedFields = Map<Field, FieldWord>

/**
 * One device out of all that is on record under one folded id.
 *
 * For one spelling of the id the sources are laid over each other: per field, the first source in `sourceOrder` that
 * has it wins. Where spellings of the id disagree (among them two rows of one source), one of them may be another
 * device or stale, so the stricter value wins, whatever its source. T-06
 *
 * Records of sources that are not in `sourceOrder` do not count. Undefined where none is left.
 */
export function mergeDevice(
  records: readonly DeviceRecord[],
  sourceOrder: readonly string[],
): MergedDevice | undefined {
  const known = inOrder(records, sourceOrder)
  if (known.length === 0) return undefined
  const fields = mergeFields(known)
  return { ...factsOf(fields), origin: originOf(known, fields) }
}

/**
 * Who says what of each field: first the word that `mergeDevice` takes, then those that contradict it, in the order of
 * their sources.
 */
export function fieldWords(
  records: readonly DeviceRecord[],
  sourceOrder: readonly string[],
): ReadonlyMap<Field, readonly [FieldWord, ...FieldWord[]]> {
  const known = inOrder(records, sourceOrder)
  const words = new Map<Field, [FieldWord, ...FieldWord[]]>()
  if (known.length === 0) return words
  const all = known.map(fieldsOf)
  for (const [field, word] of mergeFields(known)) {
    // each MDM hears of a device at a time of its own: that is no contradiction
    const others = field === 'lastCheckIn' ? [] : all.flatMap((fields) => fields.get(field) ?? [])
    words.set(field, [word, ...others.filter(({ value }) => value !== word.value)])
  }
  return words
}

/** Of two records for one device, both of one source: what stands if the stricter value counts. */
export function stricterFacts(a: DeviceFacts, b: DeviceFacts): DeviceFacts {
  const both = [a, b].map((facts) => fieldsOf({ facts, source: '', asOf: 0 }))
  return factsOf(both.reduce(stricterOfBoth))
}

/** Those of configured sources, first those that go before the others. */
function inOrder(records: readonly DeviceRecord[], sourceOrder: readonly string[]): readonly DeviceRecord[] {
  return records
    .filter((record) => sourceOrder.includes(record.source))
    .toSorted((a, b) => sourceOrder.indexOf(a.source) - sourceOrder.indexOf(b.source))
}

/** @param known at least one record */
function mergeFields(known: readonly DeviceRecord[]): MergedFields {
  const spellings = Map.groupBy(known, (record) => record.deviceId.toLowerCase()).values()
  return [...spellings].map(layerSources).reduce(stricterOfBoth)
}

function layerSources(records: readonly DeviceRecord[]): MergedFields {
  const bySource = [...Map.groupBy(records, (record) => record.source).values()].map((rows) =>
    rows.map(fieldsOf).reduce(stricterOfBoth),
  )
  return bySource.reduce((merged, fields) => new Map([...fields, ...merged]))
}

function fieldsOf({ facts, source, asOf }: Omit<DeviceRecord, 'deviceId'>): MergedFields {
  const fields: MergedFields = new Map()
  for (const field of deviceFields) {
    const value = facts[field]
    if (value !== undefined) fields.set(field, { value, source, asOf })
  }
  return fields
}

function stricterOfBoth(a: MergedFields, b: MergedFields): MergedFields {
  const merged = new Map(a)
  for (const [field, other] of b) {
    const held = merged.get(field)
    if (held === undefined || isStricter(field, other.value, held.value)) merged.set(field, other)
  }
  return merged
}

const falseIsStricter: ReadonlySet<Field> = new Set([
  'enrolled',
  'registered',
  'activated',
  'encrypted',
  'passcode',
  'emailProfileManaged',
  'domainJoined',
])
const trueIsStricter: ReadonlySet<Field> = new Set(['jailbroken', 'wipePending'])
const earlierIsStricter: ReadonlySet<Field> = new Set(['graceUntil', 'lastCheckIn'])

/**
 * Compliance states from the loosest to the strictest. A state that this version does not know stands between
 * `unknown` and `error`; of two such states the later in code unit order, so that the result never depends on order.
 */
const loosest = ['compliant', 'inGracePeriod', 'configManager', 'unknown']
const strictest = ['error', 'conflict', 'noncompliant']

/** The one word of these that accuses of nothing: every other word, a strange one too, is stricter. */
const harmlessWord: Partial<Record<Field, string>> = {
  registrationState: 'registered',
  threatState: 'secured',
}

/** True where `value` must win over `held`. Fields that only describe (platform, model, …) keep the first value. */
function isStricter(field: Field, value: Value, held: Value): boolean {
  if (falseIsStricter.has(field)) return held === true && value === false
  if (trueIsStricter.has(field)) return held === false && value === true
  if (earlierIsStricter.has(field)) return value < held
  const harmless = harmlessWord[field]
  if (harmless !== undefined) return held === harmless && value !== harmless
  if (field !== 'complianceState') return false
  const [rank, heldRank] = [complianceRank(value), complianceRank(held)]
  return rank === heldRank ? value > held : rank > heldRank
}

function complianceRank(state: Value): number {
  const loose = loosest.indexOf(String(state))
  if (loose !== -1) return loose
  const strict = strictest.indexOf(String(state))
  return loosest.length + (strict === -1 ? 0 : 1 + strict)
}

function factsOf(fields: MergedFields): DeviceFacts {
  return Object.fromEntries([...fields].map(([field, { value }]) => [field, value]))
}

function originOf(records: readonly DeviceRecord[], fields: MergedFields): FactsOrigin {
  const givers = new Set([...fields.values()].map(({ source }) => source))
  const counted = givers.size === 0 ? records : records.filter((record) => givers.has(record.source))
  return {
    sources: [...new Set(counted.map((record) => record.source))],
    asOf: Math.min(...counted.map((record) => record.asOf)),
  }
}
