import { createLookup } from '#directory/lookup.ts'
import { createHourlyCounts } from '#directory/hourly-counts.ts'
import { createSightingBatch } from '#directory/sightings.ts'
import { openStoreReader } from '#directory/store.ts'
import { createProxy, type Proxy } from '#proxy/create-proxy.ts'
import { createLog } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { sourceNames, type OwnerMessage, type WorkerMessage, type WorkerSettings } from './messages.ts'

const reportIntervalMs = 1000
/** Pairs reported in one go; more in one second are dropped and counted. */
const maxReportedPairs = 10_000

/** A worker: holds the proxy listener, caches and pools; reads the store, never writes it. Lives as long as its owner. */
export function runWorker(): void {
  const metrics = createMetrics()
  let proxy: Proxy | undefined

  const start = async ({ config, policy }: WorkerSettings) => {
    const log = createLog(config.log.level, { pid: process.pid })
    const store = openStoreReader(config.store.path, { sourceOrder: sourceNames(config) })
    const sightings = createSightingBatch({ max: maxReportedPairs })
    const counts = createHourlyCounts(Date.now)
    proxy = createProxy({
      config,
      policy,
      lookup: createLookup({ store, max: config.limits.cachedDevices }),
      metrics,
      log,
      onOutcome: (outcome, sighting) => {
        counts.add(outcome)
        if (sighting !== undefined) sightings.add(sighting)
      },
    })
    const port = await proxy.start()
    setInterval(() => {
      const seen = sightings.drain()
      const counted = counts.drain()
      metrics.droppedSightings.inc(seen.dropped)
      if (counted.length > 0) send({ type: 'report', sightings: seen.sightings, counts: counted })
    }, reportIntervalMs)
    send({ type: 'listening', port })
  }

  process.on('message', (message: OwnerMessage) => {
    switch (message.type) {
      case 'start':
        void start(message.settings)
        return
      case 'changes':
        proxy?.apply(message.changes)
        send({ type: 'ack', id: message.id })
        return
      case 'policy':
        proxy?.setPolicy(message.policy)
        send({ type: 'ack', id: message.id })
        return
      case 'metrics':
        void metrics.registry
          .getMetricsAsJSON()
          .then((snapshot) => send({ type: 'metrics', id: message.id, snapshot }))
        return
      case 'stop':
        void (proxy?.close() ?? Promise.resolve()).then(() => process.exit(0))
    }
  })
  // without the owner nothing tells us of changes any more, so nothing may be decided
  process.once('disconnect', () => process.exit(1))
  // the terminal's Ctrl-C reaches the whole group: the owner says when to stop
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', () => undefined)
}

function send(message: WorkerMessage): void {
  process.send?.(message)
}
