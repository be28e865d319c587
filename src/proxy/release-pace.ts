/** Gives each request that is to be released its turn: alone at once, in a crowd one after the other. */
export interface ReleasePace<Item> {
  /** @param at ms of a monotonic clock */
  readonly add: (item: Item, at: number) => void
  /** Those whose turn has come, in order. */
  readonly take: (at: number) => readonly Item[]
}

export interface ReleasePaceOptions {
  readonly perSecond: number
  /** From 0 to 1. */
  readonly random?: () => number
}

/** Within this each turn is moved by chance: workers and nodes that hear of one change must not step together. */
const maxJitterMs = 500

export function createReleasePace<Item>({
  perSecond,
  random = Math.random,
}: ReleasePaceOptions): ReleasePace<Item> {
  const intervalMs = 1000 / perSecond
  /** In the order of their turns. */
  const waiting: { readonly item: Item; readonly turnAt: number }[] = []
  let nextTurnAt = 0
  return {
    add: (item, at) => {
      const turnAt = Math.max(at, nextTurnAt)
      nextTurnAt = turnAt + intervalMs
      waiting.push({ item, turnAt: turnAt + random() * Math.min(intervalMs, maxJitterMs) })
    },
    take: (at) => {
      const later = waiting.findIndex(({ turnAt }) => turnAt > at)
      return waiting.splice(0, later < 0 ? waiting.length : later).map(({ item }) => item)
    },
  }
}
