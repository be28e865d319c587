import { compileChecks, type CompiledCompliancePolicy } from './compliance/checks.ts'
import { compileMatch, compilePatterns, type CompiledMatch, type Pattern } from './match.ts'
import { ruleOrder } from './rule-order.ts'
import type { AccessRules, DeviceRule, Policy, Service } from './schema.ts'
import { allUsers } from './schema/values.ts'

/** Group names, and whether everybody is meant. */
export interface CompiledGroups {
  readonly everybody: boolean
  readonly names: ReadonlySet<string>
  /** Where they stand in `groupPlaces`. */
  readonly places: readonly number[]
}

export interface CompiledDeviceRule {
  /** As explain names it. */
  readonly label: string
  readonly action: DeviceRule['action']
  readonly match: CompiledMatch
}

/** One service's part of the policy, ready to be asked. */
export interface CompiledRules extends Omit<
  AccessRules,
  'targetedGroups' | 'exemptedGroups' | 'blockedClients'
> {
  readonly service: Service
  /** Every group that this part of the policy names, with its place. */
  readonly groupPlaces: ReadonlyMap<string, number>
  readonly targetedGroups: CompiledGroups
  readonly exemptedGroups: CompiledGroups
  readonly blockedClients: readonly Pattern[]
  /** Device rules and platform exceptions: those that block, then that quarantine, then that allow. facts.md 6 */
  readonly deviceRules: readonly CompiledDeviceRule[]
  readonly compliantBeatsPlatformRule: boolean
  readonly compliancePolicies: readonly CompiledCompliancePolicy[]
  readonly configurationPolicies: readonly CompiledCompliancePolicy[]
  readonly deviceQuota: Policy['deviceQuota']
  readonly onSourceUnavailable: Policy['onSourceUnavailable']
}

/** The policy in force, compiled once per load. */
export type CompiledPolicy = Readonly<Record<Service, CompiledRules>>

export function compilePolicy(policy: Policy): CompiledPolicy {
  return { onPremises: compileService(policy, 'onPremises'), online: compileService(policy, 'online') }
}

function compileService(policy: Policy, service: Service): CompiledRules {
  const rules = policy.conditionalAccess[service]
  const { defaultAccess, blockedClients, compliantBeatsPlatformRule } = rules
  const groupPlaces = new Map<string, number>()
  const placeOf = (group: string): number => {
    const place = groupPlaces.get(group) ?? groupPlaces.size
    groupPlaces.set(group, place)
    return place
  }
  const compileGroups = (names: readonly string[]): CompiledGroups => {
    const groups = names.filter((name) => name !== allUsers)
    return { everybody: names.includes(allUsers), names: new Set(groups), places: groups.map(placeOf) }
  }
  return {
    ...rules,
    service,
    groupPlaces,
    targetedGroups: compileGroups(rules.targetedGroups),
    exemptedGroups: compileGroups(rules.exemptedGroups),
    blockedClients: compilePatterns(blockedClients),
    deviceRules: compileDeviceRules(policy, rules),
    // online Exchange's own rules count only outside of the targeted groups; on-premises the vendor's examples lead
    // one way where the default refuses, the other way where it allows. facts.md 1.1, 1.2
    compliantBeatsPlatformRule:
      compliantBeatsPlatformRule ?? (service === 'online' || defaultAccess !== 'allow'),
    compliancePolicies: policy.compliancePolicies.map((entry) => ({
      ...compileChecks(entry),
      groups: compileGroups(entry.assignedGroups),
      graceDays: entry.graceDays,
    })),
    configurationPolicies: policy.configurationPolicies.map((entry) => ({
      ...compileChecks(entry),
      groups: compileGroups(entry.assignedGroups),
      graceDays: 0,
    })),
    deviceQuota: policy.deviceQuota,
    onSourceUnavailable: policy.onSourceUnavailable,
  }
}

function compileDeviceRules(policy: Policy, rules: AccessRules): CompiledDeviceRule[] {
  const exceptions = rules.platformExceptions.map(({ platform, model, action }) => ({
    label: `platform exception ${[platform, model?.join(' or ')].filter((part) => part !== undefined).join(' ')}`,
    action,
    match: compileMatch({ ...(platform && { os: [platform] }), ...(model && { model }) }, false),
  }))
  const own = policy.deviceRules.map(({ name, match, action, unknownVersionFits }) => ({
    label: name,
    action,
    match: compileMatch(match, unknownVersionFits ?? action !== 'allow'),
  }))
  return [...exceptions, ...own].toSorted((one, other) => ruleOrder(one.action) - ruleOrder(other.action))
}
