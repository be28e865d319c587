import { verdict, type Criterion, type Situation, type Verdict } from '../criterion.ts'
import { allUsers } from '../schema.ts'

const notTargeted = verdict('allow', 'not-targeted', 'the user is in no targeted group')
const modeOff = verdict('allow', 'not-targeted', 'conditional access is off for this service')

/**
 * Only targeted users are judged. A login that no directory entry resolves counts as targeted: its groups are a
 * missing fact. facts.md 1.1
 */
export const targeted: Criterion = {
  name: 'targeted',
  judge: (situation) => {
    const { facts, rules } = situation
    if (rules.mode === 'off') return modeOff
    if (facts.user === undefined || rules.targetedGroups.includes(allUsers)) return undefined
    const { groups } = facts.user
    return rules.targetedGroups.some((group) => groups.includes(group))
      ? undefined
      : outsidePolicy(situation, notTargeted)
  },
}

/**
 * Who is not judged by conditional access is left to the default rule. OPTIONS and Autodiscover pass: they carry no
 * mail, and the default rule is about devices. facts.md 1.2 step 5
 */
export function outsidePolicy({ request, rules }: Situation, otherwise: Verdict): Verdict {
  if (rules.defaultAccess === 'allow' || request.deviceId === undefined) return otherwise
  return verdict(rules.defaultAccess, 'default-access', `defaultAccess is ${rules.defaultAccess}`)
}
