import type { DeviceSweep, UnlistedDevice } from '#directory/sweep-devices.ts'
import { allowedDrop } from '../allowed-drop.ts'
import { dropText, type IntuneContext } from './context.ts'
import type { DeviceRecords } from './device-records.ts'
import { optionsOf, type DirectoryDevices } from './directory-devices.ts'
import { graphCalls } from './graph-calls.ts'
import { isNotFound, reasonOf } from './graph-error.ts'
import { managedDeviceProperties, readManagedDevice } from './managed-device.ts'
import { pages } from './pages.ts'
import { countMalformed } from './report-malformed.ts'

/** What a reading of all managed devices came to. */
export interface SweptDevices {
  readonly records: number
  readonly faults: number
  /** Rows that no page listed, and that are kept because nothing else says that they are gone. */
  readonly kept: number
  /** Why they are kept, where that is worth an alarm. */
  readonly error?: string
}

export interface DeviceSweepDeps {
  readonly records: DeviceRecords
  readonly directory: DirectoryDevices
  /** Told after each page. */
  readonly onProgress: (records: number) => void
  readonly signal: AbortSignal
}

/** Absences that are looked into after one reading; the others wait for the next. At 60 a second: half a minute. */
const maxConfirmations = 2000
const parallelConfirmations = 4

/**
 * Reads all managed devices, page by page. Bulk lists are known to miss devices without an error, so an absence revokes
 * nothing by itself: Graph is asked for the one record, and only its 404 does. A list that lacks far too many is not
 * believed at all. facts.md 4, 5
 */
export async function sweepManagedDevices(
  context: IntuneContext,
  deps: DeviceSweepDeps,
): Promise<SweptDevices> {
  const { store, client, name, settings, log } = context
  const { records, directory, onProgress, signal } = deps
  const malformed = countMalformed(context, 'managed devices')
  const sweep = store.sweepDevices(name, optionsOf(directory))
  const request = {
    call: graphCalls.managedDevices,
    url: client.urlOf('/deviceManagement/managedDevices', {
      $select: managedDeviceProperties.join(','),
      $top: String(settings.pageSize),
    }),
    priority: 'low',
    signal,
    stamp: () => store.currentRevision(),
  } as const
  let read = 0
  for await (const page of pages(client, request)) {
    await sweep.add(records.devicesOf(page.items, malformed), page.stamp)
    read += page.items.length
    onProgress(read)
  }

  const faults = malformed.count
  let unlisted = await sweep.unlisted(maxConfirmations)
  const allowed = allowedDrop(unlisted.known, settings.maxDrop)
  if (unlisted.count > allowed) {
    await sweep.removeMoved()
    unlisted = await sweep.unlisted(maxConfirmations)
  }
  if (unlisted.count > allowed) {
    const error = dropText('managed devices', unlisted.count, unlisted.known)
    log.error({ source: name, missing: unlisted.count, known: unlisted.known }, error)
    await sweep.finish({ outcome: 'partial', faults, error })
    return { records: read, faults, kept: unlisted.count, error }
  }
  const removed = await confirmAbsences(context, deps, sweep, unlisted.rows)
  const areUsersKnown = store.partCompleteAt(name, 'users') !== undefined
  await sweep.finish({ outcome: areUsersKnown ? 'complete' : 'partial', faults })
  store.setPartComplete(name, 'devices')
  return { records: read, faults, kept: unlisted.count - removed }
}

/** Asks for each record by its id. Gives how many are gone. */
async function confirmAbsences(
  context: IntuneContext,
  { records, directory, signal }: DeviceSweepDeps,
  sweep: DeviceSweep,
  rows: readonly UnlistedDevice[],
): Promise<number> {
  const { client, store, name, settings, log } = context
  let removed = 0
  let failure: unknown

  async function confirm(row: UnlistedDevice): Promise<void> {
    const recordId = row.record_id ?? ''
    const url = client.urlOf(`/deviceManagement/managedDevices/${encodeURIComponent(recordId)}`, {
      $select: managedDeviceProperties.join(','),
    })
    try {
      const answer = await client.ask({ call: graphCalls.managedDevices, url, priority: 'low', signal })
      const found = readManagedDevice(answer, settings.matchBy)
      if (!('device' in found) || found.device.recordId !== recordId) return
      const device = records.deviceOf(found.device)
      if (device !== undefined) await store.putDevices(name, [device], optionsOf(directory))
      // it is there, but for another user or by another id
      if (device?.user === row.user && device.deviceId === row.device_id) return
    } catch (error) {
      signal.throwIfAborted()
      if (!isNotFound(error)) {
        failure = error
        return
      }
    }
    sweep.remove(row)
    removed++
  }

  const waiting = rows.filter((row) => row.record_id !== null).values()
  const work = async (): Promise<void> => {
    for (const row of waiting) {
      if (failure !== undefined) return
      await confirm(row)
    }
  }
  await Promise.all(Array.from({ length: parallelConfirmations }, work))
  if (failure !== undefined) {
    log.warn(
      { source: name, reason: reasonOf(failure) },
      'not every absence could be looked into; those devices are kept',
    )
  }
  return removed
}
