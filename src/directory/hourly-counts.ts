import type { HourlyCount } from './audit.ts'

/** A worker's request counts of the hour under way, by words of closed lists. T-51 */
export interface HourlyCounts {
  add(outcome: Pick<HourlyCount, 'action' | 'reason' | 'platform'>): void
  /** Gives what was counted and starts afresh. */
  drain(): readonly HourlyCount[]
}

const hourMs = 3_600_000

/** @param now milliseconds since the epoch */
export function createHourlyCounts(now: () => number): HourlyCounts {
  let counts = new Map<string, HourlyCount & { requests: number }>()
  return {
    add({ action, reason, platform }) {
      const key = `${action} ${reason} ${platform}`
      const held = counts.get(key)
      if (held !== undefined) held.requests++
      else counts.set(key, { hour: 0, action, reason, platform, requests: 1 })
    },
    drain() {
      const hour = Math.floor(now() / hourMs) * hourMs
      const drained = [...counts.values()].map((count) => ({ ...count, hour }))
      counts = new Map()
      return drained
    },
  }
}
