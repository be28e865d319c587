import { sourcesUnread, verdict, type Criterion } from '../criterion.ts'

/**
 * Online, the device must be registered in the directory and tied to its EAS id. A missing fact is not a
 * registration. facts.md 1.3
 */
export const registered: Criterion = {
  name: 'registered',
  judge: ({ facts, rules }) => {
    if (!rules.requireRegistration) return undefined
    const { device } = facts
    if (device?.registered === undefined && !facts.sourcesComplete) return sourcesUnread
    if (device?.registered !== true) {
      return verdict(rules.notRegistered, 'not-registered', 'the device is not registered in the directory')
    }
    if (device.activated === false) {
      return verdict(rules.notRegistered, 'not-activated', 'the EAS id is not tied to the registered device')
    }
    return undefined
  },
}
