import { LRUCache } from 'lru-cache'
import type { Facts, PairHistory } from '#policy/facts.ts'
import type { Change } from './changes.ts'
import { storeError } from './errors.ts'
import { createKeyIndex } from './key-index.ts'
import { resolveFirst, type FactsReader, type LastAnswer } from './read-facts.ts'
import type { SourcePartsReader } from './source-parts.ts'

/** What is known of a pair. */
export interface KnownFacts extends Facts {
  /** What the pair was answered when it was last seen, as far as that was known when this was read. */
  readonly lastAnswer?: LastAnswer
}

/** A worker's read path: from memory, then from the store. Synchronous, so that no eviction can be overtaken. */
export interface Lookup {
  /**
   * What is known of a login and a device. The result is shared: it must not be changed.
   *
   * @param names directory names that the login may stand for, best first; the first that leads to exactly one user
   *   counts. Where none does, `user` and `device` stay absent, whatever is on record under the literal name. T-17
   * @param deviceKey folded device id; undefined where the request names none
   */
  lookup(names: readonly string[], deviceKey: string | undefined): KnownFacts
  /**
   * The same, read from the store: a source that confirms a device without changing it makes no change, so that what is
   * held in memory may look older than it is.
   */
  lookupAnew(names: readonly string[], deviceKey: string | undefined): KnownFacts
  /** The UPN that the names lead to, to compare `User=` with the credential. T-15 */
  resolveUser(names: readonly string[]): string | undefined
  /** Forgets what a change touched. To be called for each change, in order. */
  apply(change: Change): void
  /** Entries held. */
  readonly size: number
  /** How often the answer was in memory, and how often it was read from the store, since the start. */
  readonly counts: LookupCounts
}

export interface LookupCounts {
  readonly hits: number
  readonly misses: number
}

export interface LookupOptions {
  readonly store: FactsReader & SourcePartsReader & { readonly path: string }
  /** Entries held at most. */
  readonly max: number
  /**
   * An entry is read again after this long, so that the age of the facts does not stand still; see `lookupAnew`. ms,
   * default 5 minutes.
   */
  readonly ttlMs?: number
  /** Monotonic clock of the entries' ages, ms. T-55 */
  readonly clock?: { now(): number }
}

interface Entry {
  readonly facts: KnownFacts
  readonly names: readonly string[]
  readonly deviceKey: string | undefined
}

const noHistory: PairHistory = { allowedBefore: false }

/** Keys longer than this are not held: nobody may fill the memory with long names. T-51 */
const maxKeyLength = 512
/** Entries that one user, name or device id may have. */
const maxEntriesPerTerm = 256
const defaultTtlMs = 300_000

export function createLookup({ store, max, ttlMs = defaultTtlMs, clock }: LookupOptions): Lookup {
  const byUser = createKeyIndex(maxEntriesPerTerm)
  const byName = createKeyIndex(maxEntriesPerTerm)
  const byDevice = createKeyIndex(maxEntriesPerTerm)
  const cache = new LRUCache<string, Entry>({
    max,
    ttl: ttlMs,
    ttlResolution: 0,
    ...(clock === undefined ? undefined : { perf: clock }),
    dispose: (entry, key) => {
      for (const [index, term] of termsOf(entry)) index.delete(term, key)
    },
  })
  const counts = { hits: 0, misses: 0 }
  let sourcesComplete = store.sourcesComplete()
  let unreadGroups = store.unreadGroups()
  /** Names that overrides are on record under, or were: of most users a look-up need not ask the store. */
  const overridden = new Set(store.overriddenNames())

  function termsOf({ facts, names, deviceKey }: Entry) {
    const terms = names.map((name) => [byName, name] as const)
    if (facts.user !== undefined) terms.push([byUser, facts.user.user])
    if (deviceKey !== undefined) terms.push([byDevice, deviceKey])
    return terms
  }

  function hold(key: string, entry: Entry): void {
    cache.set(key, entry)
    for (const [index, term] of termsOf(entry)) {
      const surplus = index.add(term, key)
      if (surplus !== undefined) cache.delete(surplus)
    }
  }

  function read(names: readonly string[], deviceKey: string | undefined): KnownFacts {
    const resolved = resolveFirst(store, names)
    const user = resolved === undefined ? undefined : store.userFacts(resolved)
    const device =
      resolved === undefined || deviceKey === undefined ? undefined : store.deviceFacts(resolved, deviceKey)
    const owner = resolved ?? names[0]
    const history = owner === undefined ? undefined : store.history(owner, deviceKey)
    const overrides = owner === undefined ? undefined : overridesOf(owner, user?.aliases ?? [], deviceKey)
    return {
      ...(user === undefined ? undefined : { user: user.value }),
      ...(device === undefined ? undefined : { device: device.value }),
      otherOwner: device === undefined && deviceKey !== undefined && store.hasOtherOwner(deviceKey, resolved),
      userHasEnrolledDevice:
        device?.value.enrolled === true || (resolved !== undefined && store.hasEnrolledDevice(resolved)),
      sourcesComplete,
      history: history?.pair ?? noHistory,
      ...(history?.lastAnswer === undefined ? undefined : { lastAnswer: history.lastAnswer }),
      ...(overrides?.override === undefined ? undefined : { override: overrides.override }),
      exclusiveAllows: overrides?.exclusiveAllows ?? [],
      otherDevices: history?.otherDevices ?? [],
      unreadGroups,
      revision: Math.max(
        user?.revision ?? 0,
        device?.revision ?? 0,
        history?.revision ?? 0,
        overrides?.revision ?? 0,
      ),
    }
  }

  function overridesOf(owner: string, aliases: readonly string[], deviceKey: string | undefined) {
    const mayHave = overridden.has(owner) || aliases.some((alias) => overridden.has(alias))
    return mayHave ? store.overrides(owner, aliases, deviceKey) : undefined
  }

  function lookup(names: readonly string[], deviceKey: string | undefined): KnownFacts {
    const key = keyOf(names, deviceKey)
    const held = cache.get(key)
    if (held === undefined) return readAndHold(key, names, deviceKey)
    counts.hits++
    return held.facts
  }

  function lookupAnew(names: readonly string[], deviceKey: string | undefined): KnownFacts {
    const key = keyOf(names, deviceKey)
    cache.delete(key)
    return readAndHold(key, names, deviceKey)
  }

  function readAndHold(key: string, names: readonly string[], deviceKey: string | undefined): KnownFacts {
    counts.misses++
    const folded = names.map((name) => name.toLowerCase())
    let facts: KnownFacts
    try {
      facts = read(folded, deviceKey)
    } catch (error) {
      throw storeError(error, store.path)
    }
    if (key.length <= maxKeyLength) hold(key, { facts, names: folded, deviceKey })
    return facts
  }

  function forget(keys: readonly string[]): void {
    for (const key of keys) cache.delete(key)
  }

  return {
    lookup,
    lookupAnew,
    resolveUser: (names) => lookup(names, undefined).user?.user,

    apply(change) {
      switch (change.kind) {
        case 'device':
          // other users' entries of this id hang on it by `otherOwner`, the user's other devices by
          // `userHasEnrolledDevice` and `otherDevices`
          forget(byDevice.keys(change.deviceKey))
          forget(byUser.keys(change.user))
          forget(byName.keys(change.user))
          break
        case 'override':
          // an exclusive allow bears on the user's other devices
          overridden.add(change.user)
          forget(byUser.keys(change.user))
          forget(byName.keys(change.user))
          break
        case 'user':
          for (const name of change.names) forget(byName.keys(name))
          forget(byUser.keys(change.user))
          break
        case 'sources':
          cache.clear()
          sourcesComplete = change.complete
          unreadGroups = change.unreadGroups
          break
        case 'policy':
          break
      }
    },

    get size() {
      return cache.size
    },
    counts,
  }
}

function keyOf(names: readonly string[], deviceKey: string | undefined): string {
  return JSON.stringify(deviceKey === undefined ? [names] : [names, deviceKey])
}
