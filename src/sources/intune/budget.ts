import type { Clock } from '../clock.ts'

/** Look-ups go first: somebody waits for them. */
export type Priority = 'high' | 'low'

/** What Graph lets an app do within a sliding window: calls for Intune, units of cost for the directory. */
export interface BudgetLimit {
  readonly units: number
  readonly windowMs: number
}

/** Hands out what may be asked of one service of Graph. */
export interface Budget {
  /** Resolves when a call of so many units may be sent; rejects with the signal's reason. */
  readonly take: (units: number, priority: Priority, signal: AbortSignal) => Promise<void>
  /** Nothing is sent for so long: calls while throttled count against the app too. */
  readonly pause: (ms: number) => void
  /** Nothing of low priority is sent for so long. */
  readonly easeOff: (ms: number) => void
}

/** Parts of the limit. Other programs share an app's limits, and a tenant's; what low leaves is kept for look-ups. */
const shares: Readonly<Record<Priority, number>> = { high: 0.9, low: 0.6 }

interface Waiting {
  readonly units: number
  readonly release: () => void
}

export function createBudget({ units: limit, windowMs }: BudgetLimit, clock: Clock): Budget {
  /** What was sent within the window, oldest first. */
  const spent: { readonly at: number; readonly units: number }[] = []
  let used = 0
  const queues: Readonly<Record<Priority, Set<Waiting>>> = { high: new Set(), low: new Set() }
  const notBefore: Record<Priority, number> = { high: 0, low: 0 }
  /** When the queues are looked at next; undefined: nobody waits. */
  let wakeAt: number | undefined

  const most = (priority: Priority): number => limit * shares[priority]

  function forgetOld(now: number): void {
    const kept = spent.findIndex(({ at }) => at > now - windowMs)
    for (const { units } of spent.splice(0, kept === -1 ? spent.length : kept)) used -= units
  }

  /** The first instant at which a call fits. */
  function fitsAt(priority: Priority, units: number): number {
    let free = most(priority) - used
    if (free >= units || spent.length === 0) return notBefore[priority]
    for (const entry of spent) {
      free += entry.units
      if (free >= units) return Math.max(notBefore[priority], entry.at + windowMs)
    }
    return Math.max(notBefore[priority], clock.now() + windowMs)
  }

  /** Lets go who may; says when the next one may. */
  function serve(now: number): number | undefined {
    for (const priority of ['high', 'low'] as const) {
      for (const waiting of queues[priority]) {
        const at = fitsAt(priority, waiting.units)
        if (at > now) return at
        queues[priority].delete(waiting)
        spent.push({ at: now, units: waiting.units })
        used += waiting.units
        waiting.release()
      }
    }
    return undefined
  }

  function look(): void {
    const now = clock.now()
    forgetOld(now)
    const next = serve(now)
    if (next === undefined || (wakeAt !== undefined && wakeAt <= next)) return
    wakeAt = next
    void clock.sleep(next - now).then(() => {
      if (wakeAt !== next) return
      wakeAt = undefined
      look()
    })
  }

  return {
    async take(units, priority, signal) {
      signal.throwIfAborted()
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const waiting: Waiting = { units, release: resolve }
      const onAbort = (): void => {
        queues[priority].delete(waiting)
        reject(signal.reason)
      }
      queues[priority].add(waiting)
      signal.addEventListener('abort', onAbort)
      look()
      try {
        await promise
      } finally {
        signal.removeEventListener('abort', onAbort)
      }
    },
    pause(ms) {
      const until = clock.now() + ms
      for (const priority of ['high', 'low'] as const)
        notBefore[priority] = Math.max(notBefore[priority], until)
    },
    easeOff(ms) {
      notBefore.low = Math.max(notBefore.low, clock.now() + ms)
    },
  }
}
