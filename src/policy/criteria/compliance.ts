import type { Evaluation } from '../compliance/evaluate.ts'
import { evaluateCompliance } from '../compliance/evaluate.ts'
import {
  grant,
  notItsFault,
  sourcesUnread,
  timeText,
  verdict,
  type Criterion,
  type Situation,
  type Verdict,
} from '../criterion.ts'

/** Graph writes the year 9999 where there is no end; no grace lasts that long. facts.md 4 */
const noEnd = Date.UTC(9999, 0)

/**
 * The verdict of the MDM in Graph's words, where there is one, and what our own compliance policies find: the stricter
 * of both counts. An unknown word never means allow; a grace period ends by our own clock. facts.md 1.2, 2, 3
 */
export const compliance: Criterion = {
  name: 'compliance',
  asked: 'judged',
  reads: [
    'complianceState',
    'graceUntil',
    'passcode',
    'encrypted',
    'osVersion',
    'jailbroken',
    'emailProfileManaged',
    'threatState',
    'lastCheckIn',
    'platform',
    'groups',
    'history',
  ],
  judge: (situation) => {
    const evaluation = evaluateCompliance(situation)
    const byMdm = verdictOfMdm(situation, evaluation)
    return byMdm.action === 'allow' ? withOwnPolicies(situation, evaluation, byMdm) : byMdm
  },
}

const compliant = grant('admitted', 'compliant', 'complianceState is compliant')
const compliantHere = grant('admitted', 'compliant', 'every compliance policy is met')

function verdictOfMdm(situation: Situation, evaluation: Evaluation): Verdict {
  const { facts, rules } = situation
  const state = facts.device?.complianceState
  switch (state) {
    case 'compliant':
      return compliant
    case 'inGracePeriod':
      return inGracePeriod(situation)
    case 'noncompliant':
    case 'conflict':
    case 'error':
      return verdict(rules.noncompliant, 'noncompliant', `complianceState is ${state}`)
    case 'configManager':
      return configManager(situation)
    case undefined:
      if (!facts.sourcesComplete) return sourcesUnread(situation)
      return evaluation.assigned ? compliantHere : withoutPolicy(situation)
    default:
      return unknownState(situation)
  }
}

function inGracePeriod({ facts, rules, now }: Situation): Verdict {
  const graceUntil = facts.device?.graceUntil
  if (graceUntil === undefined || !(graceUntil > now && graceUntil < noEnd)) {
    return verdict(rules.noncompliant, 'noncompliant', 'the grace period is over or has no end')
  }
  const detail = `noncompliant, access until ${timeText(graceUntil)}`
  return grant('admitted', 'in-grace-period', detail, graceUntil)
}

function configManager(situation: Situation): Verdict {
  const { rules } = situation
  const detail = `complianceState is configManager, which means ${rules.configManagerMeans}`
  switch (rules.configManagerMeans) {
    case 'compliant':
      return grant('admitted', 'compliant', detail)
    case 'noncompliant':
      return verdict(rules.noncompliant, 'noncompliant', detail)
    case 'unknown':
      return unknownState(situation)
  }
}

/** No verdict and no policy of ours: what the tenant setting of Intune says, or nothing. facts.md 2 */
function withoutPolicy(situation: Situation): Verdict {
  const { rules } = situation
  const means =
    rules.noCompliancePolicyMeans ?? (rules.compliancePolicies.length > 0 ? 'noncompliant' : undefined)
  const detail = 'no complianceState, and no compliance policy is known to be assigned'
  switch (means) {
    case 'compliant':
      return grant('admitted', 'no-compliance-policy', detail)
    case 'noncompliant':
      return verdict(rules.noncompliant, 'no-compliance-policy', detail)
    default:
      return unknownState(situation)
  }
}

function unknownState(situation: Situation): Verdict {
  const state = situation.facts.device?.complianceState ?? 'missing'
  return notItsFault(
    situation,
    verdict(situation.rules.complianceUnknown, 'compliance-unknown', `complianceState is ${state}`),
  )
}

function withOwnPolicies({ rules }: Situation, evaluation: Evaluation, byMdm: Verdict): Verdict {
  if (evaluation.kind === 'met') return byMdm
  const { policy, check } = evaluation.failed
  const asked = `${policy.name} asks for ${check.wanted}`
  // a grace of the MDM that ends changes the answer too
  const { validUntil } = byMdm
  switch (evaluation.kind) {
    case 'grace': {
      const until = Math.min(evaluation.until, validUntil)
      return grant('admitted', 'in-grace-period', `${asked}, access until ${timeText(until)}`, until)
    }
    case 'unknown': {
      const refusal = verdict(rules.postureUnknown, 'posture-unknown', `not reported: ${asked}`)
      return { ...refusal, rule: policy.name, validUntil }
    }
    case 'failed': {
      const reason = check.setting === 'jailbreakAllowed' ? 'jailbroken' : 'noncompliant'
      return { ...verdict(rules.noncompliant, reason, asked), rule: policy.name, validUntil }
    }
  }
}
