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
  /** Explanations made between two drains: each costs about 0.1 ms here and in the owner. */
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

interface Waiting {
  report: TraceReport
  /** By the monotonic clock, ms. */
  readonly dueAt: number
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
  const answers = new LRUCache<string, LastAnswer>({ max: remembered })
  const explained = new LRUCache<string, true>({
    max: remembered,
    ttl: rememberMs,
    ttlResolution: 0,
    perf: clock,
  })
  const waiting = new Map<string, Waiting>()
  let explanations = 0
  let dropped = 0

  /** False for an allow that was told already. */
  function isNews(pair: string, { action, reason }: LastAnswer): boolean {
    const last = answers.get(pair)
    if (last?.action === action && last.reason === reason) return isRefusal(action)
    answers.set(pair, { action, reason })
    return true
  }

  return {
    add({ user, deviceKey, requestId, at, identity, explain }) {
      if (!isNews(JSON.stringify([user, deviceKey]), identity)) return
      const key = keyOf(user, deviceKey, identity)
      const entry = waiting.get(key)
      if (entry !== undefined) {
        const requests = entry.report.requests + 1
        entry.report = { ...entry.report, requests, lastRequestId: requestId, lastAt: at }
        return
      }
      const isRepeat = explained.has(key)
      if (isRepeat ? waiting.size >= remembered : explanations >= max) {
        dropped++
        return
      }
      const ids = { requestId, lastRequestId: requestId }
      const report = { user, deviceKey, ...identity, requests: 1, ...ids, lastAt: at }
      if (isRepeat) {
        waiting.set(key, { report, dueAt: clock.now() + repeatMs })
        return
      }
      explanations++
      explained.set(key, true)
      waiting.set(key, { report: { ...report, explained: bounded(explain()) }, dueAt: 0 })
    },

    drain(everything = false) {
      const now = everything ? Infinity : clock.now()
      const due = [...waiting].filter(([, { dueAt }]) => dueAt <= now)
      for (const [key] of due) waiting.delete(key)
      const drained = { traces: due.map(([, { report }]) => report), dropped }
      explanations = 0
      dropped = 0
      return drained
    },
  }
}

function keyOf(user: string, deviceKey: string, identity: TraceIdentity): string {
  const { action, reason, rule, policyRevision, policyDigest, factsRevision } = identity
  return JSON.stringify([user, deviceKey, action, reason, rule, policyRevision, policyDigest, factsRevision])
}

function bounded(explanation: Explained): Explained {
  const fields = Object.entries(explanation.fields).map(([name, fact]) => {
    const { value } = fact
    return [name, typeof value === 'object' ? { ...fact, value: value.slice(0, maxListed) } : fact]
  })
  return { ...explanation, fields: Object.fromEntries(fields) as Explained['fields'] }
}
