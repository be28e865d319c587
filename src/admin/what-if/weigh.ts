import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SeenPair, SeenPairReader } from '#directory/seen-pairs.ts'
import { compareSeen, type Compared, type Comparison } from './compare.ts'
import { createTally, type Tally } from './tally.ts'

/** How much a change weighs: what it would do to the devices that are in use. */
export interface Weight {
  /** Devices that were seen in the last 24 hours and let in then. */
  readonly inUse: number
  /** Those of them that would be refused. */
  readonly newlyRefused: number
  /** How many may be. */
  readonly maxNewRefusals: number
  /** True where that is too much to happen without an operator's word. */
  readonly tooHeavy: boolean
}

/** Weighs as a walk goes on. */
export interface Scale {
  readonly add: (compared: Compared) => void
  readonly result: () => Weight
}

const dayMs = 86_400_000

/**
 * Devices that any change may refuse, whatever share they are: where three phones are in use, one is a third of them,
 * and who has so few sees for himself.
 */
const alwaysFew = 5

export interface ScaleOptions {
  /** `maxNewRefusals` of the policy in force, from 0 to 1. */
  readonly share: number
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Refusals that an operator wants already. */
  readonly isConfirmed?: (pair: SeenPair) => boolean
  /** Told of each refusal that counts. */
  readonly onRefusal?: (pair: SeenPair) => void
}

export function createScale({ share, now, isConfirmed, onRefusal }: ScaleOptions): Scale {
  const since = now - dayMs
  let inUse = 0
  let newlyRefused = 0
  return {
    add: ({ pairs, turns }) => {
      for (const pair of pairs) if (isInUse(pair, since)) inUse++
      for (const { pair, to } of turns) {
        if (to !== 'refused' || !isInUse(pair, since) || isConfirmed?.(pair) === true) continue
        newlyRefused++
        onRefusal?.(pair)
      }
    },
    result: () => {
      const maxNewRefusals = mayBeRefused(share, inUse)
      return { inUse, newlyRefused, maxNewRefusals, tooHeavy: newlyRefused > maxNewRefusals }
    },
  }
}

/** How many of the devices in use a share allows to be refused. */
export function mayBeRefused(share: number, inUse: number): number {
  // a share such as 29% of 100 comes out a hair below 29
  return Math.max(alwaysFew, Math.floor(share * inUse + 1e-9))
}

/** How many devices are in use. In slices. */
export async function countInUse(store: SeenPairReader, now: number): Promise<number> {
  const since = inUseSince(now)
  let inUse = 0
  for (const pairs of store.seenWindows(since)) {
    inUse += pairs.filter((pair) => isInUse(pair, since)).length
    await nextTurn()
  }
  return inUse
}

/** Seen since then and let in, or forwarded although it was reported as refused. */
export function isInUse({ lastAt, action, allowedAt }: SeenPair, since: number): boolean {
  return lastAt >= since && (action === 'allow' || (allowedAt ?? -Infinity) >= since)
}

/** When a device must have been seen to be in use, ms since the epoch. */
export function inUseSince(now: number): number {
  return now - dayMs
}

/** A change, weighed, with what it would do to the devices that were seen in the last 24 hours. */
export interface WeighedChange {
  readonly weight: Weight
  readonly tally: Tally
}

/** Walks over the devices in use, in slices. */
export async function weighChange(
  store: SeenPairReader,
  comparison: Comparison,
  options: ScaleOptions,
): Promise<WeighedChange> {
  const scale = createScale(options)
  const tally = createTally()
  for await (const compared of compareSeen(store.seenWindows(inUseSince(options.now)), comparison)) {
    scale.add(compared)
    tally.add(compared)
  }
  return { weight: scale.result(), tally: tally.result() }
}
