/** Which cache keys hang on a term (a user, a name, a device id). */
export interface KeyIndex {
  /** Gives the oldest key of the term where it has too many: the caller must drop it. */
  add(term: string, key: string): string | undefined
  delete(term: string, key: string): void
  /** A copy, so that the keys may be dropped while walking. */
  keys(term: string): readonly string[]
}

/**
 * Terms have one key as a rule, so a lone key is held without a set. `maxPerTerm` bounds how much of the cache one
 * user or one device id can fill, and with it the work of one change. T-51
 */
export function createKeyIndex(maxPerTerm: number): KeyIndex {
  const terms = new Map<string, string | Set<string>>()
  return {
    add(term, key) {
      const held = terms.get(term)
      if (held === undefined) {
        terms.set(term, key)
        return undefined
      }
      const keys = typeof held === 'string' ? new Set([held]) : held
      terms.set(term, keys.add(key))
      return keys.size > maxPerTerm ? keys.values().next().value : undefined
    },
    delete(term, key) {
      const held = terms.get(term)
      if (held instanceof Set) held.delete(key)
      if (held === key || (held instanceof Set && held.size === 0)) terms.delete(term)
    },
    keys(term) {
      const held = terms.get(term)
      if (held === undefined) return []
      return typeof held === 'string' ? [held] : [...held]
    },
  }
}
