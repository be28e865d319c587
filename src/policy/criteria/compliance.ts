import { sourcesUnread, verdict, type Criterion, type Situation, type Verdict } from '../criterion.ts'

/** Graph writes the year 9999 where there is no end; no grace lasts that long. facts.md 4 */
const noEnd = Date.UTC(9999, 0)

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
      case undefined:
        return facts.sourcesComplete ? unknownState(situation) : sourcesUnread
      default:
        return unknownState(situation)
    }
  },
}

/**
 * Not the device's own fault: a phone that holds real mail is asked to come back, since the quarantine mailbox would
 * make it drop its copy. design.md, What a refused device gets
 */
function unknownState({ facts }: Situation): Verdict {
  const action = facts.history.allowedBefore ? 'unavailable' : 'quarantine'
  const state = facts.device?.complianceState ?? 'missing'
  return verdict(action, 'compliance-unknown', `complianceState is ${state}`)
}

function inGracePeriod(situation: Situation): Verdict {
  const { facts, rules, now } = situation
  const graceUntil = facts.device?.graceUntil
  if (graceUntil === undefined || !(graceUntil > now && graceUntil < noEnd)) {
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
  return {
    action: rules.defaultAccess,
    reason: 'default-access',
    detail: 'defaultAccess refuses and overrideDefaultRule is false',
    validUntil: allowed.validUntil,
  }
}
