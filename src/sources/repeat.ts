import { backoffMs, type Backoff } from './backoff.ts'
import type { Clock } from './clock.ts'

export interface RepeatOptions {
  /** From one beginning to the next, at most; work that takes longer is done again at once. */
  readonly intervalMs: number
  readonly signal: AbortSignal
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
  /** Told of each failure; the work is done again after a pause that grows. */
  readonly onFailure: (error: unknown) => void
}

const pause: Backoff = { firstMs: 5000, maxMs: 300_000 }

/**
 * Does work over and over. The intervals are shorter by up to a tenth, by chance, so that nodes do not ask in step. Gives
 * a promise of the first end, well or badly; the work goes on until `signal` ends it.
 */
export function repeat(work: () => Promise<void>, options: RepeatOptions): Promise<void> {
  const { intervalMs, signal, clock, random, onFailure } = options
  const first = Promise.withResolvers<void>()

  async function run(): Promise<void> {
    for (let failures = 0; !signal.aborted;) {
      const startedAt = clock.now()
      try {
        await work()
        failures = 0
      } catch (error) {
        if (signal.aborted) return
        failures++
        onFailure(error)
      }
      first.resolve()
      const tookMs = clock.now() - startedAt
      const pauseMs =
        failures === 0
          ? Math.max(0, intervalMs * (1 - random() / 10) - tookMs)
          : Math.min(intervalMs, backoffMs(pause, failures, random))
      await clock.sleep(pauseMs, signal)
    }
  }

  // the sleep ends with the signal, and nothing else rejects
  run()
    .catch(() => undefined)
    .finally(() => first.resolve())
  return first.promise
}
