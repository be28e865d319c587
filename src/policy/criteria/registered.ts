import { sourcesUnread, verdict, type Criterion } from '../criterion.ts'
import { isRegistered } from '../managed.ts'

/**
 * Online, the device must be registered in the directory and tied to its EAS id. A missing fact is not a
 * registration. facts.md 1.3
 */
export const registered: Criterion = {
  name: 'registered',
  asked: 'judged',
  reads: ['registered', 'registrationState', 'activated'],
  judge: (situation) => {
    const { facts, rules } = situation
    if (!rules.requireRegistration) return undefined
    const { device } = facts
    const known = isRegistered(device)
    if (known === undefined && !facts.sourcesComplete) return sourcesUnread(situation)
    if (known !== true) {
      const state = device?.registrationState ?? 'missing'
      return verdict(
        rules.notRegistered,
        'not-registered',
        `the device is not registered in the directory, registrationState is ${state}`,
      )
    }
    if (device?.activated === false) {
      return verdict(rules.notActivated, 'not-activated', 'the EAS id is not tied to the registered device')
    }
    return undefined
  },
}
