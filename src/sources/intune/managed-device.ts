import { isDeviceId } from '#eas/device-id.ts'
import { platformFamily } from '#eas/client/platform.ts'
import type { MatchKey } from '#config/intune-source.ts'
import type { DeviceFacts } from '#policy/facts.ts'
import { enrolledByAgent, registeredByState } from '#policy/graph-states.ts'
import type { SourceDevice } from '#directory/sweep-devices.ts'
import {
  description,
  enumWord,
  flag,
  guidOf,
  isObject,
  MalformedField,
  text,
  time,
  userName,
} from './fields.ts'
import type { JsonObject } from './fields.ts'
import { shown } from './graph-error.ts'

/** The properties of a managedDevice that are asked for. facts.md 4 */
export const managedDeviceProperties = [
  'id',
  'userId',
  'userPrincipalName',
  'operatingSystem',
  'osVersion',
  'model',
  'serialNumber',
  'jailBroken',
  'isEncrypted',
  'managedDeviceOwnerType',
  'managementAgent',
  'complianceState',
  'complianceGracePeriodExpirationDateTime',
  'easDeviceId',
  'azureADDeviceId',
  'deviceRegistrationState',
  'lastSyncDateTime',
  'partnerReportedThreatState',
] as const

/** A managed device whose user can be told. */
export interface ManagedDevice {
  readonly recordId: string
  /** Id of the user in Entra; absent where the record has none. */
  readonly userId?: string
  /** UPN as Intune has it, lower case; a renamed user may have another by now. */
  readonly user?: string
  readonly azureADDeviceId?: string
  /** What the phone may present, best first; empty where the record has no id that a phone could. */
  readonly deviceIds: readonly string[]
  readonly facts: DeviceFacts
}

/** A record that could not be read. */
export interface MalformedRecord {
  /** Its id, as far as it has one. */
  readonly id: string
  readonly field: string
  readonly message: string
}

export type ReadManagedDevice = { readonly device: ManagedDevice } | { readonly malformed: MalformedRecord }

/** Reads a managedDevice. A field that is not what the documentation says makes the record malformed. */
export function readManagedDevice(value: unknown, matchBy: readonly MatchKey[]): ReadManagedDevice {
  if (!isObject(value)) return { malformed: { id: '', field: '', message: 'expected an object' } }
  try {
    const recordId = guidOf(value, 'id')
    if (recordId === undefined) throw new MalformedField('id', 'a GUID')
    const userId = guidOf(value, 'userId')
    const user = userName(value, 'userPrincipalName')
    const azureADDeviceId = guidOf(value, 'azureADDeviceId')
    const deviceIds = matchBy.flatMap((key) => idOf(value, key) ?? []).filter(isDeviceId)
    return {
      device: {
        recordId,
        ...(userId === undefined ? undefined : { userId }),
        ...(user === undefined ? undefined : { user }),
        ...(azureADDeviceId === undefined ? undefined : { azureADDeviceId }),
        deviceIds: [...new Set(deviceIds)],
        facts: factsOf(value),
      },
    }
  } catch (error) {
    if (!(error instanceof MalformedField)) throw error
    const { id } = value
    return {
      malformed: { id: typeof id === 'string' ? shown(id) : '', field: error.field, message: error.message },
    }
  }
}

/** The device as the store holds it, under the user who owns it; undefined where no phone could present it. */
export function sourceDevice(device: ManagedDevice, owner: string): SourceDevice | undefined {
  const [deviceId, ...otherIds] = device.deviceIds
  if (deviceId === undefined) return undefined
  return { user: owner, deviceId, otherIds, recordId: device.recordId, facts: device.facts }
}

function idOf(record: JsonObject, key: MatchKey): string | undefined {
  switch (key) {
    case 'easDeviceId':
      return text(record, 'easDeviceId')
    case 'managedDeviceId':
      return guidOf(record, 'id')
    case 'azureADDeviceId':
      return guidOf(record, 'azureADDeviceId')
    case 'serialNumber':
      return serialId(record)
  }
}

/** Apple's Mail of old presents `Appl` and the serial number; others can be made to present the number itself. */
function serialId(record: JsonObject): string | undefined {
  const serialNumber = text(record, 'serialNumber')
  if (serialNumber === undefined) return undefined
  return platformFamily(text(record, 'operatingSystem') ?? '') === 'apple'
    ? `Appl${serialNumber}`
    : serialNumber
}

const jailBroken: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['false', false],
])

/**
 * What the record says of the device. `easActivated` and `azureADRegistered` are not among it: they are false on good
 * devices, so they say nothing. A device is activated where a record that is enrolled carries its id. facts.md 4
 */
function factsOf(record: JsonObject): DeviceFacts {
  const managementAgent = enumWord(record, 'managementAgent')
  const registrationState = enumWord(record, 'deviceRegistrationState')
  const enrolled = managementAgent === undefined ? undefined : enrolledByAgent(managementAgent)
  const facts: Partial<Record<keyof DeviceFacts, string | number | boolean | undefined>> = {
    enrolled,
    registered: registrationState === undefined ? undefined : registeredByState(registrationState),
    activated: enrolled === true ? true : undefined,
    complianceState: enumWord(record, 'complianceState'),
    graceUntil: time(record, 'complianceGracePeriodExpirationDateTime'),
    platform: description(record, 'operatingSystem'),
    osVersion: description(record, 'osVersion'),
    model: description(record, 'model'),
    ownership: enumWord(record, 'managedDeviceOwnerType'),
    jailbroken: jailBroken.get((text(record, 'jailBroken') ?? '').toLowerCase()),
    encrypted: flag(record, 'isEncrypted'),
    lastCheckIn: time(record, 'lastSyncDateTime'),
    registrationState,
    managementAgent,
    threatState: enumWord(record, 'partnerReportedThreatState'),
  }
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined))
}
