import { isIPv6 } from 'node:net'
import { LRUCache } from 'lru-cache'

/** Whether one more may come from an address. */
export interface RateLimit {
  /** False where the address, or all of them together, had their share; then it does not count. */
  readonly take: (address: string) => boolean
}

export interface RateLimitOptions {
  /** From one address in a minute; as many may come at once. */
  readonly perMinute: number
  /** From all addresses together. */
  readonly totalPerMinute: number
  /** Monotonic clock, ms. T-55 */
  readonly clock?: { now(): number }
}

/** Tokens left, and when that was. */
interface Bucket {
  tokens: number
  at: number
}

const minuteMs = 60_000
/** Addresses remembered; one that is forgotten starts afresh, within what all have together. T-51 */
const maxAddresses = 10_000

/** A token bucket for each address and one for all. */
export function createRateLimit({
  perMinute,
  totalPerMinute,
  clock = performance,
}: RateLimitOptions): RateLimit {
  const buckets = new LRUCache<string, Bucket>({ max: maxAddresses })
  const all: Bucket = { tokens: totalPerMinute, at: clock.now() }
  return {
    take: (address) => {
      const now = clock.now()
      const key = networkOf(address)
      let own = buckets.get(key)
      if (own === undefined) buckets.set(key, (own = { tokens: perMinute, at: now }))
      refill(own, perMinute, now)
      refill(all, totalPerMinute, now)
      if (own.tokens < 1 || all.tokens < 1) return false
      own.tokens--
      all.tokens--
      return true
    },
  }
}

function refill(bucket: Bucket, perMinute: number, now: number): void {
  bucket.tokens = Math.min(perMinute, bucket.tokens + ((now - bucket.at) / minuteMs) * perMinute)
  bucket.at = now
}

/** One customer of a provider has a whole /64 of IPv6 addresses. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address
  const [front = '', back = ''] = address.split('::')
  const frontGroups = front.split(':').filter((group) => group !== '')
  const backGroups = back.split(':').filter((group) => group !== '')
  const zeros = address.includes('::') ? Math.max(0, 8 - frontGroups.length - backGroups.length) : 0
  const groups = [...frontGroups, ...Array.from({ length: zeros }, () => '0'), ...backGroups]
  return groups
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''))
    .join(':')
}
