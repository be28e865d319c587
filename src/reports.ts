import type { Store } from '#directory/store.ts'
import type { Logger } from '#telemetry/log.ts'
import type { Metrics } from '#telemetry/metrics.ts'
import type { Report } from './messages.ts'

/** Takes what workers saw into the store. */
export interface Reports {
  readonly add: (report: Report) => void
  /** Resolves once everything that was added before the call is stored or given up. */
  readonly settled: () => Promise<void>
}

/** Reports that may wait while the store is slow; what does not fit is dropped and counted, as in a worker. */
const maxWaiting = 64

export interface ReportsOptions {
  readonly store: Pick<Store, 'recordSightings' | 'count'>
  readonly metrics: Pick<Metrics, 'droppedSightings'>
  readonly log: Pick<Logger, 'error'>
}

/** One report is written at a time. Losing one costs a second of history, never a request. */
export function createReports({ store, metrics, log }: ReportsOptions): Reports {
  let waiting = 0
  let last: Promise<void> = Promise.resolve()

  const remember = async ({ sightings, counts }: Report) => {
    try {
      const { dropped } = await store.recordSightings(sightings)
      metrics.droppedSightings.inc(dropped)
      store.count(counts)
    } catch (error) {
      metrics.droppedSightings.inc(sightings.length)
      log.error({ err: error }, 'sightings of one second were lost')
    }
    waiting--
  }

  return {
    add: (report) => {
      if (waiting === maxWaiting) {
        metrics.droppedSightings.inc(report.sightings.length)
        return
      }
      waiting++
      last = last.then(() => remember(report))
    },
    settled: () => last,
  }
}
