import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '#sources/clock.ts'

/** A clock that stands until the test moves it. */
export interface ManualClock extends Clock {
  /** Moves it, and wakes who sleeps until then; one after the other, since one may make the next sleep. */
  advance(ms: number): Promise<void>
  /** How long those who sleep still have, shortest first. */
  sleeping(): readonly number[]
  /** Resolves once somebody sleeps. */
  asleep(): Promise<void>
}

interface Sleeper {
  readonly until: number
  readonly wake: () => void
}

export function manualClock(): ManualClock {
  let now = 1000
  const sleepers = new Set<Sleeper>()
  const watchers = new Set<() => void>()

  return {
    now: () => now,

    sleep(ms, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const onAbort = (): void => {
        sleepers.delete(sleeper)
        reject(signal?.reason as Error)
      }
      const sleeper: Sleeper = {
        until: now + ms,
        wake: () => {
          sleepers.delete(sleeper)
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      sleepers.add(sleeper)
      signal?.addEventListener('abort', onAbort)
      for (const watch of watchers) watch()
      return promise
    },

    async advance(ms) {
      const end = now + ms
      await turn()
      for (;;) {
        const [next] = [...sleepers].toSorted((a, b) => a.until - b.until)
        if (next === undefined || next.until > end) break
        now = Math.max(now, next.until)
        next.wake()
        // whoever was woken goes on, and may sleep again
        await turn()
      }
      now = end
    },

    sleeping: () => [...sleepers].map(({ until }) => until - now).toSorted((a, b) => a - b),

    async asleep() {
      if (sleepers.size > 0) return
      const { promise, resolve } = Promise.withResolvers<void>()
      watchers.add(resolve)
      await promise
      watchers.delete(resolve)
    },
  }
}
