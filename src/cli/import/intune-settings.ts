import { z } from 'zod'
import { modelName } from '#eas/client/client-rules.ts'
import { platforms, type Platform } from '#eas/client/platform.ts'
import type { Tell } from './finding.ts'
import { isObject, type GraphEntity } from './intune-json.ts'
import { patternProblem, shownValue } from './literal-pattern.ts'

type Action = 'allow' | 'block' | 'quarantine'

/** A key that a file gives once. */
interface SingleRules {
  mode?: 'off' | 'report-only'
  targetedGroups?: readonly string[]
  exemptedGroups?: readonly string[]
  defaultAccess?: Action
  overrideDefaultRule?: boolean
}

/** What Intune's on-premises settings say, in the words of the policy file. */
export interface IntuneRules extends SingleRules {
  readonly platformExceptions: {
    readonly platform?: Platform
    readonly model?: string
    readonly action: Action
  }[]
  /** Families that are narrower than a platform, by device type: only a device rule can name them. */
  readonly families: { readonly deviceType: string; readonly action: Action }[]
}

/** Reads one field of an entity into the rules. */
type FieldReader = (value: unknown, field: string, rules: IntuneRules, tell: Tell) => void

const guids = z.array(z.guid().toLowerCase())
const accessLevels = ['allow', 'block', 'quarantine'] as const
const accessRule = z.looseObject({
  deviceClass: z.looseObject({ name: z.string(), type: z.string() }),
  accessLevel: z.string(),
})

/** onPremisesConditionalAccessSettings. facts.md 5 */
const settingsFields: Readonly<Record<string, FieldReader>> = {
  enabled: (value, field, rules, tell) => {
    if (typeof value !== 'boolean')
      return tell('lost', field, `expected true or false, found ${shownValue(value)}`)
    if (!setOnce(rules, 'mode', value ? 'report-only' : 'off', field, tell)) return
    const message = value
      ? 'Intune enforces this; mode is report-only, so that you see who would be refused before you set enforce'
      : 'Intune asks nothing here; mode is off, and device rules and defaultAccess stand alone'
    tell('note', field, message)
  },
  includedGroups: (value, field, rules, tell) => {
    const ids = guidsOf(value, field, tell)
    if (ids === undefined || !setOnce(rules, 'targetedGroups', ids, field, tell)) return
    tell('note', field, ids.length === 0 ? 'it is empty: nobody is judged' : groupNote)
  },
  excludedGroups: (value, field, rules, tell) => {
    const ids = guidsOf(value, field, tell)
    if (ids !== undefined) setOnce(rules, 'exemptedGroups', ids, field, tell)
  },
  overrideDefaultRule: (value, field, rules, tell) => {
    if (typeof value === 'boolean') setOnce(rules, 'overrideDefaultRule', value, field, tell)
    else tell('lost', field, `expected true or false, found ${shownValue(value)}`)
  },
}

const groupNote =
  'groups stand by their ids, as a source of kind intune gives them; where groups come from elsewhere write their names'

/** deviceManagementExchangeOnPremisesPolicy, beta. facts.md 5 */
const policyFields: Readonly<Record<string, FieldReader>> = {
  defaultAccessLevel: (value, field, rules, tell) => {
    const level = accessLevels.find((known) => known === value)
    if (level !== undefined) setOnce(rules, 'defaultAccess', level, field, tell)
    else {
      const advice = 'set defaultAccess to the DefaultAccessLevel of Get-ActiveSyncOrganizationSettings'
      tell('lost', field, `found ${shownValue(value)}; ${advice}`)
    }
  },
  accessRules: (value, field, rules, tell) => {
    if (!Array.isArray(value)) return tell('lost', field, 'expected a list')
    for (const [index, rule] of value.entries()) readAccessRule(rule, `${field}.${index}`, rules, tell)
  },
  knownDeviceClasses: () => undefined,
  notificationContent: (value, field, _rules, tell) => {
    if (value === '') return
    const bytes = typeof value === 'string' ? Buffer.from(value, 'base64').length : 0
    tell(
      'lost',
      field,
      `${bytes} bytes of HTML for refused users, in base64; the texts of easgate are its own`,
    )
  },
  conditionalAccessSettings: (value, field, rules, tell) => {
    if (isObject(value)) readFields(settingsFields, { path: `${field}.`, fields: value }, rules, tell)
    else tell('lost', field, 'expected an object')
  },
}

/** Reads an entity, whichever of the two it is. A key of Graph that is new is named: it may be a setting. */
export function readIntuneEntity({ path, fields }: GraphEntity, rules: IntuneRules, tell: Tell): void {
  const [readers] = [settingsFields, policyFields].filter((known) =>
    Object.keys(fields).some((key) => Object.hasOwn(known, key)),
  )
  if (readers === undefined) {
    const expected = 'onPremisesConditionalAccessSettings or deviceManagementExchangeOnPremisesPolicy'
    tell('lost', path.slice(0, -1), `expected ${expected}, as Graph gives them`)
  } else readFields(readers, { path, fields }, rules, tell)
}

function readFields(
  readers: Readonly<Record<string, FieldReader>>,
  { path, fields }: GraphEntity,
  rules: IntuneRules,
  tell: Tell,
): void {
  for (const [key, value] of Object.entries(fields)) {
    // null is how Graph says that a setting was never made
    if (value === null || key === 'id' || key.includes('@odata.')) continue
    const read = Object.hasOwn(readers, key) ? readers[key] : undefined
    if (read === undefined) tell('lost', path + key, 'easgate does not know this setting')
    else read(value, path + key, rules, tell)
  }
}

/** False where the same setting was given before: otherwise in another file, which is told, or just so. */
function setOnce<Key extends keyof SingleRules>(
  rules: SingleRules,
  key: Key,
  value: NonNullable<SingleRules[Key]>,
  field: string,
  tell: Tell,
): boolean {
  const before = rules[key]
  if (before === undefined) {
    rules[key] = value
    return true
  }
  if (JSON.stringify(before) !== JSON.stringify(value)) {
    tell('lost', field, `${key} was ${shownValue(before)} before, and stays so`)
  }
  return false
}

function readAccessRule(value: unknown, field: string, rules: IntuneRules, tell: Tell): void {
  const parsed = accessRule.safeParse(value)
  if (!parsed.success) return tell('lost', field, 'expected { deviceClass: { name, type }, accessLevel }')
  const { deviceClass, accessLevel } = parsed.data
  const { name, type } = deviceClass
  const action = accessLevels.find((known) => known === accessLevel)
  const problem = patternProblem(name)
  if (action === undefined) {
    tell(
      'lost',
      `${field}.accessLevel`,
      `${shownValue(name)}: expected ${accessLevels.join(', ')}, found ${accessLevel}`,
    )
  } else if (problem !== undefined) {
    tell('lost', `${field}.deviceClass.name`, `${shownValue(name)}: ${problem}`)
  } else if (type === 'model') {
    rules.platformExceptions.push({ model: modelName(name), action })
  } else if (type === 'family') {
    readFamily(name, action, `${field}.deviceClass.name`, rules, tell)
  } else
    tell('lost', `${field}.deviceClass.type`, `${shownValue(name)}: expected family or model, found ${type}`)
}

/** A family is the device type that Exchange has seen: `Android` is a platform too, `iPhone` is less than iOS. */
function readFamily(name: string, action: Action, field: string, rules: IntuneRules, tell: Tell): void {
  const folded = name.toLowerCase().replaceAll(' ', '')
  const platform = platforms.find((known) => known !== 'unknown' && known.toLowerCase() === folded)
  if (platform !== undefined) {
    rules.platformExceptions.push({ platform, action })
    tell('note', field, `${shownValue(name)} stands for every device of the platform, whatever type it names`)
  } else {
    rules.families.push({ deviceType: name, action })
    tell(
      'note',
      field,
      `${shownValue(name)} is no platform, so it is a device rule, which counts online as well`,
    )
  }
}

function guidsOf(value: unknown, field: string, tell: Tell): readonly string[] | undefined {
  const parsed = guids.safeParse(value)
  if (parsed.success) return parsed.data
  tell('lost', field, `expected a list of group ids, found ${shownValue(value)}`)
  return undefined
}
