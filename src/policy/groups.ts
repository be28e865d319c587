import type { CompiledGroups } from './compile.ts'
import type { Facts } from './facts.ts'

/**
 * Whether the user is in one of the groups. `undefined`: it is not known, because no directory entry resolves the login
 * or a group was never read completely. Each caller takes that for the stricter answer.
 */
export function isMember(facts: Facts, { everybody, names }: CompiledGroups): boolean | undefined {
  if (everybody) return true
  if (facts.user === undefined) return undefined
  if (names.size === 0) return false
  if (!facts.sourcesComplete) return undefined
  for (const group of facts.user.groups) {
    if (names.has(group) && !facts.unreadGroups.includes(group)) return true
  }
  return facts.unreadGroups.some((group) => names.has(group)) ? undefined : false
}

/** The first of the user's groups that is among `names`, for explain. */
export function groupAmong(facts: Facts, { names }: CompiledGroups): string {
  return facts.user?.groups.find((group) => names.has(group)) ?? 'all-users'
}
