import { linkKey } from '#directory/match.ts'
import { sortRecords, sourceDevice, type HttpContext } from './http-context.ts'
import { HttpError, isNotFound } from './http-error.ts'
import { itemsOf, nextOf } from './pages.ts'
import type { ReadRecord } from './read-record.ts'

/**
 * What the MDM says of one device. `absent`: it knows no such device of this user; `foreign`: it answers with records of
 * others, from which nothing follows.
 */
export type LookedUp = 'found' | 'absent' | 'foreign'

/**
 * Asks for one device and writes what comes of it. Each record is checked: only one of this user and this device is
 * taken, whatever else the answer holds. T-56
 *
 * @param user directory name of the user, lower case @throws {HttpError}; the signal's reason
 */
export async function lookUpDevice(
  context: HttpContext,
  user: string,
  deviceId: string,
  signal: AbortSignal,
): Promise<LookedUp> {
  const { config, lookupRecords, nextPath, readRecord, store, mdm, name } = context
  const url = urlOf(config.lookupUrl ?? '', user, deviceId)
  if (url === undefined) return 'foreign'
  const answer = await mdm.lookUp(url, signal).catch((error: unknown) => {
    if (isNotFound(error)) return undefined
    throw error
  })
  if (answer === undefined) return 'absent'
  const { taken, faulty } = await sortRecords(itemsOf(answer, { records: lookupRecords }), readRecord)
  const found = taken.filter((read) => isOf(read, user) && isDevice(read, deviceId))
  if (found.length > 0) {
    await store.upsert(name, found.map(userOf))
    await store.putDevices(name, found.map(sourceDevice))
    return 'found'
  }
  if (faulty.length > 0) {
    const [fault] = faulty.flatMap(({ faults }) => faults)
    throw badAnswer(`no record of the answer can be taken: ${fault?.field ?? ''}: ${fault?.message ?? ''}`)
  }
  if (nextOf(answer, { nextPath }, url) !== undefined) {
    throw badAnswer('the answer to a look-up has more pages; expected a lookupUrl for one device')
  }
  const isAskedByDevice = config.lookupUrl?.includes('{deviceId}') === true
  return taken.every((read) => isOf(read, user) && !isAskedByDevice) ? 'absent' : 'foreign'
}

/**
 * The URL of a look-up; undefined for a name that would stand for another place in a path: `.` and `..` cannot be
 * encoded away.
 */
export function urlOf(template: string, user: string, deviceId: string): string | undefined {
  if ([user, deviceId].some((text) => /^\.{0,2}$/.test(text))) return undefined
  return template
    .replaceAll('{user}', () => encodeURIComponent(user))
    .replaceAll('{deviceId}', () => encodeURIComponent(deviceId))
}

function isOf({ record }: ReadRecord, user: string): boolean {
  return record.user === user || record.aliases?.includes(user) === true
}

function isDevice({ record }: ReadRecord, deviceId: string): boolean {
  const key = linkKey(deviceId)
  return [record.deviceId, ...(record.otherIds ?? [])].some((id) => linkKey(id) === key)
}

function userOf({ record: { user, aliases, groups } }: ReadRecord) {
  return {
    user,
    ...(aliases === undefined ? undefined : { aliases }),
    ...(groups === undefined ? undefined : { groups }),
  }
}

function badAnswer(message: string): HttpError {
  return new HttpError('HTTP_BAD_ANSWER', message)
}
