import { deviceKey, isDeviceId } from '#eas/device-id.ts'
import { shownValue } from './literal-pattern.ts'

/** The device ids of one cell, each once, and what stands there that is none. */
export interface DeviceIds {
  readonly ids: readonly string[]
  readonly problems: readonly string[]
}

/** What a list turns into that was exported as it is: the name of its type. */
const typeName = /^(?:Deserialized\.)?(?:System|Microsoft)\.[\w.]+/

/**
 * Reads a list of device ids from one cell, joined by spaces, commas, semicolons or line ends: `Export-Csv` itself writes
 * the name of the list's type, so whoever exported it has joined it by something.
 */
export function readDeviceIds(cell: string): DeviceIds {
  if (typeName.test(cell.trim())) {
    return { ids: [], problems: [`${shownValue(cell)} is the type of the list, its ids were not exported`] }
  }
  const ids = new Map<string, string>()
  const problems: string[] = []
  for (const word of cell.split(/[\s,;|]+/)) {
    if (word === '') continue
    if (!isDeviceId(word)) problems.push(`${shownValue(word)} is no EAS device id`)
    else if (!ids.has(deviceKey(word))) ids.set(deviceKey(word), word)
  }
  return { ids: [...ids.values()], problems }
}
