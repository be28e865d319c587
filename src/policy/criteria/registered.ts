import { sourcesUnread, verdict, type Criterion, type Situation } from '../criterion.ts'
import { isRegistered } from '../managed.ts'

/**
 * Online, the device must be registered in the directory and, a phone, tied to its EAS id: nothing ties a Windows PC. A
 * missing fact is not a registration. facts.md 1.3
 */
export const registered: Criterion = {
  name: 'registered',
  asked: 'judged',
  reads: ['registered', 'registrationState', 'activated', 'platform', 'history'],
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
    const isTied = device?.activated !== false || isWindowsOnRecord(situation)
    if (!isTied) {
      return verdict(rules.notActivated, 'not-activated', 'the EAS id is not tied to the registered device')
    }
    return undefined
  },
}

function isWindowsOnRecord({ device }: Situation): boolean {
  return device.platformOnRecord && (device.platform === 'Windows' || device.platform === 'WindowsPhone')
}
