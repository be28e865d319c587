import { grant, type Criterion } from '../criterion.ts'
import { isMember } from '../groups.ts'

const notTargeted = grant('outside', 'not-targeted', 'the user is in no targeted group')
const modeOff = grant('outside', 'not-targeted', 'conditional access is off for this service')

/**
 * Only targeted users are judged; the others are left to device rules and the default rule. Where the user's groups
 * are not known, the user counts as targeted. facts.md 1.1
 */
export const targeted: Criterion = {
  name: 'targeted',
  asked: 'judged',
  reads: ['groups'],
  judge: (situation) => {
    const { mode, targetedGroups } = situation.rules
    if (mode === 'off') return modeOff
    return isMember(situation, targetedGroups) === false ? notTargeted : undefined
  },
}
