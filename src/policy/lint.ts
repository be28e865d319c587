import { compareVersions, parseVersion } from '#eas/client/os-version.ts'
import type { Platform } from '#eas/client/platform.ts'
import { compilePatterns, fitsOne } from './match.ts'
import type { AccessRules, DeviceRule, Policy } from './schema.ts'
import { ruleOrder } from './rule-order.ts'
import { allUsers } from './schema/values.ts'
import type { VersionRange } from './schema/device-match.ts'

/** Something of a policy that its schema cannot see. A fault keeps the policy from being loaded. */
export interface PolicyFinding {
  readonly severity: 'fault' | 'warning'
  /** Where it stands in the file. */
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** A group that the policy names, with where it does. */
export interface NamedGroup {
  readonly name: string
  readonly path: readonly (string | number)[]
}

/**
 * Reads a policy as a careful colleague would: rules that can never match, demands that nothing can meet, and every
 * allow that rests on what a client claims, or on nothing.
 *
 * @param now milliseconds since the epoch
 */
export function lintPolicy(policy: Policy, now: number): readonly PolicyFinding[] {
  return [
    ...(['onPremises', 'online'] as const).flatMap((service) =>
      lintAccessRules(policy.conditionalAccess[service], now).map((found) => ({
        ...found,
        path: ['conditionalAccess', service, ...found.path],
      })),
    ),
    ...lintCompliancePolicies(policy),
    ...lintDeviceRules(policy),
    ...lintOutages(policy),
  ]
}

/** Every group that the policy asks about, `all-users` aside. */
export function groupsOf(policy: Policy): readonly NamedGroup[] {
  const lists = [
    ...(['onPremises', 'online'] as const).flatMap((service) =>
      (['targetedGroups', 'exemptedGroups'] as const).map((key) => ({
        path: ['conditionalAccess', service, key],
        names: policy.conditionalAccess[service][key],
      })),
    ),
    ...(['compliancePolicies', 'configurationPolicies'] as const).flatMap((key) =>
      policy[key].map((entry, index) => ({
        path: [key, index, 'assignedGroups'],
        names: entry.assignedGroups,
      })),
    ),
  ]
  return lists.flatMap(({ path, names }) =>
    names.map((name, index) => ({ name, path: [...path, index] })).filter(({ name }) => name !== allUsers),
  )
}

function warning(path: PolicyFinding['path'], message: string): PolicyFinding {
  return { severity: 'warning', path, message }
}

function fault(path: PolicyFinding['path'], message: string): PolicyFinding {
  return { severity: 'fault', path, message }
}

function lintAccessRules(rules: AccessRules, now: number): PolicyFinding[] {
  const found: PolicyFinding[] = []
  if (rules.grandfathered !== undefined && rules.grandfathered.until <= now) {
    found.push(warning(['grandfathered', 'until'], 'this is over: nobody is grandfathered any more'))
  }
  if (rules.unsupportedPlatforms === 'allow') {
    const message = 'lets in on what the client claims alone: whoever says to be such a platform'
    found.push(warning(['unsupportedPlatforms'], message))
  }
  if (rules.noCompliancePolicyMeans === 'compliant') {
    const message = 'lets in every enrolled device that nobody ever judged'
    found.push(warning(['noCompliancePolicyMeans'], message))
  }
  if (rules.defaultAccess !== 'allow') {
    const spared = [
      ...(rules.exemptedGroups.length > 0 ? ['exempt'] : []),
      ...(rules.rollout < 1 ? ['not in the roll-out yet'] : []),
      ...(rules.targetedGroups.includes(allUsers) ? [] : ['not targeted']),
    ]
    if (spared.length > 0) {
      const message = `refuses who is ${spared.join(' or ')}, too: they are left to this rule`
      found.push(warning(['defaultAccess'], message))
    }
    rules.platformExceptions.forEach(({ action }, index) => {
      if (action === 'allow') found.push(warning(['platformExceptions', index, 'action'], restsOnClaims))
    })
  }
  return found
}

const restsOnClaims = 'lets in on what the client claims alone, where no record of the device says otherwise'

function lintCompliancePolicies(policy: Policy): PolicyFinding[] {
  return (['compliancePolicies', 'configurationPolicies'] as const).flatMap((key) =>
    policy[key].flatMap(({ assignedGroups, platforms, rules }, index) => {
      const found: PolicyFinding[] = []
      const { minOsVersion, maxOsVersion } = rules
      if (minOsVersion !== undefined && maxOsVersion !== undefined && isNewer(minOsVersion, maxOsVersion)) {
        const message = `no version is at least ${minOsVersion} and at most ${maxOsVersion}`
        found.push(fault([key, index, 'rules', 'minOsVersion'], message))
      }
      if ((minOsVersion ?? maxOsVersion) !== undefined && platforms.length !== 1) {
        const message = 'versions of several systems are compared with one number: name one platform'
        found.push(warning([key, index, 'rules'], message))
      }
      if (assignedGroups.length === 0) {
        found.push(warning([key, index, 'assignedGroups'], 'assigned to nobody: the policy is never asked'))
      }
      return found
    }),
  )
}

function isNewer(one: string, other: string): boolean {
  return compareVersions(parseVersion(one) ?? [], parseVersion(other) ?? []) > 0
}

function lintDeviceRules(policy: Policy): PolicyFinding[] {
  const asked = policy.deviceRules
    .map((rule, index) => ({ rule, index }))
    .toSorted((one, other) => ruleOrder(one.rule.action) - ruleOrder(other.rule.action))
  const defaultRefuses = Object.values(policy.conditionalAccess).some(
    (rules) => rules.defaultAccess !== 'allow',
  )
  return asked.flatMap(({ rule, index }, place) => {
    const found: PolicyFinding[] = []
    const shadow = asked.slice(0, place).find((before) => covers(before.rule, rule))?.rule
    if (shadow !== undefined) {
      const message = `can never match: ${shadow.name} is asked first and fits everything that fits here`
      found.push(fault(['deviceRules', index], message))
    }
    if (rule.action === 'allow' && defaultRefuses) {
      found.push(warning(['deviceRules', index, 'action'], restsOnClaims))
    }
    return found
  })
}

/** True where every device that fits `inner` fits `outer` too. */
function covers(outer: DeviceRule, inner: DeviceRule): boolean {
  const systems = systemsOf(outer)
  const innerSystems = systemsOf(inner)
  if (systems !== undefined && !(innerSystems?.every((platform) => systems.includes(platform)) ?? false))
    return false
  if (outer.match.osVersion !== undefined) {
    if (inner.match.osVersion === undefined) return false
    if (!isWithin(inner.match.osVersion, outer.match.osVersion)) return false
    if (unknownFits(inner) && !unknownFits(outer)) return false
  }
  return (['deviceType', 'model', 'userAgent', 'client'] as const).every((field) => {
    const wide = outer.match[field]
    if (wide === undefined) return true
    // a star of the narrow pattern stands where the wide one has a star too: what it stands for does not matter
    const patterns = compilePatterns(wide)
    return inner.match[field]?.every((pattern) => fitsOne(pattern.toLowerCase(), patterns)) ?? false
  })
}

function systemsOf({ match }: DeviceRule): readonly Platform[] | undefined {
  return match.osVersion?.os === undefined ? match.os : [match.osVersion.os]
}

function unknownFits({ unknownVersionFits, action }: DeviceRule): boolean {
  return unknownVersionFits ?? action !== 'allow'
}

function isWithin(inner: VersionRange, outer: VersionRange): boolean {
  return isEndWithin(inner.min, outer.min, 1) && isEndWithin(inner.max, outer.max, -1)
}

/** @param sign 1 for lower ends, -1 for upper ones */
function isEndWithin(inner: VersionRange['min'], outer: VersionRange['min'], sign: 1 | -1): boolean {
  if (outer === undefined) return true
  if (inner === undefined) return false
  const order = compareVersions(inner.version, outer.version) * sign
  return order > 0 || (order === 0 && (outer.inclusive || !inner.inclusive))
}

function lintOutages({
  onSourceUnavailable: { knownDevice, unknownDevice, maxFactsAge },
}: Policy): PolicyFinding[] {
  const found: PolicyFinding[] = []
  if (unknownDevice === 'allow') {
    const message = 'while a source was never read, this lets in every device of which nothing is known'
    found.push(warning(['onSourceUnavailable', 'unknownDevice'], message))
  }
  if (maxFactsAge !== undefined && knownDevice === 'allow') {
    const message = 'with allow here maxFactsAge changes nothing: old facts hold for ever'
    found.push(warning(['onSourceUnavailable', 'knownDevice'], message))
  }
  return found
}
