import { verdict, type Criterion } from '../criterion.ts'
import { outsidePolicy } from './targeted.ts'

/** In a targeted and an exempted group is exempt. facts.md 1.1 */
export const exempt: Criterion = {
  name: 'exempt',
  judge: (situation) => {
    const { facts, rules } = situation
    const group = facts.user?.groups.find((name) => rules.exemptedGroups.includes(name))
    if (group === undefined) return undefined
    return outsidePolicy(situation, verdict('allow', 'exempt', `the user is in the exempted group ${group}`))
  },
}
