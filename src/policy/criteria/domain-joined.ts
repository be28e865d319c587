import { grant, sourcesUnread, verdict, type Criterion } from '../criterion.ts'

const joined = grant('admitted', 'domain-joined', 'the PC is joined to the domain')

/** A PC must be joined to the domain, or compliant, or one of the two, by setting. facts.md 1.3 */
export const domainJoined: Criterion = {
  name: 'domain-joined',
  asked: 'judged',
  reads: ['platform', 'domainJoined', 'history'],
  judge: (situation) => {
    const { facts, rules, device } = situation
    if (rules.windows === 'compliant' || device.platform !== 'Windows') return undefined
    // what a client says of itself opens nothing
    if (device.platformOnRecord && facts.device?.domainJoined === true) return joined
    if (rules.windows === 'either') return undefined
    if (facts.device?.domainJoined === undefined && !facts.sourcesComplete) return sourcesUnread(situation)
    return verdict(
      rules.noncompliant,
      'noncompliant',
      'no record says of this PC that it is joined to the domain',
    )
  },
}
