import { lasting, verdict, type Criterion } from '../criterion.ts'

/** An exclusive allow of one device shuts out the user's others; Exchange's own allow does not. facts.md 6 */
export const exclusiveAllow: Criterion = {
  name: 'exclusive-allow',
  asked: 'always',
  reads: ['override'],
  judge: ({ request, facts, now }) => {
    if (request.deviceId === undefined) return undefined
    let until = -Infinity
    for (const other of facts.exclusiveAllows) until = Math.max(until, other.until ?? Infinity)
    if (!(until > now)) return undefined
    const detail = 'an administrator allowed another device of this user, and that one alone'
    return lasting(verdict('block', 'personal-block', detail), until)
  },
}
