import { endsAt, notItsFault, timeText, verdict, type Criterion } from '../criterion.ts'

/** Facts that nobody confirms any more hold for a time; then the policy's choice stands. T-57 */
export const factsAge: Criterion = {
  name: 'facts-age',
  asked: 'admitted',
  reads: ['history'],
  judge: (situation) => {
    const { facts, rules, now, granted } = situation
    const { maxFactsAge, knownDevice } = rules.onSourceUnavailable
    if (maxFactsAge === undefined || knownDevice === 'allow') return undefined
    // who is let in by no record needs none
    if (facts.device === undefined || granted?.reason === 'grandfathered') return undefined
    const end = facts.device.origin.asOf + maxFactsAge
    if (end > now) {
      endsAt(situation, end)
      return undefined
    }
    const detail = `the facts are of ${timeText(facts.device.origin.asOf)}`
    return notItsFault(situation, verdict(knownDevice, 'facts-stale', detail))
  },
}
