import { verdict, type Criterion } from '../criterion.ts'

const noSource = verdict(
  'unavailable',
  'source-unavailable',
  'no record of this device, and not every source was read completely yet',
)

/**
 * Managed, by a record that matches this user and this device id. Before every source was read once, an absence
 * proves nothing and the phone is asked to come back. facts.md 1.2 step 2, 1.3; T-57
 */
export const enrolled: Criterion = {
  name: 'enrolled',
  judge: ({ request, facts, rules }) => {
    if (facts.device?.enrolled === true) return undefined
    if (facts.device !== undefined) {
      return verdict(rules.notEnrolled, 'not-enrolled', 'the record of this device says it is not enrolled')
    }
    if (!facts.sourcesComplete) return noSource
    if (request.service === 'online' && facts.userHasEnrolledDevice) {
      return verdict(
        rules.notEnrolled,
        'not-activated',
        'the user has enrolled devices, none with this EAS id',
      )
    }
    return verdict(rules.notEnrolled, 'not-enrolled', 'no record of this device')
  },
}
