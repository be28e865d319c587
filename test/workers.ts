import cluster from 'node:cluster'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import type { Change } from '#directory/changes.ts'
import type { WorkerSettings } from '../src/messages.ts'
import { createWorkers, workerCount, type Workers } from '../src/workers.ts'

type Behaviour = 'good' | 'deaf' | 'failed' | 'dying'

/** How the workers that are forked from now on behave. */
function forkAs(behaviour: Behaviour): void {
  process.env['EASGATE_FAKE_WORKER'] = behaviour
}

interface StartedWorkers {
  readonly workers: Workers
  /** The numbers of all reports, in the order in which they came. */
  readonly reported: number[]
  readonly logged: string[]
}

cluster.setupPrimary({ exec: join(import.meta.dirname, 'support', 'fake-worker.ts'), args: [] })
// a fake worker looks at neither
const settings = {} as WorkerSettings

function makeWorkers(t: Test, count: number): StartedWorkers {
  const reported: number[] = []
  const logged: string[] = []
  const note = (...logArguments: readonly unknown[]) => logged.push(String(logArguments.at(-1)))
  const workers = createWorkers({
    count,
    settings: () => settings,
    log: { info: note, error: note },
    onReport: ({ counts }) => reported.push(counts[0]?.requests ?? NaN),
    onLookUp: async (user, deviceId) => (user === deviceId ? 'answered' : 'none'),
    onMakeCode: (pairId) => pairId,
    onEnterCode: (pairId) => ({ kind: 'found', pairId }),
  })
  t.teardown(() => {
    mock.timers.reset()
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL')
  })
  return { workers, reported, logged }
}

/** A worker's entry in Node's own list may outlive its process: it waits for the channel to close too. */
function aliveWorkers(): (number | undefined)[] {
  const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isDead() === false)
  return workers.map((worker) => worker?.process.pid)
}

const changes = (...revisions: number[]): Change[] =>
  revisions.map((revision) => ({ kind: 'policy', revision }))

void t.test('auto is one worker a core', async (t) => {
  t.equal(workerCount('auto'), availableParallelism())
  t.equal(workerCount(3), 3)
})

void t.test('changes reach every worker in order; the last report comes before the end', async (t) => {
  forkAs('good')
  const { workers, reported } = makeWorkers(t, 2)
  t.notOk(workers.ready())
  t.equal(await workers.start(), 8080)
  t.ok(workers.ready())
  await workers.publish(changes(1, 2))
  await workers.publish(changes(3))
  await workers.setPolicy({ value: { conditionalAccess: {} } as never, revision: 4, digest: 'abc' })
  await workers.setQuarantine({ texts: { subject: 'Enrol' } as never })
  t.strictSame(
    reported.toSorted((a, b) => a - b),
    [1, 1, 2, 2, 3, 3, 4, 4, 5, 5],
  )
  t.strictSame([...new Set(reported)], [1, 2, 3, 4, 5], 'in order')
  t.strictSame(await workers.metrics(), [[], []])
  await workers.stop()
  t.strictSame(reported.slice(-2), [0, 0])
  t.notOk(workers.ready())
})

void t.test('a worker that cannot start says why, and nothing is left of the others', async (t) => {
  forkAs('failed')
  const { workers } = makeWorkers(t, 2)
  await t.rejects(workers.start(), { name: 'EnvironmentError', message: 'cannot listen on 127.0.0.1:8080' })
  await workers.stop()
  t.strictSame(aliveWorkers(), [])
})

void t.test(
  'a worker that does not acknowledge is ended and replaced; only then is a change in force',
  async (t) => {
    forkAs('deaf')
    const { workers, logged } = makeWorkers(t, 1)
    await workers.start()
    mock.timers.enable({ apis: ['setTimeout'] })
    let inForce = false
    const published = workers.publish(changes(1)).then(() => (inForce = true))
    mock.timers.tick(4999)
    t.notOk(inForce)
    forkAs('good')
    mock.timers.tick(1)
    await published
    t.strictSame(logged, ['a worker does not answer and is ended', 'a worker ended and is replaced'])
    t.notOk(workers.ready())
    mock.timers.tick(500)
    await once(cluster, 'message')
    t.ok(workers.ready())
    t.equal(logged.at(-1), 'the worker is replaced')
    await workers.publish(changes(2))
    await workers.stop()
  },
)

void t.test('a worker that dies over a change holds nobody up, nor does one that is gone', async (t) => {
  forkAs('dying')
  const { workers, logged } = makeWorkers(t, 2)
  await workers.start()
  forkAs('good')
  const published = workers.publish(changes(1))
  const measured = workers.metrics()
  await published
  t.strictSame(await measured, [])
  t.strictSame(logged, ['a worker ended and is replaced', 'a worker ended and is replaced'])
  await workers.publish(changes(2))
  await workers.stop()
})

void t.test('stop ends a worker that hangs', async (t) => {
  forkAs('deaf')
  const { workers, logged } = makeWorkers(t, 1)
  await workers.start()
  mock.timers.enable({ apis: ['setTimeout'] })
  const stopped = workers.stop()
  mock.timers.tick(5000)
  await stopped
  t.strictSame(logged, ['a worker does not answer and is ended'])
  t.strictSame(aliveWorkers(), [])
})
