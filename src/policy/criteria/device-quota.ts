import { verdict, type Criterion } from '../criterion.ts'

/**
 * A user may have so many devices with mail: the first ones keep it, one that comes later is refused until one of them
 * was not seen for long enough.
 */
export const deviceQuota: Criterion = {
  name: 'device-quota',
  asked: 'always',
  reads: ['otherDevices', 'history'],
  judge: ({ facts, rules, now }) => {
    const quota = rules.deviceQuota
    if (quota === undefined) return undefined
    const { firstSeenAt = Infinity } = facts.history
    const before = facts.otherDevices.filter(
      (other) => other.firstSeenAt < firstSeenAt && other.lastSeenAt + quota.countedFor > now,
    )
    if (before.length < quota.perUser) return undefined
    // time frees a place when all but `perUser - 1` of them are too long ago
    const ends = before
      .map(({ lastSeenAt }) => lastSeenAt + quota.countedFor)
      .toSorted((one, other) => one - other)
    const answer = verdict(
      quota.action,
      'quota-exceeded',
      `the user has ${before.length} devices, ${quota.perUser} may get mail`,
    )
    return { ...answer, validUntil: ends[before.length - quota.perUser] ?? Infinity }
  },
}
