import type { Config } from '#config/schema.ts'
import { sourceNames } from '#config/source-names.ts'
import type { SourceConfig } from '#config/sources.ts'
import type { FactsSource, SourceEvent } from '#directory/facts-source.ts'
import type { Store } from '#directory/store.ts'
import { splitAddress } from '#proxy/edge/listener.ts'
import { createFileSource } from '#sources/file.ts'
import { createHttpSource } from '#sources/http/http-source.ts'
import { createIntuneSource } from '#sources/intune/intune-source.ts'
import { createPushSource } from '#sources/push/push-source.ts'
import type { Logger } from '#telemetry/log.ts'

export interface SourcesDeps {
  readonly config: Pick<Config, 'identity' | 'sources'>
  readonly store: Store
  /** Told of every reading, look-up and push. */
  readonly onEvent: (source: string, event: SourceEvent) => void
  /** Resolves once every worker decides by all that is committed. */
  readonly enforced: () => Promise<void>
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>
}

/** A listener that a source has of its own. */
export interface SourceListener {
  /** Of the source. */
  readonly name: string
  /** The key of the config that says where it is, and what stands there. */
  readonly key: string
  readonly address: string
  /** Resolves with the port, once connections are taken. */
  readonly start: () => Promise<number>
  readonly close: () => Promise<void>
}

/** The sources of a config. */
export interface Sources {
  /** First the one that goes before the others; none is started. */
  readonly all: readonly FactsSource[]
  /** To be opened when the workers are there. */
  readonly listeners: readonly SourceListener[]
}

/** @throws {ConfigError} and errors of the file system, where a file that a source needs cannot be used */
export function createSources(deps: SourcesDeps): Sources {
  const names = sourceNames(deps.config)
  const listeners: SourceListener[] = []
  const all = deps.config.sources.map((source, index) => {
    const name = names[index] ?? source.kind
    return createSource({ name, key: `sources.${index}`, source }, deps, listeners)
  })
  return { all, listeners }
}

interface NamedSource {
  readonly name: string
  readonly key: string
  readonly source: SourceConfig
}

function createSource(
  { name, key, source }: NamedSource,
  { config, store, onEvent, enforced, log }: SourcesDeps,
  listeners: SourceListener[],
): FactsSource {
  const shared = {
    name,
    store,
    log,
    now: Date.now,
    onEvent: (event: SourceEvent) => onEvent(name, event),
  }
  switch (source.kind) {
    case 'file':
      return createFileSource({
        ...shared,
        path: source.path,
        onRead: shared.onEvent,
        onFault: (fault) => log.warn({ source: name, file: source.path, ...fault }, 'a record is not taken'),
      })
    case 'http':
      return createHttpSource({ ...shared, config: source })
    case 'intune':
      return createIntuneSource({
        ...shared,
        config: source,
        domains: new Map(Object.entries(config.identity.domains)),
      })
    case 'push': {
      const { address } = source
      const { listener, ...push } = createPushSource({
        ...shared,
        ...splitAddress(address),
        config: source,
        enforced,
      })
      listeners.push({ name, key: `${key}.address`, address, ...listener })
      return push
    }
  }
}
