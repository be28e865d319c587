import t, { type Test } from 'tap'
import type { FactsSource, SourceEvent, SourceStatus } from '#directory/facts-source.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { createSourceHealth } from '../src/source-health.ts'

type Status = { -readonly [Key in keyof SourceStatus]: SourceStatus[Key] }

interface Line {
  readonly level: 'error' | 'info'
  readonly message: string
  readonly [field: string]: unknown
}

const hourMs = 3_600_000

function healthTest(t: Test, { isEverFresh = false, isAskedOnly = false } = {}) {
  const lines: Line[] = []
  const log = (level: Line['level']) => (fields: object, message: string) => {
    lines.push({ ...fields, level, message })
  }
  const clock = { now: 100 * hourMs }
  const complete: { at: number | undefined } = { at: clock.now }
  const status: Status = { records: 1, faults: 0 }
  const source: FactsSource = {
    name: 'http',
    isAskedOnly,
    start: async () => undefined,
    status: () => status,
  }
  const metrics = createMetrics()
  const health = createSourceHealth({
    store: {
      syncState: (name) =>
        name === 'http' && complete.at !== undefined
          ? {
              source: name,
              outcome: 'complete',
              attemptedAt: 0,
              completeAt: complete.at,
              records: 1,
              faults: 0,
            }
          : undefined,
    },
    metrics,
    log: { error: log('error'), info: log('info') } as never,
    maxFactsAge: () => (isEverFresh ? undefined : hourMs),
    now: () => clock.now,
  })
  const watch = () => {
    const end = health.watch([source])
    t.teardown(end)
  }
  const note = (...events: readonly SourceEvent[]) => {
    for (const event of events) health.note('http', event)
  }
  return { health, watch, note, lines, clock, complete, status, metrics }
}

void t.test('every reading, look-up and push is counted by its end', async (t) => {
  const { watch, note, metrics } = healthTest(t)
  watch()
  note(
    'complete',
    'partial',
    'held',
    'failed',
    'looked-up',
    'looked-up',
    'look-up-failed',
    'pushed',
    'push-refused',
  )
  const { values } = await metrics.sourceSync.get()
  t.strictSame(
    Object.fromEntries(values.map(({ labels, value }) => [`${labels.source} ${labels.outcome}`, value])),
    {
      'http complete': 1,
      'http partial': 1,
      'http held': 1,
      'http failed': 1,
      'http looked-up': 2,
      'http look-up-failed': 1,
      'http pushed': 1,
      'http push-refused': 1,
    },
  )
})

void t.test('three failures in a row are an alarm, once; the way back is told too', async (t) => {
  const { watch, note, lines, status } = healthTest(t)
  watch()
  status.error = 'no answer'
  note('failed', 'look-up-failed', 'complete', 'failed', 'failed')
  t.strictSame(lines, [], 'not while one goes well between them')
  note('look-up-failed', 'failed', 'failed')
  t.strictSame(lines, [
    {
      level: 'error',
      message: 'a source fails',
      source: 'http',
      alarm: 'source-failing',
      failures: 3,
      reason: 'no answer',
    },
  ])
  note('held', 'push-refused')
  t.equal(lines.length, 1, 'what says nothing of the source ends nothing')
  note('looked-up', 'complete')
  t.strictSame(lines.slice(1), [
    { level: 'info', message: 'a source is back', source: 'http', alarm: 'source-failing', failures: 5 },
  ])
  note('failed', 'failed', 'failed')
  t.equal(lines.length, 3)
})

void t.test("a push that is refused is anybody's, and no alarm", async (t) => {
  const { watch, note, lines } = healthTest(t)
  watch()
  note(...Array<SourceEvent>(10).fill('push-refused'))
  t.strictSame(lines, [])
})

void t.test('facts older than half of what the policy bears are an alarm, from the start on', async (t) => {
  const { watch, lines, clock, complete, health } = healthTest(t)
  clock.now += hourMs / 2 + 1
  watch()
  t.strictSame(lines, [
    {
      level: 'error',
      message: 'the facts of a source grow old',
      source: 'http',
      alarm: 'facts-old',
      ageSeconds: 1800,
      maxFactsAgeSeconds: 3600,
    },
  ])
  t.equal(health.isDegraded(), true)
  complete.at = clock.now
  watch()
  t.match(lines.slice(1), [
    { level: 'info', message: 'the facts of a source are fresh again', ageSeconds: 0 },
  ])
  t.equal(health.isDegraded(), false)
})

void t.test('half of it is no alarm yet', async (t) => {
  const { watch, lines, clock } = healthTest(t)
  clock.now += hourMs / 2
  watch()
  t.strictSame(lines, [])
})

void t.test('facts that may have any age, or come one by one, or never came, are no alarm', async (t) => {
  const never = healthTest(t)
  never.complete.at = undefined
  for (const { watch, lines, clock } of [
    healthTest(t, { isEverFresh: true }),
    healthTest(t, { isAskedOnly: true }),
    never,
  ]) {
    clock.now += 10 * hourMs
    watch()
    t.strictSame(lines, [])
  }
})

void t.test('a source that cannot be read now is degraded at once', async (t) => {
  const { watch, health, status } = healthTest(t)
  t.equal(health.isDegraded(), false)
  watch()
  status.error = 'no answer'
  t.equal(health.isDegraded(), true)
  delete status.error
  t.equal(health.isDegraded(), false)
})

void t.test('the age of what a source gave last is a metric', async (t) => {
  const { watch, health, clock, metrics } = healthTest(t)
  watch()
  clock.now += 90_000
  health.measure()
  t.match((await metrics.factsAgeSeconds.get()).values, [{ value: 90, labels: { source: 'http' } }])
  const asked = healthTest(t, { isAskedOnly: true })
  asked.watch()
  asked.health.measure()
  t.strictSame((await asked.metrics.factsAgeSeconds.get()).values, [])
})
