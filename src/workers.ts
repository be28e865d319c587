import cluster, { type Worker } from 'node:cluster'
import { availableParallelism } from 'node:os'
import type { Change } from '#directory/changes.ts'
import type { Logger } from '#telemetry/log.ts'
import type { MetricsSnapshot } from '#telemetry/metrics.ts'
import type { OwnerMessage, PolicyInForce, WorkerMessage, WorkerSettings } from './messages.ts'

/** A worker that does not answer within this is taken for hung and replaced. */
const answerTimeoutMs = 5000
/** A worker that dies at its start would be forked without pause. */
const restartDelayMs = 500

export interface WorkersOptions {
  readonly count: number
  readonly settings: () => WorkerSettings
  readonly log: Pick<Logger, 'info' | 'error'>
  readonly onReport: (report: Extract<WorkerMessage, { type: 'report' }>) => void
}

/** The worker processes, as the owner sees them. */
export interface Workers {
  /** Forks them all; resolves with the port once each listens. Rejects where one dies before. */
  readonly start: () => Promise<number>
  /** Resolves when every worker decides by the changes. A worker that does not answer is replaced, and then does. */
  readonly publish: (changes: readonly Change[]) => Promise<void>
  readonly setPolicy: (policy: PolicyInForce) => Promise<void>
  readonly metrics: () => Promise<readonly MetricsSnapshot[]>
  /** True while every worker listens. */
  readonly ready: () => boolean
  readonly stop: () => Promise<void>
}

/** `auto` is one worker a core. */
export function workerCount(workers: number | 'auto'): number {
  return workers === 'auto' ? availableParallelism() : workers
}

interface Pending {
  readonly worker: Worker
  readonly settle: (answer: WorkerMessage | undefined) => void
}

export function createWorkers({ count, settings, log, onReport }: WorkersOptions): Workers {
  // workers accept by themselves: the owner has no part in a request
  cluster.schedulingPolicy = cluster.SCHED_NONE
  const listening = new Set<Worker>()
  const alive = new Set<Worker>()
  const pending = new Map<number, Pending>()
  let nextId = 0
  let stopping = false

  const fork = (onListening: (port: number) => void, onDeath: (error: Error) => void) => {
    const worker = cluster.fork()
    alive.add(worker)
    const startMessage: OwnerMessage = { type: 'start', settings: settings() }
    worker.send(startMessage)
    worker.on('message', (message: WorkerMessage) => {
      switch (message.type) {
        case 'listening':
          listening.add(worker)
          onListening(message.port)
          return
        case 'report':
          onReport(message)
          return
        case 'ack':
        case 'metrics':
          pending.get(message.id)?.settle(message)
      }
    })
    worker.once('exit', (code, signal) => {
      alive.delete(worker)
      listening.delete(worker)
      for (const entry of pending.values()) if (entry.worker === worker) entry.settle(undefined)
      onDeath(new Error(`worker ${worker.process.pid} ended with ${signal ?? code}`))
    })
  }

  const replace = (error: Error) => {
    if (stopping) return
    log.error({ err: error }, 'a worker ended and is replaced')
    setTimeout(() => {
      if (!stopping) fork(() => log.info('the worker is replaced'), replace)
    }, restartDelayMs)
  }

  /** Asks one worker; undefined where it died, or was ended because it did not answer. */
  const ask = (worker: Worker, message: (id: number) => OwnerMessage): Promise<WorkerMessage | undefined> =>
    new Promise((resolve) => {
      const id = nextId++
      const timer = setTimeout(() => {
        log.error({ pid: worker.process.pid }, 'a worker does not answer and is ended')
        worker.process.kill('SIGKILL')
      }, answerTimeoutMs)
      pending.set(id, {
        worker,
        settle: (answer) => {
          clearTimeout(timer)
          pending.delete(id)
          resolve(answer)
        },
      })
      worker.send(message(id))
    })

  const askAll = async (message: (id: number) => OwnerMessage): Promise<void> => {
    // also those that do not listen yet: they may have read the store already
    await Promise.all([...alive].map((worker) => ask(worker, message)))
  }

  return {
    start: async () => {
      const ports = await Promise.all(
        Array.from({ length: count }, () => {
          const { promise, resolve, reject } = Promise.withResolvers<number>()
          let up = false
          fork(
            (port) => {
              up = true
              resolve(port)
            },
            (error) => (up ? replace(error) : reject(error)),
          )
          return promise
        }),
      )
      return ports[0] ?? 0
    },
    publish: (changes) => askAll((id) => ({ type: 'changes', id, changes })),
    setPolicy: (policy) => askAll((id) => ({ type: 'policy', id, policy })),
    metrics: async () => {
      const answers = await Promise.all(
        [...listening].map((worker) => ask(worker, (id) => ({ type: 'metrics', id }))),
      )
      return answers.flatMap((answer) => (answer?.type === 'metrics' ? [answer.snapshot] : []))
    },
    ready: () => listening.size === count,
    stop: async () => {
      stopping = true
      await Promise.all(
        [...alive].map((worker) => {
          const gone = new Promise<void>((resolve) => {
            worker.once('exit', () => resolve())
          })
          const stopMessage: OwnerMessage = { type: 'stop' }
          worker.send(stopMessage)
          return gone
        }),
      )
    },
  }
}
