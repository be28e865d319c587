import { EnvironmentError, opened } from '#cli/command.ts'
import type { LookUpOutcome } from '#directory/facts-source.ts'
import { sourceNames } from '#config/source-names.ts'
import { createLookup, type Lookup } from '#directory/lookup.ts'
import { createHourlyCounts } from '#directory/hourly-counts.ts'
import { createSightingBatch } from '#directory/sightings.ts'
import { openStoreReader } from '#directory/store.ts'
import type { EnteredCode } from '#enrollment/codes.ts'
import { createTraceBatch } from '#directory/traces.ts'
import { createProxy, type Proxy } from '#proxy/create-proxy.ts'
import { createLog, type Logger } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import type { OwnerMessage, Report, WorkerMessage, WorkerSettings } from './messages.ts'
import { partsOf } from './report-parts.ts'

const reportIntervalMs = 1000
/** Pairs reported in one go; more in one second are dropped and counted. */
const maxReportedPairs = 10_000
/** Explanations made in one second; the requests behind them are counted as dropped, and explained when they come again. */
const maxExplanations = 200

/** A worker: holds the proxy listener, caches and pools; reads the store, never writes it. Lives as long as its owner. */
export function runWorker(): void {
  let lookup: Lookup | undefined
  const metrics = createMetrics({ lookups: () => lookup?.counts ?? { hits: 0, misses: 0 } })
  let proxy: Proxy | undefined
  const sightings = createSightingBatch({ max: maxReportedPairs })
  const traces = createTraceBatch({ max: maxExplanations })
  const counts = createHourlyCounts(Date.now)
  const lookUps = createQuestions<{ user: string; deviceId: string }, LookUpOutcome>((id, pair) => ({
    type: 'look-up',
    id,
    ...pair,
  }))
  const codes = createQuestions<string, string | undefined>((id, pairId) => ({
    type: 'make-code',
    id,
    pairId,
  }))
  const tries = createQuestions<{ code: string; address: string }, EnteredCode>((id, tried) => ({
    type: 'enter-code',
    id,
    ...tried,
  }))

  const report = (isLast = false) => {
    const seen = sightings.drain()
    const traced = traces.drain(isLast)
    const counted = counts.drain()
    metrics.droppedSightings.inc(seen.dropped)
    metrics.droppedTraces.inc(traced.dropped)
    if (counted.length === 0 && traced.traces.length === 0) return
    const parts = partsOf({ sightings: seen.sightings, counts: counted, traces: traced.traces })
    if (isLast) for (const part of parts) send({ type: 'report', report: part })
    else sendByTurns(parts)
  }

  const start = async (settings: WorkerSettings, log: Logger) => {
    const { config, policy, quarantine, enrollment, workers } = settings
    const store = openStoreReader(config.store.path, { sourceOrder: sourceNames(config) })
    lookup = createLookup({ store, max: config.limits.cachedDevices })
    proxy = createProxy({
      config,
      policy,
      lookup,
      metrics,
      log,
      lookUpNow: (user, deviceId) => lookUps.ask({ user, deviceId }),
      quarantine,
      enrollment,
      enrollmentDeps: {
        key: store.signingKey('enrollment link'),
        seenPair: (id) => store.seenPair(id),
        makeCode: codes.ask,
        enterCode: (code, address) => tries.ask({ code, address }),
      },
      signingKey: store.signingKey('quarantine mailbox'),
      workers,
      tracing: { batch: traces, provenance: (user, deviceKey) => store.provenance(user, deviceKey) },
      onOutcome: (outcome, sighting) => {
        counts.add(outcome)
        if (sighting !== undefined) sightings.add(sighting)
      },
    })
    const port = await opened(proxy.start(), 'listen.address', config.listen.address)
    setInterval(() => report(), reportIntervalMs)
    send({ type: 'listening', port })
  }

  const stop = async (id: number) => {
    await proxy?.close()
    report(true)
    send({ type: 'ack', id }, () => process.exit(0))
  }

  process.on('message', (message: OwnerMessage) => {
    switch (message.type) {
      case 'start': {
        const log = createLog(message.settings.config.log.level, { pid: process.pid })
        start(message.settings, log).catch((error: unknown) => {
          if (!(error instanceof EnvironmentError)) log.error({ err: error }, 'a worker cannot start')
          const reason = error instanceof Error ? error.message : String(error)
          send({ type: 'failed', message: reason })
        })
        return
      }
      case 'changes':
        proxy?.apply(message.changes)
        send({ type: 'ack', id: message.id })
        return
      case 'policy':
        proxy?.setPolicy(message.policy)
        send({ type: 'ack', id: message.id })
        return
      case 'quarantine':
        proxy?.setQuarantine(message.quarantine)
        send({ type: 'ack', id: message.id })
        return
      case 'enrollment':
        proxy?.setEnrollment(message.enrollment)
        send({ type: 'ack', id: message.id })
        return
      case 'looked-up':
        lookUps.answered(message.id, message.outcome)
        return
      case 'code-made':
        codes.answered(message.id, message.code)
        return
      case 'code-entered':
        tries.answered(message.id, message.entered)
        return
      case 'metrics':
        void metrics.registry
          .getMetricsAsJSON()
          .then((snapshot) => send({ type: 'metrics', id: message.id, snapshot }))
        return
      case 'stop':
        void stop(message.id)
    }
  })
  // without the owner nothing tells us of changes any more, so nothing may be decided
  process.once('disconnect', () => process.exit(1))
  // a terminal signals the whole group: the owner says when to stop and when to load the policy
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined)
}

/** Questions of one kind to the owner, who answers each. */
function createQuestions<Question, Answer>(ask: (id: number, question: Question) => WorkerMessage) {
  const waiting = new Map<number, (answer: Answer) => void>()
  let nextId = 0
  return {
    ask: (question: Question) =>
      new Promise<Answer>((resolve) => {
        const id = nextId++
        waiting.set(id, resolve)
        send(ask(id, question))
      }),
    answered: (id: number, answer: Answer) => {
      waiting.get(id)?.(answer)
      waiting.delete(id)
    },
  }
}

/** Each in a turn of the event loop of its own. */
function sendByTurns([first, ...later]: readonly Report[]): void {
  if (first === undefined) return
  send({ type: 'report', report: first })
  if (later.length > 0) setImmediate(sendByTurns, later)
}

/** The owner may be gone by now; `disconnect` ends the worker then. */
function send(message: WorkerMessage, onSent: () => void = () => undefined): void {
  process.send?.(message, onSent)
}
