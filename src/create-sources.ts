import type { Config } from '#config/schema.ts'
import { sourceNames } from '#config/source-names.ts'
import type { SourceConfig } from '#config/sources.ts'
import type { FactsSource } from '#directory/facts-source.ts'
import type { Store } from '#directory/store.ts'
import type { SyncOutcome } from '#directory/sync-state.ts'
import { createFileSource } from '#sources/file.ts'
import type { Logger } from '#telemetry/log.ts'
import type { Metrics } from '#telemetry/metrics.ts'

export interface SourcesDeps {
  readonly config: Pick<Config, 'sources'>
  readonly store: Store
  readonly metrics: Pick<Metrics, 'sourceSync'>
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>
}

/** The sources of the config, first the one that goes before the others; none is started. */
export function createSources(deps: SourcesDeps): readonly FactsSource[] {
  const names = sourceNames(deps.config)
  return deps.config.sources.map((source, index) => createSource(names[index] ?? source.kind, source, deps))
}

function createSource(name: string, source: SourceConfig, { store, metrics, log }: SourcesDeps): FactsSource {
  const onEvent = (outcome: SyncOutcome) => metrics.sourceSync.inc({ source: name, outcome })
  switch (source.kind) {
    case 'file':
      return createFileSource({
        name,
        path: source.path,
        store,
        now: Date.now,
        onRead: onEvent,
        onFault: (fault) => log.warn({ source: name, file: source.path, ...fault }, 'a record is not taken'),
      })
  }
}
