import { grant, type Criterion } from '../criterion.ts'
import { groupAmong, isMember } from '../groups.ts'

/** In a targeted and an exempted group is exempt. Where the groups are not known, nobody is. facts.md 1.1 */
export const exempt: Criterion = {
  name: 'exempt',
  asked: 'judged',
  reads: ['groups'],
  judge: (situation) => {
    const { exemptedGroups } = situation.rules
    if (isMember(situation, exemptedGroups) !== true) return undefined
    const group = groupAmong(situation, exemptedGroups)
    return grant('outside', 'exempt', `the user is in the exempted group ${group}`)
  },
}
