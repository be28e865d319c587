import type { SourceDevice } from '#directory/sweep-devices.ts'
import type { IntuneContext } from './context.ts'
import type { DirectoryDevices } from './directory-devices.ts'
import { readManagedDevice, sourceDevice, type ManagedDevice } from './managed-device.ts'
import type { MalformedCount } from './report-malformed.ts'

/** Turns records of Graph into devices of the store. */
export interface DeviceRecords {
  /** Those of a page that can be told; records without a user, or without an id that a phone presents, are nobody's. */
  devicesOf(items: readonly unknown[], malformed: MalformedCount): readonly SourceDevice[]
  /** The same of one record; `owner` where it is known better than by the record. */
  deviceOf(device: ManagedDevice, owner?: string): SourceDevice | undefined
}

export function createDeviceRecords(
  { store, settings }: Pick<IntuneContext, 'store' | 'settings'>,
  directory: DirectoryDevices,
): DeviceRecords {
  /** The id of the user leads to the UPN of today, also where the record still has that of yesterday. */
  function ownerOf({ userId, user }: ManagedDevice): string | undefined {
    return (userId === undefined ? undefined : store.resolve(userId)) ?? user
  }

  function deviceOf(device: ManagedDevice, owner = ownerOf(device)): SourceDevice | undefined {
    if (owner === undefined) return undefined
    return sourceDevice({ ...device, facts: directory.factsOf(device) }, owner)
  }

  return {
    deviceOf,
    devicesOf: (items, malformed) =>
      items.flatMap((item) => {
        const read = readManagedDevice(item, settings.matchBy)
        if ('device' in read) return deviceOf(read.device) ?? []
        malformed.add(read.malformed)
        return []
      }),
  }
}
