import { deviceKey } from '#eas/device-id.ts'
import type { DeviceFacts } from '#policy/facts.ts'
import type { DeviceRecord } from './merge.ts'

/** A record that carries the asked id as another of its ids. `rank`: its place among them, 0 first. */
export interface LinkedRecord extends DeviceRecord {
  readonly rank: number
}

/**
 * The key under which an id finds the records that carry it beside their own: that of `deviceKey`, without hyphens,
 * since a GUID is written with them by one system and without by the next. Empty for an id of hyphens alone.
 */
export function linkKey(deviceId: string): string {
  let key = deviceKey(deviceId)
  while (key.includes('-')) key = deviceKey(key.replaceAll('-', ''))
  return key
}

/**
 * The records that stand for a device id, all of one user. Of each source: those under the id itself; where none of
 * them is enrolled, the best of those that carry the id as another of their ids, if that one is. Exchange's record of a
 * phone that nobody manages and the MDM's own stand side by side until they are merged. facts.md 4
 *
 * @param key folded id that was asked for
 */
export function matchRecords(
  direct: readonly DeviceRecord[],
  linked: readonly LinkedRecord[],
  key: string,
): readonly DeviceRecord[] {
  if (linked.length === 0) return direct
  const bySource = Map.groupBy([...direct, ...linked], ({ source }) => source)
  return [...bySource.values()].flatMap((records) => {
    const own = records.filter((record) => !isLinked(record))
    const [best] = records.filter(isLinked).toSorted(byWorth)
    if (best === undefined) return own
    const isOwnBetter = own.length > 0 && (own.some(isEnrolled) || !isEnrolled(best))
    // under the asked id, so that what other sources say of it is laid over it
    return isOwnBetter ? own : [{ ...best, deviceId: key }]
  })
}

/**
 * True where `given` rather than `held` speaks for a device of which a source has two records: an enrolled one wins,
 * then the one that checked in last. facts.md 4
 */
export function isBetterRecord(given: DeviceFacts, held: DeviceFacts): boolean {
  const [isGivenEnrolled, isHeldEnrolled] = [given.enrolled === true, held.enrolled === true]
  if (isGivenEnrolled !== isHeldEnrolled) return isGivenEnrolled
  return (given.lastCheckIn ?? -Infinity) > (held.lastCheckIn ?? -Infinity)
}

function isLinked(record: DeviceRecord | LinkedRecord): record is LinkedRecord {
  return 'rank' in record
}

function isEnrolled({ facts }: DeviceRecord): boolean {
  return facts.enrolled === true
}

function byWorth(a: LinkedRecord, b: LinkedRecord): number {
  if (isEnrolled(a) !== isEnrolled(b)) return isEnrolled(a) ? -1 : 1
  return (
    a.rank - b.rank || Number(isBetterRecord(b.facts, a.facts)) - Number(isBetterRecord(a.facts, b.facts))
  )
}
