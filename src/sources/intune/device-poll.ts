import type { IntuneContext } from './context.ts'
import type { DeviceRecords } from './device-records.ts'
import { optionsOf, type DirectoryDevices } from './directory-devices.ts'
import { graphCalls } from './graph-calls.ts'
import { managedDeviceProperties } from './managed-device.ts'
import { pages } from './pages.ts'
import { countMalformed } from './report-malformed.ts'

/** Reads the devices that checked in since the last reading. */
export interface DevicePoll {
  read(signal: AbortSignal): Promise<void>
  /** Reads single devices by their id in the directory. */
  readByDirectoryId(ids: readonly string[], signal: AbortSignal): Promise<void>
}

/** Graph shows a check-in some time after it; its clock and ours may differ. */
const overlapMs = 300_000
/** Devices that are asked for one by one; of more, the next reading of everything tells. */
const maxSingle = 50

/**
 * There is no feed of changes of managed devices, so those are asked for whose last check-in is recent. Graph is known
 * to ignore a filter without a word and to list everything: each record is checked here, and a list that holds others is
 * not followed. facts.md 5
 */
export function createDevicePoll(
  { store, client, name, settings, log, now }: IntuneContext,
  records: DeviceRecords,
  directory: DirectoryDevices,
): DevicePoll {
  let readFrom = now() - overlapMs
  let hasToldOfFilter = false

  async function readMatching(
    filter: string,
    isWanted: (record: unknown) => boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    const malformed = countMalformed({ name, log }, 'managed devices')
    const url = client.urlOf('/deviceManagement/managedDevices', {
      $filter: filter,
      $select: managedDeviceProperties.join(','),
      $top: String(settings.pageSize),
    })
    const request = {
      call: graphCalls.managedDevices,
      url,
      priority: 'low',
      signal,
      stamp: () => undefined,
    } as const
    for await (const { items } of pages(client, request)) {
      const wanted = items.filter(isWanted)
      await store.putDevices(name, records.devicesOf(wanted, malformed), optionsOf(directory))
      if (wanted.length < items.length) {
        if (!hasToldOfFilter)
          log.warn({ source: name, filter }, 'Graph ignores a filter; changes are seen by full readings')
        hasToldOfFilter = true
        return false
      }
    }
    return true
  }

  return {
    async read(signal) {
      const startedAt = now()
      const from = readFrom
      const isRecent = (record: unknown): boolean => timeIn(record, 'lastSyncDateTime') >= from
      await readMatching(`lastSyncDateTime ge ${new Date(from).toISOString()}`, isRecent, signal)
      readFrom = startedAt - overlapMs
    },

    async readByDirectoryId(ids, signal) {
      for (const id of ids.slice(0, maxSingle)) {
        const isIt = (record: unknown): boolean => valueIn(record, 'azureADDeviceId') === id
        if (!(await readMatching(`azureADDeviceId eq '${id}'`, isIt, signal))) return
      }
    },
  }
}

function valueIn(record: unknown, field: string): string | undefined {
  const value =
    typeof record === 'object' && record !== null ? (record as Record<string, unknown>)[field] : undefined
  return typeof value === 'string' ? value.toLowerCase() : undefined
}

/** Not a number, which is never recent, where there is none. */
function timeIn(record: unknown, field: string): number {
  return Date.parse(valueIn(record, field)?.toUpperCase() ?? '')
}
