/** Costs of the calls within the last time span, the refused ones too. */
export interface SlidingWindow {
  readonly add: (nowMs: number, cost: number) => void
  readonly used: (nowMs: number) => number
  /** Until no more than `limit` is used, if nobody calls; 0 where that is so now. */
  readonly waitMs: (nowMs: number, limit: number) => number
}

export function slidingWindow(windowMs: number): SlidingWindow {
  let calls: { readonly at: number; readonly cost: number }[] = []
  let first = 0
  let sum = 0
  const forget = (nowMs: number): void => {
    for (let call = calls[first]; call !== undefined && call.at <= nowMs - windowMs; call = calls[++first]) {
      sum -= call.cost
    }
    if (first < 10_000) return
    calls = calls.slice(first)
    first = 0
  }
  return {
    add: (at, cost) => {
      calls.push({ at, cost })
      sum += cost
    },
    used: (nowMs) => {
      forget(nowMs)
      return sum
    },
    waitMs: (nowMs, limit) => {
      forget(nowMs)
      let left = sum
      for (let index = first; left > limit; index++) {
        const call = calls[index]
        if (call === undefined) return 0
        left -= call.cost
        if (left <= limit) return call.at + windowMs - nowMs
      }
      return 0
    },
  }
}
