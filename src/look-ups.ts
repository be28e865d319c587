import { LRUCache } from 'lru-cache'
import { deviceKey } from '#eas/device-id.ts'
import type { FactsSource, LookUpOutcome } from '#directory/facts-source.ts'
import type { Logger } from '#telemetry/log.ts'

/** Asks the sources for one device, now. */
export interface LookUps {
  readonly lookUp: (user: string, deviceId: string) => Promise<LookUpOutcome>
}

export interface LookUpsOptions {
  readonly sources: readonly FactsSource[]
  /** Resolves once what was written before is in force on every worker. */
  readonly enforced: () => Promise<void>
  readonly log: Pick<Logger, 'warn'>
  /** Monotonic clock of the pauses, ms. */
  readonly clock?: { now(): number }
}

/** A pair is asked for at most this often: a phone that is refused comes back every few seconds. */
const pauseMs = 10_000
const rememberedPairs = 10_000
/** Longer than any worker waits; what comes later is in the store for the next request. */
const timeoutMs = 30_000

interface Pair {
  readonly user: string
  readonly deviceId: string
}

/** One flight a pair, however many workers ask; its outcome stands for a pause. T-51 */
export function createLookUps({ sources, enforced, log, clock }: LookUpsOptions): LookUps {
  const refreshing = sources.filter((source) => source.refresh !== undefined)

  const ask = async ({ user, deviceId }: Pair): Promise<LookUpOutcome> => {
    const signal = AbortSignal.timeout(timeoutMs)
    const settled = await Promise.allSettled(
      refreshing.map(async (source) => source.refresh?.(user, deviceId, signal)),
    )
    for (const [index, result] of settled.entries()) {
      if (result.status === 'fulfilled') continue
      log.warn({ err: result.reason, source: refreshing[index]?.name }, 'a look-up failed')
    }
    await enforced()
    return settled.every(({ status }) => status === 'fulfilled') ? 'answered' : 'failed'
  }

  const flights = new LRUCache<string, LookUpOutcome, Pair>({
    max: rememberedPairs,
    ttl: pauseMs,
    ttlResolution: 0,
    ...(clock === undefined ? undefined : { perf: clock }),
    fetchMethod: async (_key, _stale, { context }) => ask(context),
  })

  return {
    lookUp: async (user, deviceId) => {
      if (refreshing.length === 0) return 'none'
      const key = JSON.stringify([user, deviceKey(deviceId)])
      return (await flights.fetch(key, { context: { user, deviceId } })) ?? 'failed'
    },
  }
}
