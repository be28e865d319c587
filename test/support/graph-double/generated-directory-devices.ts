import type { GeneratedDevices } from './generated-devices.ts'
import { guids } from './mix.ts'
import type { Scenario } from './scenario.ts'
import type { Generated } from './table.ts'

const idSalt = 300
const noDevice = '00000000-0000-0000-0000-000000000000'
/** Intune, as the directory names the MDM of a device. */
const intuneAppId = '0000000a-0000-0000-c000-000000000000'

/** The directory's own record of each managed device that has one, with the number of that. */
export function generatedDirectoryDevices(
  { generated: { seed } }: Scenario,
  devices: GeneratedDevices,
): Generated {
  const ids = guids(seed, idSalt)
  const { count, azureADDeviceIdAt, modelAt } = devices
  const text = (property: string, index: number) => devices.fields[property]?.(index) ?? 'null'
  return {
    count,
    exists: (index) => azureADDeviceIdAt(index) !== noDevice,
    fields: {
      id: (index) => `"${ids.at(index)}"`,
      deviceId: (index) => `"${azureADDeviceIdAt(index)}"`,
      displayName: (index) => text('deviceName', index),
      accountEnabled: (index) => String(index % 40 !== 39),
      isCompliant: (index) => {
        const state = text('complianceState', index)
        if (state === '"unknown"') return 'null'
        return String(state === '"compliant"' || state === '"inGracePeriod"')
      },
      isManaged: () => 'true',
      trustType: (index) => {
        if (modelAt(index).operatingSystem !== 'Windows') return '"Workplace"'
        return index % 2 === 0 ? '"AzureAd"' : '"ServerAd"'
      },
      operatingSystem: (index) => text('operatingSystem', index),
      operatingSystemVersion: (index) => text('osVersion', index),
      approximateLastSignInDateTime: (index) => text('lastSyncDateTime', index),
      complianceExpirationDateTime: (index) => text('complianceGracePeriodExpirationDateTime', index),
      mdmAppId: () => `"${intuneAppId}"`,
      profileType: () => '"RegisteredDevice"',
      deviceVersion: () => '2',
    },
    indicesOf: (property, value) => {
      if (property === 'deviceId') return devices.indicesOf('azureADDeviceId', value)
      if (property !== 'id') return undefined
      const index = ids.indexOf(value)
      return index === undefined || index >= count ? [] : [index]
    },
  }
}
