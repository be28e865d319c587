import type { Pair, PairSet } from './what-if/pair-set.ts'

/** The refusals that operators want of each source, until it is read without any that waits. */
export interface ConfirmedRefusals {
  readonly has: (source: string, pair: Pair) => boolean
  readonly add: (source: string, pairs: PairSet) => void
  readonly clear: (source: string) => void
}

export function createConfirmedRefusals(): ConfirmedRefusals {
  const confirmed = new Map<string, readonly PairSet[]>()
  return {
    has: (source, pair) => confirmed.get(source)?.some((pairs) => pairs.has(pair)) === true,
    add: (source, pairs) => void confirmed.set(source, [...(confirmed.get(source) ?? []), pairs]),
    clear: (source) => void confirmed.delete(source),
  }
}
