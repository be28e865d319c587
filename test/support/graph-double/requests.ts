import type { RouteName } from './scenario.ts'

/** One call, as it arrived and as it was answered. */
export interface RequestRecord {
  /** Counted from 1. */
  readonly number: number
  readonly route: RouteName
  readonly method: string
  readonly path: string
  /** The part of the URL after `?`, as it came. */
  readonly query: string
  /** Of x-ms-throttle-priority. */
  readonly priority?: string
  /** It came before the time was over that the last Retry-After of this service had told. */
  readonly tooEarly: boolean
  /** Missing until it is answered; 0 where the connection broke first. */
  status?: number
}

/** Sums of one route, or of all. */
export interface Count {
  requests: number
  /** Answered 429 or 503. */
  throttled: number
  /** See `RequestRecord`. */
  tooEarly: number
  /** At the same time. */
  maxInFlight: number
}

export interface Counts {
  readonly total: Count
  /** Of those that were called. */
  readonly routes: Partial<Record<RouteName, Count>>
}

/** What a wait waits for. */
export interface Wanted {
  readonly route?: RouteName | undefined
  /** Only calls with a higher number. */
  readonly after?: number | undefined
  /** Only calls answered like this. */
  readonly status?: number | undefined
  /** Default: answered. */
  readonly state?: 'arrived' | 'answered' | undefined
}

/** Every call that reached the double. */
export interface Requests {
  readonly arrive: (call: Omit<RequestRecord, 'number' | 'status'>) => RequestRecord
  /** Only the first status of a call counts. */
  readonly answered: (record: RequestRecord, status: number) => void
  /** The last ones, oldest first. */
  readonly recent: () => readonly RequestRecord[]
  readonly counts: () => Counts
  /** Starts counts at 0; numbers go on. */
  readonly resetCounts: () => void
  /** Calls `found` with the first call that fits, now or later; gives the function that calls it off. */
  readonly wait: (wanted: Wanted, found: (record: RequestRecord) => void) => () => void
}

const keptRequests = 10_000

export function createRequests(): Requests {
  let recent: RequestRecord[] = []
  let number = 0
  let counts = new Map<RouteName | 'total', Count>()
  const inFlight = new Map<RouteName | 'total', number>()
  const waiting = new Set<() => void>()

  const of = (route: RouteName | 'total'): Count => {
    const known = counts.get(route)
    if (known !== undefined) return known
    const added = { requests: 0, throttled: 0, tooEarly: 0, maxInFlight: 0 }
    counts.set(route, added)
    return added
  }
  const tell = (): void => {
    for (const look of waiting) look()
  }
  return {
    arrive: (call) => {
      const record: RequestRecord = { number: ++number, ...call }
      recent.push(record)
      if (recent.length > 2 * keptRequests) recent = recent.slice(-keptRequests)
      for (const name of countedAs(call.route)) {
        const flying = (inFlight.get(name) ?? 0) + 1
        inFlight.set(name, flying)
        const count = of(name)
        count.requests++
        if (call.tooEarly) count.tooEarly++
        count.maxInFlight = Math.max(count.maxInFlight, flying)
      }
      tell()
      return record
    },
    answered: (record, status) => {
      if (record.status !== undefined) return
      record.status = status
      for (const name of countedAs(record.route)) {
        inFlight.set(name, (inFlight.get(name) ?? 1) - 1)
        if (status === 429 || status === 503) of(name).throttled++
      }
      tell()
    },
    recent: () => recent,
    counts: () => {
      const { total, ...routes } = { total: of('total'), ...Object.fromEntries(counts) }
      return { total, routes }
    },
    resetCounts: () => {
      counts = new Map()
    },
    wait: (wanted, found) => {
      const look = (): void => {
        const record = recent.find((candidate) => fits(candidate, wanted))
        if (record === undefined) return
        waiting.delete(look)
        found(record)
      }
      waiting.add(look)
      look()
      return () => waiting.delete(look)
    },
  }
}

function countedAs(route: RouteName): readonly (RouteName | 'total')[] {
  return ['total', route]
}

function fits(record: RequestRecord, { route, after = 0, status, state = 'answered' }: Wanted): boolean {
  if (record.number <= after || (route !== undefined && record.route !== route)) return false
  if (status !== undefined) return record.status === status
  return state === 'arrived' || record.status !== undefined
}
