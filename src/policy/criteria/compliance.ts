import { verdict, type Criterion, type Situation, type Verdict } from '../criterion.ts'

const compliant = verdict('allow', 'compliant', 'complianceState is compliant')

/**
 * The verdict of the MDM, in Graph's words. An unknown word never means allow; a grace period ends by our own clock.
 * facts.md 1.2 steps 3 and 4, 3
 */
export const compliance: Criterion = {
  name: 'compliance',
  judge: (situation) => {
    const { facts, rules } = situation
    const state = facts.device?.complianceState
    switch (state) {
      case 'compliant':
        return withDefaultRule(situation, compliant)
      case 'inGracePeriod':
        return inGracePeriod(situation)
      case 'noncompliant':
      case 'conflict':
      case 'error':
        return verdict(rules.noncompliant, 'noncompliant', `complianceState is ${state}`)
      default:
        return unknownState(facts.history.allowedBefore, state)
    }
  },
}

/**
 * Not the device's own fault: a phone that holds real mail is asked to come back, since the quarantine mailbox would
 * make it drop its copy. design.md, What a refused device gets
 */
function unknownState(allowedBefore: boolean, state: string | undefined): Verdict {
  const action = allowedBefore ? 'unavailable' : 'quarantine'
  return verdict(action, 'compliance-unknown', `complianceState is ${state ?? 'missing'}`)
}

function inGracePeriod(situation: Situation): Verdict {
  const { facts, rules, now } = situation
  const graceUntil = facts.device?.graceUntil
  if (graceUntil === undefined || graceUntil <= now) {
    return verdict(rules.noncompliant, 'noncompliant', 'the grace period is over or has no end')
  }
  const allowed: Verdict = {
    action: 'allow',
    reason: 'in-grace-period',
    detail: `noncompliant, access until ${new Date(graceUntil).toISOString()}`,
    validUntil: graceUntil,
  }
  return withDefaultRule(situation, allowed)
}

/** The documented trap: without the override, a compliant device still gets what the default rule says. facts.md 1.2 */
function withDefaultRule({ rules }: Situation, allowed: Verdict): Verdict {
  if (rules.defaultAccess === 'allow' || rules.overrideDefaultRule) return allowed
  return verdict(
    rules.defaultAccess,
    'default-access',
    'defaultAccess refuses and overrideDefaultRule is false',
  )
}
