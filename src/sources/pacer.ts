import type { Clock } from './clock.ts'

/** Spreads calls to a source, so that a crowd of phones asks it no more than it is to be asked. T-50 */
export interface Pacer {
  /** Resolves when a call may be made. @throws what `refusal` gives where too many wait already; the signal's reason */
  take(signal: AbortSignal): Promise<void>
}

export interface PacerOptions {
  readonly perSecond: number
  readonly clock: Clock
  /** The error of a call that would wait too long. */
  readonly refusal: () => Error
}

/** After a quiet time so much may come at once. */
const burstMs = 1000
/** A request waits two seconds for its look-up, and not longer: then it is answered without. */
const maxWaitMs = 2000

export function createPacer({ perSecond, clock, refusal }: PacerOptions): Pacer {
  const gapMs = 1000 / perSecond
  /** When the next call is due if all that may come at once has come. */
  let due = clock.now()
  return {
    async take(signal) {
      const now = clock.now()
      const at = Math.max(due, now - burstMs + gapMs)
      if (at - now > maxWaitMs) throw refusal()
      due = at + gapMs
      if (at > now) await clock.sleep(at - now, signal)
    },
  }
}
