import { enrolledByAgent, registeredByState } from './graph-states.ts'
import type { DeviceFacts } from './facts.ts'

/**
 * Whether a record says that the device is enrolled; undefined where it does not tell. Where `enrolled` and the
 * management agent contradict each other, the device is not. facts.md 3
 */
export function isEnrolled(device: DeviceFacts | undefined): boolean | undefined {
  const byAgent = device?.managementAgent === undefined ? undefined : enrolledByAgent(device.managementAgent)
  if (device?.enrolled === false || byAgent === false) return false
  return device?.enrolled ?? byAgent
}

/** Whether a record says that the device is registered in the directory; the same for its registration state. */
export function isRegistered(device: DeviceFacts | undefined): boolean | undefined {
  const byState =
    device?.registrationState === undefined ? undefined : registeredByState(device.registrationState)
  if (device?.registered === false || byState === false) return false
  return device?.registered ?? byState
}
