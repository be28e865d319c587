import { sourcesUnread, verdict, type Criterion } from '../criterion.ts'

/** Managed, by a record that matches this user and this device id. facts.md 1.2 step 2, 1.3 */
export const enrolled: Criterion = {
  name: 'enrolled',
  judge: ({ request, facts, rules }) => {
    const { device } = facts
    if (device?.enrolled === true) return undefined
    if (device?.enrolled === false) {
      return verdict(rules.notEnrolled, 'not-enrolled', 'the record of this device says it is not enrolled')
    }
    if (!facts.sourcesComplete) return sourcesUnread
    if (device === undefined && request.service === 'online' && facts.userHasEnrolledDevice) {
      return verdict(
        rules.notEnrolled,
        'not-activated',
        'the user has enrolled devices, none with this EAS id',
      )
    }
    return verdict(rules.notEnrolled, 'not-enrolled', 'no record says that this device is enrolled')
  },
}
