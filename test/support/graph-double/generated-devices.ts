import models from './device-models.json' with { type: 'json' }
import { generatedDates } from './generated-dates.ts'
import type { GeneratedUsers } from './generated-users.ts'
import { guids, hex4, hex8, mix, pick, spread } from './mix.ts'
import type { Scenario } from './scenario.ts'
import type { Generated } from './table.ts'

// of a hundred records each; scenario.ts says what goes by number
const complianceStates = spread({
  compliant: 80,
  noncompliant: 8,
  inGracePeriod: 4,
  unknown: 3,
  conflict: 1,
  error: 1,
  configManager: 2,
  unknownFutureValue: 1,
})
const agents = spread({
  mdm: 70,
  easMdm: 8,
  intuneClient: 6,
  easIntuneClient: 2,
  configurationManagerClient: 2,
  configurationManagerClientMdm: 2,
  configurationManagerClientMdmEas: 2,
  jamf: 2,
  googleCloudDevicePolicyController: 4,
  unknown: 1,
  unknownFutureValue: 1,
})
const registrationStates = spread({
  registered: 90,
  notRegistered: 2,
  revoked: 1,
  keyConflict: 1,
  approvalPending: 1,
  certificateReset: 1,
  notRegisteredPendingEnrollment: 2,
  unknown: 1,
  unknownFutureValue: 1,
})
const accessStates = spread({ none: 60, unknown: 5, allowed: 25, blocked: 5, quarantined: 5 })
const accessReasons = spread({
  none: 60,
  unknown: 4,
  exchangeGlobalRule: 2,
  exchangeIndividualRule: 2,
  exchangeDeviceRule: 2,
  exchangeUpgrade: 1,
  exchangeMailboxPolicy: 2,
  other: 2,
  compliant: 15,
  notCompliant: 3,
  notEnrolled: 2,
  unknownLocation: 1,
  mfaRequired: 1,
  azureADBlockDueToAccessPolicy: 1,
  compromisedPassword: 1,
  deviceNotKnownWithManagedApp: 1,
})
const threatStates = spread({
  unknown: 60,
  activated: 5,
  deactivated: 3,
  secured: 20,
  lowSeverity: 4,
  mediumSeverity: 2,
  highSeverity: 1,
  unresponsive: 3,
  compromised: 1,
  misconfigured: 1,
})
const owners = spread({ company: 60, personal: 35, unknown: 5 })
const jailBroken = spread({ False: 85, True: 2, Unknown: 13 })

interface Model extends Omit<(typeof models)[number], 'share'> {}
const modelOfHundred: readonly Model[] = models.flatMap(({ share, ...model }) =>
  Array<Model>(share).fill(model),
)
const [firstModel] = modelOfHundred

const zeroId = '00000000-0000-0000-0000-000000000000'
const base32 = '0123456789ABCDEFGHIJKLMNOPQRSTUV'

/** One number a property, so that no two of them go together. */
const salts = {
  id: 200,
  directoryId: 210,
  hyphens: 215,
  model: 220,
  osVersion: 221,
  serial: 222,
  eas: 223,
  imei: 224,
  compliance: 225,
  agent: 226,
  registration: 227,
  access: 228,
  reason: 229,
  threat: 230,
  owner: 231,
  jailBroken: 232,
  flags: 233,
  grace: 234,
  activation: 235,
  exchangeSync: 236,
  enrolled: 237,
  lastSync: 238,
} as const

/** Generated managed devices, and what their directory devices are made of. */
export interface GeneratedDevices extends Generated {
  readonly modelAt: (index: number) => Model
  readonly deviceNameAt: (index: number) => string
  readonly azureADDeviceIdAt: (index: number) => string
  /** Numbers of the devices of a generated user. */
  readonly ofUser: (userIndex: number) => readonly number[]
}

/** Devices as scenario.ts tells them. */
export function generatedDevices(
  { generated: { devices, users: userCount, seed, asOf } }: Scenario,
  users: GeneratedUsers,
): GeneratedDevices {
  const ids = guids(seed, salts.id)
  const directoryIds = guids(seed, salts.directoryId)
  const hyphenIds = guids(seed, salts.hyphens)
  const dates = generatedDates(asOf)
  const draw = (salt: keyof typeof salts, index: number) => mix(seed, salts[salt], index)
  const userOf = (index: number) => deviceOf(index) % userCount

  const modelAt = (index: number): Model => {
    const device = deviceOf(index)
    // a phone or tablet beside a record of Exchange
    const drawn = draw('model', device) % (device % 25 === 23 ? 85 : 100)
    const model = modelOfHundred[drawn] ?? firstModel
    if (model === undefined) throw new Error('no models')
    return model
  }
  const serialAt = (index: number) =>
    `${hex8(draw('serial', index)).toUpperCase()}${hex4(index).toUpperCase()}`

  const easDeviceIdAt = (index: number): string | null => {
    if (isExchangeRecord(index)) return easDeviceIdAt(index - 1)?.toLowerCase() ?? null
    const { operatingSystem, manufacturer } = modelAt(index)
    if (operatingSystem === 'macOS') return null
    if (index % 10 === 3 && index % 25 !== 23) return index % 20 === 3 ? '' : null
    const bits = draw('eas', index)
    if (index % 10 === 5) return hyphenIds.at(index)
    if (operatingSystem === 'iOS') return bits % 5 === 0 ? `Appl${serialAt(index)}` : appleId(bits, index)
    if (operatingSystem === 'Windows')
      return `${hex8(bits)}${hex8(~bits)}${hex8(index)}${hex8(~index)}`.toUpperCase()
    return manufacturer === 'samsung'
      ? `SEC${hex8(bits).toUpperCase()}${hex8(index).toUpperCase()}`
      : `androidc${bits}${index}`
  }
  const registrationAt = (index: number) =>
    isExchangeRecord(index) ? '"notRegistered"' : pick(registrationStates, draw('registration', index))
  const azureADDeviceIdAt = (index: number) =>
    registrationAt(index) === '"notRegistered"' ? zeroId : directoryIds.at(index)
  const complianceAt = (index: number) =>
    isExchangeRecord(index) ? '"unknown"' : pick(complianceStates, draw('compliance', index))
  const deviceNameAt = (index: number) => {
    const { model } = modelAt(index)
    return index % 4 === 0 ? `${users.displayNameAt(userOf(index))}’s ${model}` : `${model} (${index})`
  }
  const flag = (bit: number) => (index: number) => String((draw('flags', index) & bit) !== 0)
  const ofUser = (userIndex: number): readonly number[] => {
    const indices: number[] = []
    for (let index = userIndex; index < devices; index += userCount) {
      if (isExchangeRecord(index) || !hasUser(index)) continue
      indices.push(index)
      if (isExchangeRecord(index + 1) && index + 1 < devices) indices.push(index + 1)
    }
    return indices
  }
  const ofUserAt = (index: number, text: (userIndex: number) => string | null) =>
    hasUser(index) ? JSON.stringify(text(userOf(index)) ?? '') : '""'

  return {
    count: devices,
    exists: () => true,
    modelAt,
    deviceNameAt,
    azureADDeviceIdAt,
    ofUser,
    fields: {
      id: (index) => `"${ids.at(index)}"`,
      userId: (index) => ofUserAt(index, users.idAt),
      userPrincipalName: (index) => ofUserAt(index, users.userPrincipalNameAt),
      emailAddress: (index) => ofUserAt(index, users.mailAt),
      deviceName: (index) => JSON.stringify(deviceNameAt(index)),
      operatingSystem: (index) => `"${modelAt(index).operatingSystem}"`,
      osVersion: (index) => {
        const { osVersions } = modelAt(index)
        return `"${pick(osVersions, draw('osVersion', deviceOf(index)))}"`
      },
      model: (index) => `"${modelAt(index).model}"`,
      manufacturer: (index) => `"${modelAt(index).manufacturer}"`,
      serialNumber: (index) => (isExchangeRecord(index) ? '""' : `"${serialAt(index)}"`),
      imei: (index) => (index % 3 === 0 ? '""' : `"35${String(draw('imei', index)).padStart(13, '0')}"`),
      jailBroken: (index) => pick(jailBroken, draw('jailBroken', index)),
      isEncrypted: flag(6),
      isSupervised: flag(8),
      managedDeviceOwnerType: (index) => pick(owners, draw('owner', index)),
      managementAgent: (index) => (isExchangeRecord(index) ? '"eas"' : pick(agents, draw('agent', index))),
      complianceState: complianceAt,
      complianceGracePeriodExpirationDateTime: (index) =>
        complianceAt(index) === '"inGracePeriod"' ? dates.after(draw('grace', index)) : dates.never,
      easActivated: flag(16),
      easDeviceId: (index) => JSON.stringify(easDeviceIdAt(index)),
      easActivationDateTime: (index) => dates.perhaps(draw('activation', index)),
      azureADRegistered: (index) => (index % 3 === 0 ? 'null' : flag(96)(index)),
      azureADDeviceId: (index) => `"${azureADDeviceIdAt(index)}"`,
      deviceRegistrationState: registrationAt,
      deviceEnrollmentType: (index) =>
        isExchangeRecord(index) ? '"unknown"' : `"${modelAt(index).deviceEnrollmentType}"`,
      exchangeLastSuccessfulSyncDateTime: (index) => dates.perhaps(draw('exchangeSync', index)),
      exchangeAccessState: (index) => pick(accessStates, draw('access', index)),
      exchangeAccessStateReason: (index) => pick(accessReasons, draw('reason', index)),
      enrolledDateTime: (index) =>
        isExchangeRecord(index) ? dates.year1 : dates.fraction(draw('enrolled', index)),
      lastSyncDateTime: (index) => {
        if (index % 50 === 7) return 'null'
        return index % 50 === 8 ? dates.year1 : dates.before(draw('lastSync', index))
      },
      partnerReportedThreatState: (index) => pick(threatStates, draw('threat', index)),
    },
    latest: { lastSyncDateTime: Date.parse(asOf) },
    indicesOf: (property, value) => {
      if (property === 'userId' && value !== '') return users.indicesOf('id', value)?.flatMap(ofUser)
      if (property === 'userPrincipalName' && value !== '')
        return users.indicesOf(property, value)?.flatMap(ofUser)
      const id = { id: ids, azureADDeviceId: directoryIds }[property]
      if (id === undefined || value === zeroId) return undefined
      const index = id.indexOf(value)
      return index === undefined || index >= devices ? [] : [index]
    },
  }
}

function isExchangeRecord(index: number): boolean {
  return index % 25 === 24
}

/** The device that Exchange saw, for a record of Exchange. */
function deviceOf(index: number): number {
  return isExchangeRecord(index) ? index - 1 : index
}

function hasUser(index: number): boolean {
  return index % 100 !== 42
}

/** 26 characters of base32hex, as Apple's Mail has them since iOS 8. */
function appleId(bits: number, index: number): string {
  let id = ''
  for (let at = 0; at < 26; at++) {
    const part = at < 6 ? bits >>> (5 * at) : at < 12 ? index >>> (5 * (at - 6)) : mix(bits, at, index)
    id += base32[part & 31]
  }
  return id
}
