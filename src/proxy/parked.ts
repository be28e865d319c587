import type { Change } from '#directory/changes.ts'
import { isEnforcedRefusal, type Decision } from '#policy/decide.ts'
import type { Metrics } from '#telemetry/metrics.ts'

/** A request that was allowed and has not been answered to its end. */
export interface OpenRequest {
  readonly user: string
  readonly deviceKey: string | undefined
  /** When time alone could turn the decision, ms since the epoch. */
  readonly validUntil: number
  /** Looks up and decides once more. */
  readonly decideAgain: () => Decision
  /** Ends it, now that it would be refused. Called at most once. */
  readonly end: (decision: Decision) => void
}

/** Every open answer, so that a change of facts or policy reaches what is already under way. T-53 */
export interface Parked {
  /** In the tick of the decision, before any upstream byte. */
  readonly enter: (request: OpenRequest) => void
  readonly leave: (request: OpenRequest) => void
  /** Re-decides what the changes concern. */
  readonly apply: (changes: readonly Change[]) => void
  readonly size: () => number
  readonly close: () => void
}

/** Longest stretch of re-deciding that holds the thread. */
const sliceMs = 5

/** `performanceNow` measures slices, `now` is the clock of decisions; both in milliseconds. */
export function createParked(
  metrics: Pick<Metrics, 'parkedRequests' | 'revocations' | 'revocationSeconds'>,
  now: () => number,
  performanceNow: () => number = () => performance.now(),
): Parked {
  /** With the time until which the last answer holds. */
  const open = new Map<OpenRequest, number>()

  const judge = (request: OpenRequest, since: number) => {
    const decision = request.decideAgain()
    if (!isEnforcedRefusal(decision)) {
      open.set(request, decision.validUntil)
      return
    }
    open.delete(request)
    metrics.parkedRequests.set(open.size)
    metrics.revocations.inc()
    metrics.revocationSeconds.observe((performanceNow() - since) / 1000)
    request.end(decision)
  }

  const judgeInSlices = (requests: readonly OpenRequest[], since: number) => {
    const sliceEnd = performanceNow() + sliceMs
    for (const [index, request] of requests.entries()) {
      if (performanceNow() > sliceEnd) {
        setImmediate(judgeInSlices, requests.slice(index), since)
        return
      }
      if (open.has(request)) judge(request, since)
    }
  }

  // one timer for all: a grace period or an override that ends is noticed within a second
  const timer = setInterval(() => {
    const time = now()
    const due: OpenRequest[] = []
    for (const [request, validUntil] of open) if (validUntil <= time) due.push(request)
    if (due.length > 0) judgeInSlices(due, performanceNow())
  }, 1000).unref()

  return {
    enter: (request) => {
      open.set(request, request.validUntil)
      metrics.parkedRequests.set(open.size)
    },
    leave: (request) => {
      if (open.delete(request)) metrics.parkedRequests.set(open.size)
    },
    apply: (changes) => {
      const concerned = concernedBy(changes)
      const requests = [...open.keys()].filter(concerned)
      if (requests.length > 0) judgeInSlices(requests, performanceNow())
    },
    size: () => open.size,
    close: () => clearInterval(timer),
  }
}

/** One look at each open request, however many changes come at once. */
function concernedBy(changes: readonly Change[]): (request: OpenRequest) => boolean {
  if (changes.some((change) => change.kind === 'policy' || change.kind === 'sources')) return () => true
  const deviceKeys = new Set<string>()
  const users = new Set<string>()
  for (const change of changes) {
    if (change.kind === 'device') deviceKeys.add(change.deviceKey)
    if (change.kind === 'override') users.add(change.user)
    if (change.kind === 'user') for (const name of [change.user, ...change.names]) users.add(name)
  }
  return ({ user, deviceKey }) => users.has(user) || (deviceKey !== undefined && deviceKeys.has(deviceKey))
}
