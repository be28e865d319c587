import { backoffMs, type Backoff } from './backoff.ts'

/** Keeps calls from a source that is down: who waits for an answer gets "no" at once, and the source is not stormed. */
export interface Breaker {
  /** Runs a call, or refuses it. After a pause one call is let through to see how things are. */
  run<Value>(call: () => Promise<Value>): Promise<Value>
}

/** What an error tells of a source: it is in trouble; it works, and said no; nothing, as where the caller gave up. */
export type ErrorMeaning = 'outage' | 'answer' | 'nothing'

export interface BreakerOptions {
  /** Monotonic, milliseconds. T-55 */
  readonly now: () => number
  /** From 0 to 1. */
  readonly random: () => number
  readonly meaningOf: (error: unknown) => ErrorMeaning
  /** How long the source asks to be left alone, ms, where an error says so. */
  readonly retryAfterMs: (error: unknown) => number | undefined
  /** The error of a call that is not made, by the outage that is the reason. */
  readonly refusal: (outage: unknown) => Error
}

/** Outages in a row after which it opens. */
const threshold = 5
const pause: Backoff = { firstMs: 5000, maxMs: 60_000 }
/** The word of a source on how long to wait is heeded up to this. T-55 */
const maxRetryAfterMs = 600_000

/** The pauses double with each outage, and two nodes never come back at the same instant. Any answer ends them. */
export function createBreaker(options: BreakerOptions): Breaker {
  const { now, random, meaningOf, retryAfterMs, refusal } = options
  let outages = 0
  let closedUntil = 0
  let isProbing = false
  let lastOutage: unknown

  const isPaused = (): boolean => now() < closedUntil

  function note(outage: unknown): void {
    // of calls that were under way together, one tells what there is to tell
    if (isPaused()) return
    outages++
    lastOutage = outage
    const own = outages < threshold ? 0 : backoffMs(pause, outages - threshold + 1, random)
    closedUntil = now() + Math.max(own, Math.min(retryAfterMs(outage) ?? 0, maxRetryAfterMs))
  }

  return {
    async run(call) {
      if (isProbing || isPaused()) throw refusal(lastOutage)
      // after a pause one call alone finds out whether the others may follow
      const isProbe = outages >= threshold
      isProbing = isProbe
      try {
        const value = await call()
        outages = 0
        return value
      } catch (error) {
        const meaning = meaningOf(error)
        if (meaning === 'outage') note(error)
        else if (meaning === 'answer') outages = 0
        throw error
      } finally {
        if (isProbe) isProbing = false
      }
    },
  }
}
