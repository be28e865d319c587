import type { Service } from './answers.ts'
import type { Behaviour } from './scenario.ts'
import { slidingWindow, type SlidingWindow } from './sliding-window.ts'

/** What the limits say of one call. */
export interface Verdict {
  /** Present where the call is refused. */
  readonly refusedBy?: string
  /** Present where the client is to be told. */
  readonly retryAfterSeconds?: number
  /** Headers of the directory, on good answers and refusals. */
  readonly headers: Readonly<Record<string, string>>
}

export interface ThrottledCall {
  readonly service: Service
  readonly clientId: string
  readonly tenantId: string
  /** Units; Intune counts calls. */
  readonly cost: number
}

/** Graph's limits by scope. Calls that are refused count too. */
export interface Throttle {
  readonly judge: (call: ThrottledCall, nowMs: number) => Verdict
}

/** The directory tells how full its bucket is from here on. */
const warningShare = 0.8
const highestShare = 1.8

/** `userCount` decides the directory's limit where the scenario has none: three sizes of tenant. */
export function createThrottle(limits: Behaviour['throttle'], userCount: number): Throttle {
  const windows = new Map<string, SlidingWindow>()
  const windowOf = (scope: string, windowSeconds: number): SlidingWindow => {
    const known = windows.get(scope)
    if (known !== undefined) return known
    const added = slidingWindow(windowSeconds * 1000)
    windows.set(scope, added)
    return added
  }
  const identity = limits.identity ?? {
    limit: userCount < 50 ? 3500 : userCount <= 500 ? 5000 : 8000,
    windowSeconds: 10,
  }
  const judge = ({ service, clientId, tenantId, cost }: ThrottledCall, nowMs: number): Verdict => {
    const scopes = [
      { name: `Application/ReadWrite/${clientId}`, limits: limits.graph, cost: 1 },
      ...(service === 'intune'
        ? [
            { name: `Intune/Tenant_Application/${clientId}/${tenantId}`, limits: limits.intuneApp, cost: 1 },
            { name: `Intune/Tenant/${tenantId}`, limits: limits.intuneTenant, cost: 1 },
          ]
        : [{ name: `Tenant_Application/ReadWrite/${clientId}/${tenantId}`, limits: identity, cost }]),
    ]
    let refusedBy: string | undefined
    let waitMs = 0
    let share = 0
    for (const scope of scopes) {
      const window = windowOf(scope.name, scope.limits.windowSeconds)
      window.add(nowMs, scope.cost)
      share = window.used(nowMs) / scope.limits.limit
      if (share <= 1) continue
      refusedBy = scope.name
      // the next call must fit in too
      waitMs = Math.max(waitMs, window.waitMs(nowMs, scope.limits.limit - scope.cost))
    }
    const isDirectory = service === 'directory'
    const headers = {
      ...(isDirectory ? { 'x-ms-resource-unit': String(cost) } : undefined),
      ...(isDirectory && share > warningShare
        ? { 'x-ms-throttle-limit-percentage': Math.min(share, highestShare).toFixed(1) }
        : undefined),
      ...(isDirectory && refusedBy !== undefined
        ? { 'x-ms-throttle-scope': refusedBy, 'x-ms-throttle-information': 'ResourceUnitLimitExceeded' }
        : undefined),
    }
    if (refusedBy === undefined) return { headers }
    if (limits.retryAfter === 'missing') return { refusedBy, headers }
    return { refusedBy, retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)), headers }
  }
  return { judge }
}
