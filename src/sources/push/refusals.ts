import { LRUCache } from 'lru-cache'
import type { Logger } from '#telemetry/log.ts'

/** Why a push is refused without a word of why. */
export type Refusal = 'unsigned' | 'out-of-time' | 'wrong-signature' | 'replayed'

/** Keeps account of messages that no sender of ours has signed. */
export interface Refusals {
  /** True where so much was refused of the address that nothing more is looked at for now. */
  readonly isLimited: (address: string) => boolean
  readonly note: (address: string, refusal: Refusal) => void
}

export interface RefusalsOptions {
  readonly name: string
  readonly log: Pick<Logger, 'warn'>
  /** Monotonic, milliseconds. T-55 */
  readonly now: () => number
}

/** Refused messages of one address that are looked at at once, and those of each second after. */
const burst = 100
const perSecond = 20
const rememberedAddresses = 10_000
/** A reason is told at most this often, with how many there were. T-51, T-59 */
const tellIntervalMs = 60_000

interface Told {
  at: number
  /** Since it was told. */
  count: number
}

export function createRefusals({ name, log, now }: RefusalsOptions): Refusals {
  /** When the address would have a full measure again. */
  const fullAt = new LRUCache<string, number>({ max: rememberedAddresses })
  const told = new Map<Refusal, Told>()

  function tell(address: string, refusal: Refusal): void {
    const at = now()
    const before = told.get(refusal)
    if (before !== undefined && at - before.at < tellIntervalMs) {
      before.count++
      return
    }
    log.warn({ source: name, address, refusal, others: before?.count ?? 0 }, 'a push is refused')
    told.set(refusal, { at, count: 0 })
  }

  return {
    isLimited: (address) => (fullAt.get(address) ?? 0) - now() > (burst / perSecond) * 1000,
    note(address, refusal) {
      fullAt.set(address, Math.max(fullAt.get(address) ?? 0, now()) + 1000 / perSecond)
      tell(address, refusal)
    },
  }
}
