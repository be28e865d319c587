import { setTimeout as delay } from 'node:timers/promises'

/** Time for what waits. */
export interface Clock {
  /** Monotonic, milliseconds. T-55 */
  now(): number
  /** Resolves after so many milliseconds; rejects with the signal's reason where that comes first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** A timer longer than this ends at once. */
const maxTimerMs = 0x7fffffff

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: async (ms, signal) => {
    try {
      await delay(Math.min(ms, maxTimerMs), undefined, {
        ref: false,
        ...(signal === undefined ? undefined : { signal }),
      })
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    }
  },
}
