import type { Config } from './schema.ts'

/**
 * The sources of a config by the name that facts carry, first the one that goes before the others: `file`, and
 * `file-2` for a second one of a kind.
 */
export function sourceNames(config: Pick<Config, 'sources'>): readonly string[] {
  return config.sources.map(({ kind }, index) => {
    const before = config.sources.slice(0, index).filter((other) => other.kind === kind).length
    return before === 0 ? kind : `${kind}-${before + 1}`
  })
}
