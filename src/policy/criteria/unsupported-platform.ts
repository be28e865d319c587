import { compareVersions } from '#eas/client/os-version.ts'
import { grant, verdict, type Criterion, type Situation, type Verdict } from '../criterion.ts'
import { isEnrolled } from '../managed.ts'
import { platformSupport } from '../platform-support.ts'

/**
 * A platform that no MDM can manage is a choice of its own, as enrolling would not help its user. A device that is on
 * record as enrolled is evidently managed; then only its version is asked. facts.md 1.3, 9
 */
export const unsupportedPlatform: Criterion = {
  name: 'unsupported-platform',
  asked: 'judged',
  reads: ['platform', 'osVersion', 'enrolled', 'managementAgent', 'domainJoined'],
  judge: (situation) => {
    const { request, facts, device, version, rules } = situation
    if (device.platform === 'unknown') return undefined
    const support = platformSupport.get(device.platform)
    if (support === undefined) {
      return isEnrolled(facts.device) === true
        ? undefined
        : unsupported(situation, `${device.platform} is not managed`)
    }
    const joined = facts.device?.domainJoined === true && rules.windows !== 'compliant'
    const oldest =
      (joined && request.service === 'online' ? support.domainJoined : undefined) ?? support[request.service]
    if (version === undefined || compareVersions(version, oldest) >= 0) return undefined
    return unsupported(situation, `${device.platform} ${version.join('.')} is older than ${oldest.join('.')}`)
  },
}

/** An allow is for what cannot be managed at all: an enrolled device goes on to the other questions. */
function unsupported({ rules, facts }: Situation, detail: string): Verdict | undefined {
  const action = rules.unsupportedPlatforms
  if (action !== 'allow') return verdict(action, 'unsupported-platform', detail)
  return isEnrolled(facts.device) === true ? undefined : grant('admitted', 'unsupported-platform', detail)
}
