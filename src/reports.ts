import type { ClientChange, ClientClaim } from '#directory/client-change.ts'
import type { Store } from '#directory/store.ts'
import { clientText, type Logger } from '#telemetry/log.ts'
import type { Metrics } from '#telemetry/metrics.ts'
import type { Report } from './messages.ts'

/** Takes what workers saw into the store. */
export interface Reports {
  readonly add: (report: Report) => void
  /** Resolves once everything that was added before the call is stored or given up. */
  readonly settled: () => Promise<void>
}

/** Parts of reports that may wait while the store is slow; what does not fit is dropped and counted, as in a worker. */
const maxWaiting = 1024

export interface ReportsOptions {
  readonly store: Pick<Store, 'recordSightings' | 'recordTraces' | 'count'>
  readonly metrics: Pick<Metrics, 'droppedSightings' | 'droppedTraces' | 'clientChanges'>
  readonly log: Pick<Logger, 'error' | 'warn'>
}

/** One report is written at a time. Losing one costs a second of history, never a request. */
export function createReports({ store, metrics, log }: ReportsOptions): Reports {
  let waiting = 0
  let last: Promise<void> = Promise.resolve()

  const remember = async ({ sightings, counts, traces }: Report) => {
    try {
      const { dropped, clientChanges } = await store.recordSightings(sightings)
      metrics.droppedSightings.inc(dropped)
      metrics.clientChanges.inc(clientChanges.length)
      for (const change of clientChanges)
        log.warn(shownChange(change), 'a known device came as another client')
      store.count(counts)
    } catch (error) {
      metrics.droppedSightings.inc(sightings.length)
      log.error({ err: error }, 'sightings of one second were lost')
    }
    try {
      await store.recordTraces(traces)
    } catch (error) {
      metrics.droppedTraces.inc(traces.length)
      log.error({ err: error }, 'traces of one second were lost')
    }
    waiting--
  }

  return {
    add: (report) => {
      if (waiting === maxWaiting) {
        metrics.droppedSightings.inc(report.sightings.length)
        metrics.droppedTraces.inc(report.traces.length)
        return
      }
      waiting++
      last = last.then(() => remember(report))
    },
    settled: () => last,
  }
}

function shownChange({ user, deviceId, before, after }: ClientChange) {
  return { user: clientText(user), deviceId, before: shownClaim(before), after: shownClaim(after) }
}

function shownClaim({ deviceType, client }: ClientClaim) {
  return { deviceType: clientText(deviceType), client }
}
