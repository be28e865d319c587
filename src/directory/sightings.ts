import type { DeviceInformation } from '#eas/device-information.ts'
import type { Action, Reason } from '#policy/reasons.ts'

/**
 * That a pair was seen. Made only after a proof of the credentials or an upstream answer other than 401: what an
 * unproved client says is not remembered. T-56
 */
export interface Sighting {
  /** The resolved directory user; where none resolves, the first name of the login, lower case. */
  readonly user: string
  /** The device id as the client spelled it. */
  readonly deviceId: string
  /** Folded, see `deviceKey`. */
  readonly deviceKey: string
  readonly deviceType: string | undefined
  readonly userAgent: string | undefined
  readonly platform: string
  readonly osVersion: string
  readonly model: string
  readonly client: string
  readonly protocolVersion: string | undefined
  readonly command: string
  readonly backend: string
  readonly action: Action
  readonly reason: Reason
  /** ms since the epoch. */
  readonly at: number
  /** An allowed request of a command that serves mail got an upstream answer other than 401. */
  readonly allowed: boolean
  /** True: kept from Exchange for what the device is. False: served by it. Absent: neither, as by a 503. */
  readonly refused?: boolean
  /** The pair was asked to provision, so that a wipe ordered in Exchange can reach it. */
  readonly provisionAsked?: boolean
  readonly information?: DeviceInformation
  /** Our own compliance policies find the device wanting, in its grace or not; absent: they were not asked. */
  readonly selfNoncompliant?: boolean
}

/** What a worker hands to the owner once a second. */
export interface DrainedSightings {
  readonly sightings: readonly Sighting[]
  /** Pairs that did not fit since the last drain. */
  readonly dropped: number
}

export interface SightingBatch {
  add(sighting: Sighting): void
  /** Gives what was collected and starts afresh. */
  drain(): DrainedSightings
}

/** Collects a worker's sightings, one per pair, for at most `max` pairs; what does not fit is dropped and counted. T-51 */
export function createSightingBatch({ max }: { readonly max: number }): SightingBatch {
  let pairs = new Map<string, Sighting>()
  let dropped = 0

  return {
    add(sighting) {
      const key = JSON.stringify([sighting.user, sighting.deviceKey])
      const earlier = pairs.get(key)
      if (earlier !== undefined) pairs.set(key, coalesce(earlier, sighting))
      else if (pairs.size < max) pairs.set(key, sighting)
      else dropped++
    },

    drain() {
      const drained = { sightings: [...pairs.values()], dropped }
      pairs = new Map()
      dropped = 0
      return drained
    },
  }
}

/** The later of two sightings of one pair, with what happened only in the earlier. */
function coalesce(earlier: Sighting, later: Sighting): Sighting {
  const information = later.information ?? earlier.information
  const selfNoncompliant = later.selfNoncompliant ?? earlier.selfNoncompliant
  const refused = later.refused ?? earlier.refused
  return {
    ...later,
    allowed: earlier.allowed || later.allowed,
    provisionAsked: earlier.provisionAsked === true || later.provisionAsked === true,
    ...(refused === undefined ? undefined : { refused }),
    ...(information === undefined ? undefined : { information }),
    ...(selfNoncompliant === undefined ? undefined : { selfNoncompliant }),
  }
}
