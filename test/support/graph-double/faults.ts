import type { Fault, RouteName } from './scenario.ts'

export type FaultKind = Fault['does']

/** Says what goes wrong with the next call of a route. Each call is counted once by every fault of the route. */
export type NextFault = (route: RouteName) => FaultKind | undefined

export function createFaults(faults: readonly Fault[]): NextFault {
  const counted = faults.map((fault) => ({ fault, calls: 0 }))
  return (route) => {
    let found: FaultKind | undefined
    for (const entry of counted) {
      const { fault } = entry
      if (fault.route !== route) continue
      const call = entry.calls++
      const isDue = call >= fault.after && call < fault.after + (fault.times ?? Infinity)
      if (isDue) found ??= fault.does
    }
    return found
  }
}
