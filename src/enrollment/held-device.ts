import type { Platform } from '#eas/client/platform.ts'
import type { Setting } from '#policy/compliance/checks.ts'
import type { DeviceView } from '#policy/device-view.ts'
import type { Reason } from '#policy/reasons.ts'
import type { PageTexts, StepSystem } from './texts.ts'

const unknown = 'unknown'

/** What names a device. */
export interface NamedDevice {
  /** `iPhone 15`, or Apple's own `iPhone15,4`; undefined where it is not known. */
  readonly model: string | undefined
  readonly platform: Platform
  /** `17.5.1`; undefined where it is not known. */
  readonly osVersion: string | undefined
}

/** What is told of a device that gets no mail now. */
export interface HeldDevice extends NamedDevice {
  readonly reason: Reason
  /** What our own compliance policies ask for and do not find. */
  readonly wanting: readonly Setting[]
}

/** What its user can do. */
export type Guidance = keyof PageTexts['guidance']

const guidanceOfReason: ReadonlyMap<Reason, Guidance> = new Map([
  ['not-enrolled', 'enroll'],
  ['not-registered', 'enroll'],
  ['not-activated', 'enroll'],
  ['noncompliant', 'comply'],
  ['compliance-unknown', 'comply'],
  ['posture-unknown', 'comply'],
  ['no-compliance-policy', 'comply'],
  ['facts-stale', 'comply'],
  ['jailbroken', 'restore'],
  ['unsupported-platform', 'update'],
  ['device-rule', 'update'],
  ['protocol-too-old', 'update'],
  ['client-not-allowed', 'app'],
  ['quota-exceeded', 'remove'],
  ['source-unavailable', 'wait'],
])

/** For a reason without steps of its own somebody else is asked. */
export function guidanceOf(reason: Reason): Guidance {
  return guidanceOfReason.get(reason) ?? 'support'
}

/** The steps to take, for the system of the device where they differ. */
export function stepsFor({ reason, platform }: HeldDevice, { guidance }: PageTexts): readonly string[] {
  const steps = guidance[guidanceOf(reason)]
  return 'other' in steps ? steps[stepSystemOf(platform)] : steps
}

function stepSystemOf(platform: Platform): StepSystem {
  return platform === 'iOS' || platform === 'Android' || platform === 'Windows' ? platform : 'other'
}

/** What record and client show of a device, as far as it names it. */
export function namedDevice({ model, platform, osVersion }: DeviceView): NamedDevice {
  return { model: model === unknown ? undefined : model, platform, osVersion }
}

/** As its user knows it: nobody has learnt Apple's own numbers. Undefined where it is not known. */
export function modelName({ model }: NamedDevice): string | undefined {
  return model?.replace(/^(iPhone|iPad|iPod)\d+,\d+$/, '$1')
}

/** Systems whose name is not the word for their platform. */
const systemNames: Partial<Readonly<Record<Platform, string>>> = {
  WindowsPhone: 'Windows Phone',
  WindowsMobile: 'Windows Mobile',
}

/** `iOS 17.5.1`; undefined where the system is not known. */
export function systemName({ model, platform, osVersion }: NamedDevice): string | undefined {
  if (platform === unknown) return undefined
  const name = model?.startsWith('iPad') === true ? 'iPadOS' : (systemNames[platform] ?? platform)
  return osVersion === undefined ? name : `${name} ${osVersion}`
}
