import type { DeviceFacts } from '#policy/facts.ts'
import { registeredByState } from '#policy/graph-states.ts'
import type { KeepHeld, SweepOptions } from '#directory/sweep-devices.ts'
import type { IntuneContext } from './context.ts'
import { enumWord, flag, guidOf, isObject, MalformedField, text, type JsonObject } from './fields.ts'
import { graphCalls } from './graph-calls.ts'
import { GraphError } from './graph-error.ts'
import type { ManagedDevice } from './managed-device.ts'
import { objectsOf, pages } from './pages.ts'
import { countMalformed } from './report-malformed.ts'

/**
 * The directory's own records of devices, beside Intune's: whether a device is disabled there, which ends its
 * registration, and whether a PC is joined to the organisation's own domain. Only what is out of the ordinary is held.
 */
export interface DirectoryDevices {
  /** Reads all, later what has changed. Gives ids (azureADDeviceId) of devices of which something else is known now. */
  read(signal: AbortSignal): Promise<readonly string[]>
  /** The facts of a managed device, with what the directory says of it. */
  factsOf(device: ManagedDevice): DeviceFacts
  /** Until all is read, what a row holds of the directory stands. */
  readonly keepHeld: KeepHeld | undefined
}

/** What is out of the ordinary of one device. */
interface Exception {
  readonly deviceId: string
  readonly isDisabled: boolean
  readonly isDomainJoined: boolean
}

const properties = ['deviceId', 'accountEnabled', 'trustType']

export function createDirectoryDevices(context: IntuneContext): DirectoryDevices {
  const { client } = context
  /** By the id of the directory's record, which is all that is told of a record that is gone. */
  let byRecord = new Map<string, Exception>()
  let byDevice = new Map<string, Exception>()
  /** Where the next round of changes begins; undefined: everything is to be read. */
  let nextRound: string | undefined
  let isKnown = false

  async function readRound(
    url: string,
    signal: AbortSignal,
    take: (record: JsonObject) => void,
  ): Promise<void> {
    const malformed = countMalformed(context, 'directory devices')
    const request = {
      call: graphCalls.devicesDelta,
      url,
      priority: 'low',
      signal,
      stamp: () => undefined,
    } as const
    for await (const page of pages(client, request)) {
      for (const record of objectsOf(page.items)) {
        try {
          take(record)
        } catch (error) {
          if (!(error instanceof MalformedField)) throw error
          const id = typeof record['id'] === 'string' ? record['id'] : ''
          malformed.add({ id, field: error.field, message: error.message })
        }
      }
      if (page.deltaLink !== undefined) nextRound = page.deltaLink
    }
  }

  async function readAll(signal: AbortSignal): Promise<readonly string[]> {
    const [records, devices] = [new Map<string, Exception>(), new Map<string, Exception>()]
    const url = client.urlOf('/devices/delta', { $select: properties.join(',') })
    await readRound(url, signal, (record) => apply(record, records, devices))
    const before = byDevice
    ;[byRecord, byDevice] = [records, devices]
    const wasKnown = isKnown
    isKnown = true
    // the first reading is told to rows by the sweep that runs beside it, or by the next one
    return wasKnown ? changedBetween(before, devices) : []
  }

  async function readChanges(url: string, signal: AbortSignal): Promise<readonly string[]> {
    const before = new Map(byDevice)
    await readRound(url, signal, (record) => apply(record, byRecord, byDevice))
    return changedBetween(before, byDevice)
  }

  return {
    async read(signal) {
      if (nextRound === undefined) return readAll(signal)
      try {
        return await readChanges(nextRound, signal)
      } catch (error) {
        if (!(error instanceof GraphError && error.code === 'GRAPH_GONE')) throw error
        nextRound = undefined
        return readAll(signal)
      }
    },

    factsOf({ facts, azureADDeviceId }) {
      const exception = azureADDeviceId === undefined ? undefined : byDevice.get(azureADDeviceId)
      if (exception === undefined) return facts
      return {
        ...facts,
        ...(exception.isDisabled ? { registered: false } : undefined),
        ...(exception.isDomainJoined ? { domainJoined: true } : undefined),
      }
    },

    get keepHeld() {
      return isKnown ? undefined : keepDirectoryFacts
    },
  }
}

/** How devices are written while the directory is read for the first time, and after. */
export function optionsOf({ keepHeld }: DirectoryDevices): SweepOptions {
  return keepHeld === undefined ? {} : { keepHeld }
}

/** A row shows by itself what the directory said: it is not registered, although Intune's word for it is `registered`. */
const keepDirectoryFacts: KeepHeld = (given, held) => ({
  ...given,
  ...(held.domainJoined === true ? { domainJoined: true } : undefined),
  ...(held.registered === false && registeredByState(held.registrationState ?? '') === true
    ? { registered: false }
    : undefined),
})

/** Items may repeat, and stand in any order: what a record says replaces what it said. */
function apply(record: JsonObject, byRecord: Map<string, Exception>, byDevice: Map<string, Exception>): void {
  const id = guidOf(record, 'id')
  if (id === undefined) throw new MalformedField('id', 'a GUID')
  const held = byRecord.get(id)
  const exception = isObject(record['@removed']) ? undefined : exceptionOf(record, held)
  if (held !== undefined) byDevice.delete(held.deviceId)
  if (exception === undefined) byRecord.delete(id)
  else {
    byRecord.set(id, exception)
    byDevice.set(exception.deviceId, exception)
  }
}

/** A round of changes may give only the properties that changed. */
function exceptionOf(record: JsonObject, held: Exception | undefined): Exception | undefined {
  const deviceId = guidOf(record, 'deviceId') ?? held?.deviceId
  if (deviceId === undefined) return undefined
  const accountEnabled = flag(record, 'accountEnabled')
  const trustType = text(record, 'trustType') === undefined ? undefined : enumWord(record, 'trustType')
  const isDisabled = accountEnabled === undefined ? held?.isDisabled === true : !accountEnabled
  const isDomainJoined = trustType === undefined ? held?.isDomainJoined === true : trustType === 'ServerAd'
  return isDisabled || isDomainJoined ? { deviceId, isDisabled, isDomainJoined } : undefined
}

function changedBetween(
  before: ReadonlyMap<string, Exception>,
  after: ReadonlyMap<string, Exception>,
): readonly string[] {
  const ids = new Set([...before.keys(), ...after.keys()])
  return [...ids].filter((id) => {
    const [one, other] = [before.get(id), after.get(id)]
    return one?.isDisabled !== other?.isDisabled || one?.isDomainJoined !== other?.isDomainJoined
  })
}
