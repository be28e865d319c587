/**
 * The words of Microsoft Graph as facts. Its enums are evolvable: a word that is not here is undefined, which is a
 * missing fact and never an allow. facts.md 3
 */

const enrolledAgents: ReadonlyMap<string, boolean> = new Map([
  // seen by Exchange, managed by nobody
  ['eas', false],
  ['mdm', true],
  ['easMdm', true],
  ['intuneClient', true],
  ['easIntuneClient', true],
  ['configurationManagerClient', true],
  ['configurationManagerClientMdm', true],
  ['configurationManagerClientMdmEas', true],
  ['jamf', true],
  ['googleCloudDevicePolicyController', true],
])

/** Whether a managementAgent manages the device. `unknown` does not tell. */
export function enrolledByAgent(managementAgent: string): boolean | undefined {
  return enrolledAgents.get(managementAgent)
}

const registrationStates: ReadonlyMap<string, boolean> = new Map([
  ['registered', true],
  ['notRegistered', false],
  ['revoked', false],
  ['keyConflict', false],
  ['approvalPending', false],
  ['certificateReset', false],
  ['notRegisteredPendingEnrollment', false],
])

/** Whether a deviceRegistrationState is a registration. `unknown` does not tell. */
export function registeredByState(deviceRegistrationState: string): boolean | undefined {
  return registrationStates.get(deviceRegistrationState)
}
