import type { CompiledGroups } from './compile.ts'
import type { Situation } from './criterion.ts'
import type { Facts } from './facts.ts'

/** Whether the user is in a group, by the group's place in `groupPlaces`; undefined where it is not known. */
export type Membership = readonly (boolean | undefined)[]

/**
 * Whether the user is in one of the groups. `undefined`: it is not known, because no directory entry resolves the login
 * or a group was never read completely. Each caller takes that for the stricter answer.
 */
export function isMember(situation: Situation, { everybody, places }: CompiledGroups): boolean | undefined {
  if (everybody) return true
  if (situation.facts.user === undefined) return undefined
  situation.membership ??= readMembership(situation.facts, situation.rules.groupPlaces)
  const { membership } = situation
  let answer: boolean | undefined = false
  for (const place of places) {
    if (membership[place] === true) return true
    if (membership[place] === undefined) answer = undefined
  }
  return answer
}

/** Once a decision, so that many policies do not each walk the user's groups. */
function readMembership(facts: Facts, places: ReadonlyMap<string, number>): Membership {
  const membership: (boolean | undefined)[] = []
  if (!facts.sourcesComplete) return membership
  for (let place = 0; place < places.size; place++) membership.push(false)
  for (const group of facts.user?.groups ?? []) {
    const place = places.get(group)
    if (place !== undefined) membership[place] = true
  }
  for (const group of facts.unreadGroups) {
    const place = places.get(group)
    if (place !== undefined) membership[place] = undefined
  }
  return membership
}

/** The first of the user's groups that is among these, for explain. */
export function groupAmong({ facts }: Situation, { names }: CompiledGroups): string {
  const { user, unreadGroups } = facts
  return user?.groups.find((group) => names.has(group) && !unreadGroups.includes(group)) ?? 'all-users'
}
