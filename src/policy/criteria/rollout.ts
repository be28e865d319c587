import { grant, type Criterion } from '../criterion.ts'

const notYet = grant('outside', 'not-in-rollout', 'the user is not in the share that is judged already')

/**
 * A staged roll-out: each user has a place from 0 to 1 by the name alone, the same on every node and after a restart,
 * and a growing share never lets go of who is in it already.
 */
export const rollout: Criterion = {
  name: 'rollout',
  asked: 'judged',
  reads: [],
  judge: ({ facts, rules }) =>
    rules.rollout < 1 && facts.user !== undefined && placeOf(facts.user.user) >= rules.rollout
      ? notYet
      : undefined,
}

/** FNV-1a with the finish of MurmurHash3, so that names that differ in their end are spread too. */
export function placeOf(user: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < user.length; index++) {
    hash = Math.imul(hash ^ user.charCodeAt(index), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
