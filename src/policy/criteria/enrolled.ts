import { sourcesUnread, verdict, type Criterion } from '../criterion.ts'
import { isEnrolled } from '../managed.ts'

/** Managed, by a record that matches this user and this device id. facts.md 1.2 step 2, 1.3 */
export const enrolled: Criterion = {
  name: 'enrolled',
  asked: 'judged',
  reads: ['enrolled', 'managementAgent', 'userHasEnrolledDevice', 'history'],
  judge: (situation) => {
    const { request, facts, rules } = situation
    const { device } = facts
    switch (isEnrolled(device)) {
      case true:
        return undefined
      case false:
        return verdict(rules.notEnrolled, 'not-enrolled', 'the record of this device says it is not enrolled')
      default:
        break
    }
    if (!facts.sourcesComplete) return sourcesUnread(situation)
    if (device === undefined && request.service === 'online' && facts.userHasEnrolledDevice) {
      return verdict(
        rules.notActivated,
        'not-activated',
        'the user has enrolled devices, none with this EAS id',
      )
    }
    return verdict(rules.notEnrolled, 'not-enrolled', 'no record says that this device is enrolled')
  },
}
