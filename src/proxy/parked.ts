import type { Change } from '#directory/changes.ts'
import type { Metrics } from '#telemetry/metrics.ts'
import { createReleasePace } from './release-pace.ts'

/** What is to become of an open request, by the facts and the policy of now. `end` is called at most once. */
export type Fate =
  /** Nothing, until time alone could change that, ms since the epoch. */
  | { readonly kind: 'stays'; readonly validUntil: number }
  /** It was on its way to Exchange, and would be refused now. */
  | { readonly kind: 'revoked'; readonly end: () => void }
  /** It waits in quarantine, and there is something else to tell. */
  | { readonly kind: 'answered'; readonly end: () => void }
  /** It waits in quarantine, and its device is let in. Its turn comes by and by: a full sync follows. */
  | { readonly kind: 'released'; readonly end: () => void }

/** A request that has not been answered to its end: on its way to Exchange, or one of ours that waits. */
export interface OpenRequest {
  readonly user: string
  readonly deviceKey: string | undefined
  /** When time alone could change what it was judged by, ms since the epoch. */
  readonly validUntil: number
  /** Looks up and decides once more. */
  readonly judge: () => Fate
  /** Of a request that we answer; the others end as Exchange ends them. */
  readonly wait?: Wait
}

/** How a request of ours waits. */
export interface Wait {
  /** A later request of this name takes the place of an earlier one, whose phone has given it up. */
  readonly name: string
  readonly seconds: number
  /** Ends it: the time is over, its place is taken, or the worker stops. Called at most once. */
  readonly over: () => void
}

/** Every open answer, so that a change of facts or policy reaches what is already under way. T-53 */
export interface Parked {
  /**
   * In the tick of the decision, before any upstream byte. A request that waits is judged again at once: its body came
   * after its decision.
   * @returns false where it cannot wait, as too many do
   */
  readonly enter: (request: OpenRequest) => boolean
  readonly leave: (request: OpenRequest) => void
  /** Judges again what the changes concern. */
  readonly apply: (changes: readonly Change[]) => void
  readonly size: () => number
  /** Ends what waits; what is on its way to Exchange ends with its connection. */
  readonly close: () => void
}

export interface ParkedOptions {
  readonly metrics: Pick<Metrics, 'parkedRequests' | 'revocations' | 'revocationSeconds' | 'releases'>
  /** Requests that may wait at one time. */
  readonly maxWaiting: number
  /** Requests that are released in a second, as soon as there are several. */
  readonly releasePerSecond: number
  /** The clock of decisions, ms since the epoch. */
  readonly now: () => number
  /** Monotonic, for what is measured; ms. */
  readonly performanceNow?: () => number
  /** From 0 to 1. */
  readonly random?: () => number
}

/** Longest stretch of judging that holds the thread. */
const sliceMs = 5
/** What is ended leaves its log line, its sighting and maybe an explanation to be made, right behind the slice. */
const endsOfSlice = 16
const tickMs = 100
/** Ticks between two looks at what is over by the clock. */
const ticksToLook = 10

interface Entry {
  readonly request: OpenRequest
  /** Until when the last judgement holds, ms since the epoch. */
  validUntil: number
  /** Monotonic; Infinity for what does not wait. */
  readonly overAt: number
  /** It has its turn to be released. */
  releasing: boolean
}

export function createParked(options: ParkedOptions): Parked {
  const { metrics, maxWaiting, releasePerSecond, now, random } = options
  const performanceNow = options.performanceNow ?? (() => performance.now())
  const open = new Map<OpenRequest, Entry>()
  /** By their names, those that wait. */
  const waiting = new Map<string, Entry>()
  const pace = createReleasePace<Entry>({ perSecond: releasePerSecond, ...(random && { random }) })

  const isOpen = (entry: Entry) => open.get(entry.request) === entry

  const remove = ({ request }: Entry) => {
    open.delete(request)
    if (request.wait !== undefined && waiting.get(request.wait.name)?.request === request) {
      waiting.delete(request.wait.name)
    }
    metrics.parkedRequests.set(open.size)
  }

  const finish = (entry: Entry): boolean => {
    remove(entry)
    entry.request.wait?.over()
    return true
  }

  /**
   * @param since when that became known by which it is judged, of the monotonic clock
   * @returns true where it ended
   */
  const judge = (entry: Entry, since: number, isItsTurn = false): boolean => {
    const fate = entry.request.judge()
    switch (fate.kind) {
      case 'stays':
        entry.validUntil = fate.validUntil
        return false
      case 'released':
        if (!isItsTurn) {
          // it is judged again when its turn has come
          entry.validUntil = Infinity
          if (!entry.releasing) pace.add(entry, performanceNow())
          entry.releasing = true
          return false
        }
        metrics.releases.inc()
        break
      case 'revoked':
        metrics.revocations.inc()
        metrics.revocationSeconds.observe((performanceNow() - since) / 1000)
        break
      case 'answered':
    }
    remove(entry)
    fate.end()
    return true
  }

  /** @param look gives true where it ended the request */
  const inSlices = (entries: readonly Entry[], look: (entry: Entry) => boolean) => {
    const sliceEnd = performanceNow() + sliceMs
    let ends = 0
    for (const [index, entry] of entries.entries()) {
      if (ends === endsOfSlice || performanceNow() > sliceEnd) {
        setImmediate(inSlices, entries.slice(index), look)
        return
      }
      if (isOpen(entry) && look(entry)) ends++
    }
  }

  const releaseDue = () => {
    const since = performanceNow()
    inSlices(pace.take(since), (entry) => {
      entry.releasing = false
      return judge(entry, since, true)
    })
  }

  /** A grace period or an override that ends, and a heartbeat, are noticed within a second. */
  const lookAtClocks = () => {
    const time = now()
    const since = performanceNow()
    const over: Entry[] = []
    const due: Entry[] = []
    for (const entry of open.values()) {
      if (entry.overAt <= since) over.push(entry)
      else if (entry.validUntil <= time) due.push(entry)
    }
    inSlices(over, finish)
    inSlices(due, (entry) => judge(entry, since))
  }

  // one timer for all
  let ticks = 0
  const timer = setInterval(() => {
    releaseDue()
    ticks = (ticks + 1) % ticksToLook
    if (ticks === 0) lookAtClocks()
  }, tickMs).unref()

  return {
    enter: (request) => {
      const { wait, validUntil } = request
      const earlier = wait && waiting.get(wait.name)
      if (earlier !== undefined) finish(earlier)
      if (wait !== undefined && waiting.size >= maxWaiting) return false
      const since = performanceNow()
      const overAt = wait === undefined ? Infinity : since + wait.seconds * 1000
      const entry: Entry = { request, validUntil, overAt, releasing: false }
      open.set(request, entry)
      metrics.parkedRequests.set(open.size)
      if (wait !== undefined) {
        waiting.set(wait.name, entry)
        judge(entry, since)
      }
      return true
    },
    leave: (request) => {
      const entry = open.get(request)
      if (entry !== undefined) remove(entry)
    },
    apply: (changes) => {
      const concerned = concernedBy(changes)
      const entries = [...open.values()].filter(({ request }) => concerned(request))
      const since = performanceNow()
      inSlices(entries, (entry) => judge(entry, since))
    },
    size: () => open.size,
    close: () => {
      clearInterval(timer)
      for (const entry of waiting.values()) finish(entry)
    },
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
