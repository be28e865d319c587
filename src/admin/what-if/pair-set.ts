import { createHash } from 'node:crypto'

/** A pair of user and device. */
export interface Pair {
  readonly user: string
  readonly deviceKey: string
}

/** Some pairs, known by 48 bits each: a million take 8 MB. */
export interface PairSet {
  readonly has: (pair: Pair) => boolean
  /** Tells this set from others. */
  readonly digest: string
}

/** Collects pairs for a set. */
export interface PairCollector {
  /** False where the pair was there already. */
  readonly add: (pair: Pair) => boolean
  readonly size: () => number
  readonly result: () => PairSet
}

/** @param of whose pairs they are; it tells sets of the same pairs apart */
export function createPairCollector(of: string): PairCollector {
  const keys = new Set<number>()
  return {
    add: (pair) => {
      const before = keys.size
      return keys.add(pairKey(pair)).size > before
    },
    size: () => keys.size,
    result: () => {
      const sorted = Float64Array.from(keys).toSorted()
      return {
        has: (pair) => holds(sorted, pairKey(pair)),
        digest: createHash('sha256').update(`${of}\n`).update(sorted).digest('hex').slice(0, 12),
      }
    },
  }
}

/** 48 bits that stand for a pair. */
export function pairKey({ user, deviceKey }: Pair): number {
  return createHash('sha1')
    .update(JSON.stringify([user, deviceKey]))
    .digest()
    .readUIntBE(0, 6)
}

function holds(sorted: Float64Array, key: number): boolean {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] ?? Infinity) < key) low = middle + 1
    else high = middle
  }
  return sorted[low] === key
}
