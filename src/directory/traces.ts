import { LRUCache } from 'lru-cache'
import type { Explained } from '#policy/explanation.ts'
import { isRefusal } from '#policy/reasons.ts'
import type { LastAnswer } from './read-facts.ts'

/** What makes two decisions on one pair the same: they are counted, and explained once. */
export interface TraceIdentity extends LastAnswer {
  readonly rule: string
  readonly policyRevision: number
  readonly policyDigest: string
  readonly factsRevision: number
}

/** Requests of one pair that were decided alike, as a worker reports them. */
export interface TraceReport extends TraceIdentity {
  /** The resolved directory user; where none resolves, the first name of the login, lower case. */
  readonly user: string
  /** Folded, see `deviceKey`. */
  readonly deviceKey: string
  readonly requests: number
  /** Of the first and of the last of them. */
  readonly requestId: string
  readonly lastRequestId: string
  /** Of the last of them, ms since the epoch. */
  readonly lastAt: number
  /** Absent where an earlier report of this worker holds it. */
  readonly explained?: Explained
}

/** One request of a pair whose credentials were proved: what others say fills no store. T-56 */
export interface TracedRequest {
  readonly user: string
  readonly deviceKey: string
  readonly requestId: string
  /** ms since the epoch. */
  readonly at: number
  readonly identity: TraceIdentity
  /** Called where no such request was explained yet. */
  readonly explain: () => Explained
}

/** What a worker hands to the owner once a second. */
export interface DrainedTraces {
  readonly traces: readonly TraceReport[]
  /** Requests that did not fit since the last drain. */
  readonly dropped: number
}

export interface TraceBatch {
  /** Takes a refusal, or an allow that may be news. */
  add(request: TracedRequest): void
  /** Gives what is due now; at the end of the process `everything`. */
  drain(everything?: boolean): DrainedTraces
}

export interface TraceBatchOptions {
  /** Explanations made between two drains: each costs about 0.05 ms here and 0.2 ms in the owner. */
  readonly max: number
  /** Pairs and decisions remembered, so that they are not explained again. */
  readonly remembered?: number
  /** Monotonic clock, ms. T-55 */
  readonly clock?: { now(): number }
}

/** A refused phone comes back every few seconds: that it did is told this often. */
const repeatMs = 60_000
/** By then the store may have dropped an explanation: it is made anew. */
const rememberMs = 3_600_000
const defaultRemembered = 10_000

/** Names of a list that an explanation holds: a user may be in two thousand groups. */
const maxListed = 100

/** Requests of one pair that were decided alike and are to be reported. */
interface Waiting {
  readonly request: Omit<TracedRequest, 'explain'>
  /** Absent in a repeat, and once it is reported. */
  explained: Explained | undefined
  /** By the monotonic clock, ms. */
  readonly dueAt: number
  isReported: boolean
  requests: number
  lastRequestId: string
  lastAt: number
}

/**
 * A worker's explanations of refusals and of changed answers. What is decided like something before is counted, not
 * explained again; what does not fit is dropped and counted. T-51
 */
export function createTraceBatch({
  max,
  remembered = defaultRemembered,
  clock = performance,
}: TraceBatchOptions): TraceBatch {
  /** By pair. */
  const lasts = new LRUCache<string, Waiting>({ max: remembered })
  const explained = new LRUCache<string, true>({
    max: remembered,
    ttl: rememberMs,
    ttlResolution: 0,
    perf: clock,
  })
  const waiting = new Map<string, Waiting>()
  let explanations = 0
  let dropped = 0

  /** Undefined where it does not fit. */
  function begin(key: string, { explain, ...request }: TracedRequest): Waiting | undefined {
    const isRepeat = explained.has(key)
    if (isRepeat ? waiting.size >= remembered : explanations >= max) return undefined
    const counts = { isReported: false, requests: 0, lastRequestId: request.requestId, lastAt: request.at }
    if (isRepeat) return { request, explained: undefined, dueAt: clock.now() + repeatMs, ...counts }
    explanations++
    explained.set(key, true)
    return { request, explained: bounded(explain()), dueAt: 0, ...counts }
  }

  /** What counts the request. */
  function entryOf(pair: string, last: Waiting | undefined, request: TracedRequest): Waiting | undefined {
    const { identity } = request
    // a phone that polls comes no further
    if (last?.isReported === false && isSame(last.request.identity, identity)) return last
    const key = keyOf(pair, identity)
    const entry = waiting.get(key) ?? begin(key, request)
    if (entry === undefined) return undefined
    waiting.set(key, entry)
    lasts.set(pair, entry)
    return entry
  }

  return {
    add(request) {
      const { user, deviceKey, identity } = request
      const pair = JSON.stringify([user, deviceKey])
      const last = lasts.get(pair)
      if (last !== undefined && isToldAllow(last.request.identity, identity)) return
      const entry = entryOf(pair, last, request)
      if (entry === undefined) {
        dropped++
        return
      }
      entry.requests++
      entry.lastRequestId = request.requestId
      entry.lastAt = request.at
    },

    drain(everything = false) {
      const now = everything ? Infinity : clock.now()
      const traces: TraceReport[] = []
      for (const [key, entry] of waiting) {
        if (entry.dueAt > now) continue
        traces.push(reportOf(entry))
        waiting.delete(key)
        entry.isReported = true
        entry.explained = undefined
      }
      const drained = { traces, dropped }
      explanations = 0
      dropped = 0
      return drained
    },
  }
}

/** An allow is told where it changes the answer. */
function isToldAllow(last: TraceIdentity, { action, reason }: TraceIdentity): boolean {
  return !isRefusal(action) && last.action === action && last.reason === reason
}

function isSame(one: TraceIdentity, other: TraceIdentity): boolean {
  return (
    one.action === other.action &&
    one.reason === other.reason &&
    one.rule === other.rule &&
    one.policyRevision === other.policyRevision &&
    one.policyDigest === other.policyDigest &&
    one.factsRevision === other.factsRevision
  )
}

function keyOf(pair: string, identity: TraceIdentity): string {
  const { action, reason, rule, policyRevision, policyDigest, factsRevision } = identity
  return JSON.stringify([pair, action, reason, rule, policyRevision, policyDigest, factsRevision])
}

function reportOf({ request, explained, requests, lastRequestId, lastAt }: Waiting): TraceReport {
  const { user, deviceKey, requestId, identity } = request
  const report = { user, deviceKey, ...identity, requests, requestId, lastRequestId, lastAt }
  return explained === undefined ? report : { ...report, explained }
}

function bounded(explanation: Explained): Explained {
  const fields = Object.entries(explanation.fields).map(([name, fact]) => {
    const { value } = fact
    return [name, typeof value === 'object' ? { ...fact, value: value.slice(0, maxListed) } : fact]
  })
  return { ...explanation, fields: Object.fromEntries(fields) as Explained['fields'] }
}
