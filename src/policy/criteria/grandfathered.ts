import { grant, timeText, type Criterion } from '../criterion.ts'

/** Devices that were there before the policy go on until a date, so that their users have time to enrol. */
export const grandfathered: Criterion = {
  name: 'grandfathered',
  asked: 'judged',
  reads: ['history'],
  judge: (situation) => {
    const { facts, rules, now } = situation
    const { grandfathered: period } = rules
    const { firstSeenAt } = facts.history
    if (period === undefined || firstSeenAt === undefined || !(period.until > now)) return undefined
    if (!(firstSeenAt < period.seenBefore)) return undefined
    return grant('admitted', 'grandfathered', `first seen ${timeText(firstSeenAt)}`, period.until)
  },
}
