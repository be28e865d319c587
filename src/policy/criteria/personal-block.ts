import { lasting, verdict, type Criterion } from '../criterion.ts'

/** Exchange's personal block list comes before everything else of Exchange's own. facts.md 6 step 4 */
export const personalBlock: Criterion = {
  name: 'personal-block',
  asked: 'always',
  reads: ['override'],
  judge: (situation) => {
    const { facts, now } = situation
    const { override } = facts
    if (override?.action !== 'block' || !((override.until ?? Infinity) > now)) return undefined
    return lasting(
      verdict('block', 'personal-block', `blocked by an administrator: ${override.note}`),
      override.until,
    )
  },
}
