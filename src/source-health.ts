import type { FactsSource, SourceEvent } from '#directory/facts-source.ts'
import type { Store } from '#directory/store.ts'
import type { Logger } from '#telemetry/log.ts'
import type { Metrics } from '#telemetry/metrics.ts'

/** Knows how the sources are doing, and says so where it matters. */
export interface SourceHealth {
  /** Counts what a source did. */
  readonly note: (source: string, event: SourceEvent) => void
  /** Looks at the sources from now on; gives the function that ends it. */
  readonly watch: (sources: readonly FactsSource[]) => () => void
  /** True where a source cannot be asked or read, or its facts grow old. */
  readonly isDegraded: () => boolean
  /** Sets the metric of the ages. */
  readonly measure: () => void
}

export interface SourceHealthOptions {
  readonly store: Pick<Store, 'syncState'>
  readonly metrics: Pick<Metrics, 'sourceSync' | 'factsAgeSeconds'>
  readonly log: Pick<Logger, 'error' | 'info'>
  /** Of the policy in force, ms; undefined: facts hold for ever. */
  readonly maxFactsAge: () => number | undefined
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Failures in a row that are an alarm. */
const failuresToTell = 3
/** Between two looks at the ages. */
const lookIntervalMs = 10_000

/** What is known of one source. */
interface Watched {
  failures: number
  isFailing: boolean
  isOld: boolean
}

/** Alarms are lines of the log: one when a source fails for long or its facts grow old, one when that is over. */
export function createSourceHealth(options: SourceHealthOptions): SourceHealth {
  const { store, metrics, log, maxFactsAge, now } = options
  let sources: readonly FactsSource[] = []
  const watched = new Map<string, Watched>()

  function stateOf(source: string): Watched {
    const state = watched.get(source) ?? { failures: 0, isFailing: false, isOld: false }
    watched.set(source, state)
    return state
  }

  function fail(source: string): void {
    const state = stateOf(source)
    state.failures++
    if (state.failures < failuresToTell || state.isFailing) return
    state.isFailing = true
    const reason = sources.find(({ name }) => name === source)?.status().error
    log.error({ source, alarm: 'source-failing', failures: state.failures, reason }, 'a source fails')
  }

  function recover(source: string): void {
    const state = stateOf(source)
    if (state.isFailing) {
      log.info({ source, alarm: 'source-failing', failures: state.failures }, 'a source is back')
    }
    state.failures = 0
    state.isFailing = false
  }

  /** Age of what a source last gave, ms; undefined where it is only asked, or never gave anything. */
  function ageOf({ name, isAskedOnly }: FactsSource): number | undefined {
    const completeAt = isAskedOnly === true ? undefined : store.syncState(name)?.completeAt
    return completeAt === undefined ? undefined : now() - completeAt
  }

  function look(): void {
    const limit = maxFactsAge()
    for (const source of sources) {
      const state = stateOf(source.name)
      const age = ageOf(source)
      const isOld = limit !== undefined && age !== undefined && age > limit / 2
      if (isOld === state.isOld) continue
      state.isOld = isOld
      const line = {
        source: source.name,
        alarm: 'facts-old',
        ageSeconds: seconds(age),
        maxFactsAgeSeconds: seconds(limit),
      }
      if (isOld) log.error(line, 'the facts of a source grow old')
      else log.info(line, 'the facts of a source are fresh again')
    }
  }

  return {
    note: (source, event) => {
      metrics.sourceSync.inc({ source, outcome: event })
      switch (event) {
        case 'failed':
        case 'look-up-failed':
          fail(source)
          return
        case 'complete':
        case 'partial':
        case 'looked-up':
        case 'pushed':
          recover(source)
          return
        case 'held':
        case 'push-refused':
        // the safety catch has an alarm of its own, and a push that is refused is anybody's
      }
    },

    watch: (given) => {
      sources = given
      look()
      const timer = setInterval(look, lookIntervalMs)
      return () => clearInterval(timer)
    },

    isDegraded: () =>
      sources.some((source) => source.status().error !== undefined || stateOf(source.name).isOld),

    measure: () => {
      for (const source of sources) {
        const age = ageOf(source)
        if (age !== undefined) metrics.factsAgeSeconds.set({ source: source.name }, age / 1000)
      }
    },
  }
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms / 1000)
}
