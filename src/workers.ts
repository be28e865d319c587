import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { EnvironmentError } from '#cli/command.ts'
import type { Change } from '#directory/changes.ts'
import type { LookUpOutcome } from '#directory/facts-source.ts'
import type { Logger } from '#telemetry/log.ts'
import type { MetricsSnapshot } from '#telemetry/metrics.ts'
import type { EnteredCode } from '#enrollment/codes.ts'
import type { EnrollmentInForce, PolicyInForce, QuarantineInForce } from '#proxy/create-proxy.ts'
import type { OwnerMessage, Report, WorkerMessage, WorkerSettings } from './messages.ts'

/**
 * What a request allocates lives for some milliseconds, longer than V8 expects: it takes the survivors of a collection
 * for long-lived, puts their like into the old space from then on, and collects that over and over. A larger young
 * space (MB) sees fewer survivors.
 */
const heapFlags = ['--no-allocation-site-pretenuring', '--max-semi-space-size=32']
/** A worker that does not answer within this is taken for hung and replaced. */
const answerTimeoutMs = 5000
/** A worker that dies at its start would be forked without pause. */
const restartDelayMs = 500

export interface WorkersOptions {
  readonly count: number
  readonly settings: () => WorkerSettings
  readonly log: Pick<Logger, 'info' | 'error'>
  readonly onReport: (report: Report) => void
  /** Must not reject. */
  readonly onLookUp: (user: string, deviceId: string) => Promise<LookUpOutcome>
  /** A code for a pair; undefined where none can be made. Must not throw. */
  readonly onMakeCode: (pairId: string) => string | undefined
  /** Must not throw. */
  readonly onEnterCode: (code: string, address: string) => EnteredCode
}

/** The worker processes, as the owner sees them. */
export interface Workers {
  /**
   * Forks them all; resolves with the port once each listens.
   * @throws {EnvironmentError} with what the first one that cannot start says
   */
  readonly start: () => Promise<number>
  /** Resolves when every worker decides by the changes. A worker that does not answer is replaced, and then does. */
  readonly publish: (changes: readonly Change[]) => Promise<void>
  readonly setPolicy: (policy: PolicyInForce) => Promise<void>
  readonly setQuarantine: (quarantine: QuarantineInForce) => Promise<void>
  readonly setEnrollment: (enrollment: EnrollmentInForce) => Promise<void>
  readonly metrics: () => Promise<readonly MetricsSnapshot[]>
  /** True while every worker listens. */
  readonly ready: () => boolean
  /** Resolves when all are gone and what they reported was handed over; one that hangs is ended. */
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

export function createWorkers({
  count,
  settings,
  log,
  onReport,
  onLookUp,
  onMakeCode,
  onEnterCode,
}: WorkersOptions): Workers {
  // workers accept by themselves: the owner has no part in a request
  cluster.schedulingPolicy = cluster.SCHED_NONE
  cluster.setupPrimary({ execArgv: [...process.execArgv, ...heapFlags] })
  /** Those that run, with the promise of their end. */
  const alive = new Map<Worker, Promise<void>>()
  const listening = new Set<Worker>()
  const pending = new Map<number, Pending>()
  let nextId = 0
  let stopping = false

  const fork = (onListening: (port: number) => void, onDeath: (error: Error) => void) => {
    const worker = cluster.fork()
    let lastWords: string | undefined
    worker.on('message', (message: WorkerMessage) => {
      switch (message.type) {
        case 'listening':
          listening.add(worker)
          onListening(message.port)
          return
        case 'failed':
          lastWords = message.message
          worker.process.kill('SIGKILL')
          return
        case 'report':
          onReport(message.report)
          return
        case 'look-up':
          void onLookUp(message.user, message.deviceId).then((outcome) => {
            send(worker, { type: 'looked-up', id: message.id, outcome })
          })
          return
        case 'make-code': {
          const code = onMakeCode(message.pairId)
          send(worker, { type: 'code-made', id: message.id, ...(code !== undefined && { code }) })
          return
        }
        case 'enter-code': {
          const entered = onEnterCode(message.code, message.address)
          send(worker, { type: 'code-entered', id: message.id, entered })
          return
        }
        case 'ack':
        case 'metrics':
          pending.get(message.id)?.settle(message)
      }
    })
    const exited = endOf(worker).then((how) => {
      alive.delete(worker)
      listening.delete(worker)
      for (const entry of pending.values()) if (entry.worker === worker) entry.settle(undefined)
      onDeath(new EnvironmentError(lastWords ?? `worker ${worker.process.pid} ended with ${how}`))
    })
    alive.set(worker, exited)
    send(worker, { type: 'start', settings: settings() })
  }

  const replace = (error: Error) => {
    if (stopping) return
    log.error({ err: error }, 'a worker ended and is replaced')
    setTimeout(() => {
      if (!stopping) fork(() => log.info('the worker is replaced'), replace)
    }, restartDelayMs).unref()
  }

  const kill = (worker: Worker) => {
    log.error({ pid: worker.process.pid }, 'a worker does not answer and is ended')
    worker.process.kill('SIGKILL')
  }

  /** Asks one worker; undefined where it died, or was ended because it did not answer. */
  const ask = (worker: Worker, message: (id: number) => OwnerMessage): Promise<WorkerMessage | undefined> =>
    new Promise((resolve) => {
      const id = nextId++
      const timer = setTimeout(kill, answerTimeoutMs, worker)
      pending.set(id, {
        worker,
        settle: (answer) => {
          clearTimeout(timer)
          pending.delete(id)
          resolve(answer)
        },
      })
      send(worker, message(id))
    })

  const askAll = async (message: (id: number) => OwnerMessage): Promise<void> => {
    // also those that do not listen yet: they may have read the store already
    await Promise.all([...alive.keys()].map((worker) => ask(worker, message)))
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
    setQuarantine: (quarantine) => askAll((id) => ({ type: 'quarantine', id, quarantine })),
    setEnrollment: (enrollment) => askAll((id) => ({ type: 'enrollment', id, enrollment })),
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
        [...alive].map(async ([worker, exited]) => {
          await ask(worker, (id) => ({ type: 'stop', id }))
          await exited
        }),
      )
    },
  }
}

/** To a worker that is gone nothing can be sent; its end is told by `endOf`. */
function send(worker: Worker, message: OwnerMessage): void {
  worker.send(message, () => undefined)
}

/**
 * Resolves with how a worker ended, also where it could not be forked at all. Its last messages may come later, and
 * `disconnect` may not come at all: what must have come is acknowledged before.
 */
async function endOf(worker: Worker): Promise<string> {
  try {
    const [code, signal] = (await once(worker, 'exit')) as [number | null, string | null]
    return `${signal ?? code}`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
