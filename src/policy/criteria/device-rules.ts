import { grant, verdict, type Criterion, type Situation, type Verdict } from '../criterion.ts'
import { fits, subjectOf } from '../match.ts'

/**
 * Exchange's device rules and platform exceptions: those that block first, then that quarantine, then that allow. Who
 * is not judged by conditional access gets what they say. Of the others they only refuse: those that were let in
 * already, which no verdict has found good, and those still to be judged where the compliant do not go before a rule.
 * facts.md 1.2 step 5, 6 steps 6 to 8
 */
export const deviceRules: Criterion = {
  name: 'device-rules',
  asked: 'always',
  reads: ['platform', 'osVersion', 'model'],
  judge: (situation) => {
    const { rules, granted } = situation
    if (rules.deviceRules.length === 0) return undefined
    if (granted === undefined && rules.compliantBeatsPlatformRule) return undefined
    const outside = granted?.grants === 'outside'
    const subject = subjectOf(situation)
    for (const rule of rules.deviceRules) {
      if (!outside && rule.action === 'allow') break
      const isFit = fits(rule.match, subject)
      situation.notes?.push(`${rule.label}: ${isFit ? rule.action : 'does not fit'}`)
      if (isFit) return ruled(situation, rule.action, rule.label)
    }
    return undefined
  },
}

function ruled({ granted }: Situation, action: 'allow' | 'block' | 'quarantine', label: string): Verdict {
  if (action !== 'allow') {
    return { ...verdict(action, 'device-rule', `the rule ${label} fits`), rule: label }
  }
  const because = granted === undefined ? '' : `; ${granted.detail}`
  return { ...grant('outside', 'device-rule', `the rule ${label} fits${because}`), rule: label }
}
