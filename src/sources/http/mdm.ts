import type { HttpSourceConfig } from '#config/sources.ts'
import { createBreaker } from '../breaker.ts'
import { backoffMs, type Backoff } from '../backoff.ts'
import type { Clock } from '../clock.ts'
import { createPacer } from '../pacer.ts'
import type { HttpClient, JsonAnswer } from './http-client.ts'
import { HttpError, meaningOf, reasonOf } from './http-error.ts'

/** Asks the MDM, as often as it bears. */
export interface Mdm {
  /** One answer, asked for once: somebody waits for it. @throws {HttpError}; the signal's reason */
  lookUp(url: string, signal: AbortSignal): Promise<JsonAnswer>
  /** One page of a list, asked for again where the MDM is in trouble. @throws the same */
  page(url: string, signal: AbortSignal): Promise<JsonAnswer>
}

export interface MdmOptions {
  readonly config: Pick<HttpSourceConfig, 'lookupsPerSecond'>
  readonly client: Pick<HttpClient, 'get'>
  readonly clock: Clock
  /** From 0 to 1. */
  readonly random: () => number
}

const maxLookUpBytes = 256 * 1024
/** To read more in one go would hold the thread: such a list must come in smaller pages. */
const maxPageBytes = 2 * 1024 * 1024
const pageAttempts = 4
const pause: Backoff = { firstMs: 2000, maxMs: 60_000 }
/** The word of an MDM on how long to wait is heeded up to this. T-55 */
const maxRetryAfterMs = 300_000

export function createMdm({ config, client, clock, random }: MdmOptions): Mdm {
  const breaker = createBreaker({
    now: () => clock.now(),
    random,
    meaningOf,
    retryAfterMs: (error) => (error instanceof HttpError ? error.retryAfterMs : undefined),
    refusal: (outage) =>
      new HttpError('HTTP_PAUSED', `the MDM is not asked for a while: ${reasonOf(outage)}`, {
        cause: outage,
      }),
  })
  const pacer = createPacer({
    perSecond: config.lookupsPerSecond,
    clock,
    refusal: () => new HttpError('HTTP_PAUSED', 'more look-ups than lookupsPerSecond allows'),
  })

  return {
    async lookUp(url, signal) {
      await pacer.take(signal)
      return breaker.run(() => client.get(url, maxLookUpBytes, signal))
    },

    async page(url, signal) {
      for (let tried = 1; ; tried++) {
        try {
          return await breaker.run(() => client.get(url, maxPageBytes, signal))
        } catch (error) {
          signal.throwIfAborted()
          if (tried === pageAttempts || !isWorthAnother(error)) throw error
          const asked = error instanceof HttpError ? (error.retryAfterMs ?? 0) : 0
          const waitMs = Math.max(Math.min(asked, maxRetryAfterMs), backoffMs(pause, tried, random))
          await clock.sleep(waitMs, signal)
        }
      }
    },
  }
}

/** A wrong token or a wrong shape is the same the next second. */
function isWorthAnother(error: unknown): boolean {
  return (
    error instanceof HttpError &&
    ['HTTP_UNREACHABLE', 'HTTP_UNAVAILABLE', 'HTTP_THROTTLED', 'HTTP_PAUSED'].includes(error.code)
  )
}
