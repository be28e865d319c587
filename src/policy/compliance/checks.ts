import { compareVersions, parseVersion } from '#eas/client/os-version.ts'
import type { Platform } from '#eas/client/platform.ts'
import type { CompiledGroups } from '../compile.ts'
import { endsAt, type Situation } from '../criterion.ts'
import type { CompliancePolicy, PostureRules } from '../schema.ts'
import { threatLevels } from '../schema/compliance-policies.ts'

export type Setting = keyof PostureRules

/** How a device stands to one rule; `unknown` where its MDM never reported the posture. */
export type CheckResult = 'met' | 'failed' | 'unknown'

/** One rule of one policy. */
export interface Check {
  readonly setting: Setting
  /** As one bit, so that sets of settings are numbers. */
  readonly bit: number
  readonly judge: (situation: Situation) => CheckResult
  /** For explain. */
  readonly wanted: string
}

export interface CompiledCompliancePolicy {
  readonly name: string
  readonly groups: CompiledGroups
  /** Empty: on all. */
  readonly platforms: readonly Platform[]
  readonly checks: readonly Check[]
  /** The settings that its rules name. */
  readonly settings: number
  readonly graceDays: number
}

const dayMs = 86_400_000

/** A fact that must have the wanted value. */
const must = (fact: boolean | undefined, wanted: boolean): CheckResult =>
  fact === undefined ? 'unknown' : fact === wanted ? 'met' : 'failed'

type Compile<Value> = (value: Value) => Check['judge']

/** A rule that asks for nothing (a passcode that is not required) is met by every device. */
const nothing: Check['judge'] = () => 'met'

const compilers: { readonly [Name in Setting]-?: Compile<NonNullable<PostureRules[Name]>> } = {
  passcodeRequired: (required) => (required ? ({ facts }) => must(facts.device?.passcode, true) : nothing),
  encryptionRequired: (required) => (required ? ({ facts }) => must(facts.device?.encrypted, true) : nothing),
  minOsVersion: (oldest) => compareOnRecord(oldest, (order) => order >= 0),
  maxOsVersion: (newest) => compareOnRecord(newest, (order) => order <= 0),
  jailbreakAllowed: (allowed) => (allowed ? nothing : ({ facts }) => must(facts.device?.jailbroken, false)),
  managedEmailProfileRequired: (required) =>
    required ? ({ facts }) => must(facts.device?.emailProfileManaged, true) : nothing,
  maxThreatLevel: (highest) => (situation) => judgeThreat(situation.facts.device?.threatState, highest),
  maxCheckInDays: (days) => (situation) => judgeCheckIn(situation, days * dayMs),
}

/** What the client claims does not count here: it would let a phone speak itself compliant. */
function compareOnRecord(version: string, good: (order: number) => boolean): Check['judge'] {
  const wanted = parseVersion(version) ?? []
  return ({ facts, version }) => {
    if (version === undefined || facts.device?.osVersion === undefined) return 'unknown'
    return good(compareVersions(version, wanted)) ? 'met' : 'failed'
  }
}

/** Graph's partnerReportedThreatState; the states that say that nobody looks are not known. facts.md 3 */
const levelOfThreat: ReadonlyMap<string, number> = new Map([
  ['secured', 0],
  ['lowSeverity', 1],
  ['mediumSeverity', 2],
  ['highSeverity', 3],
  ['compromised', 4],
  ['misconfigured', 4],
])

function judgeThreat(state: string | undefined, highest: (typeof threatLevels)[number]): CheckResult {
  const level = state === undefined ? undefined : levelOfThreat.get(state)
  if (level === undefined) return 'unknown'
  return level <= threatLevels.indexOf(highest) ? 'met' : 'failed'
}

function judgeCheckIn(situation: Situation, withinMs: number): CheckResult {
  const lastCheckIn = situation.facts.device?.lastCheckIn
  if (lastCheckIn === undefined || !Number.isFinite(lastCheckIn)) return 'unknown'
  // two clocks may differ by a day; what is later was no check-in. T-55
  const earliest = lastCheckIn - dayMs
  if (earliest > situation.now) {
    endsAt(situation, earliest)
    return 'unknown'
  }
  const end = lastCheckIn + withinMs
  if (end <= situation.now) return 'failed'
  endsAt(situation, end)
  return 'met'
}

const settings = Object.keys(compilers) as readonly Setting[]

/** The rules of one policy as checks, all but its groups and its grace. */
export function compileChecks({
  name,
  platforms,
  rules,
}: Pick<CompliancePolicy, 'name' | 'platforms' | 'rules'>): Omit<
  CompiledCompliancePolicy,
  'groups' | 'graceDays'
> {
  const checks = settings.flatMap((setting, index) => {
    const value = rules[setting]
    if (value === undefined) return []
    const compile = compilers[setting] as Compile<unknown>
    return [{ setting, bit: 1 << index, judge: compile(value), wanted: `${setting}: ${String(value)}` }]
  })
  return { name, platforms, checks, settings: checks.reduce((mask, { bit }) => mask | bit, 0) }
}
