import { visitInSlices } from '#directory/commit.ts'
import type { ProposedFacts } from '#directory/proposed-facts.ts'
import type { ReadingGuard } from '#directory/reading-guard.ts'
import type { SeenPair, SeenPairReader } from '#directory/seen-pairs.ts'
import { comparisonOf, type SourceGuardDeps } from './source-guard.ts'
import { compareSeen, type Turn } from './what-if/compare.ts'
import { createPairCollector, pairKey, type PairCollector } from './what-if/pair-set.ts'
import { createTally, type TallyCounter } from './what-if/tally.ts'
import { createScale, inUseSince, isInUse, type Weight } from './what-if/weigh.ts'

/** What waits of a source since its last reading of everything ended. */
interface Waiting {
  readonly pairs: PairCollector
  readonly tally: TallyCounter
  /** True where it is more than the operator was shown. */
  hasMore: boolean
}

/** How it stands with one source. */
interface SourceState {
  /** When which refusal was let through, for a day, by pair. */
  readonly passed: Map<number, number>
  waiting: Waiting
}

/** How long the count of devices in use holds, ms: it is a walk over all that were seen. */
const countHoldsMs = 600_000

/**
 * Weighs what a source gives page by page, or as it changes: within a day it may newly refuse as many devices in use as
 * `maxNewRefusals` says, one after the other and at once. What would refuse more waits, device by device, with the facts
 * of before; all else goes on. Each later reading is weighed anew, and one of everything in which nothing waits any more
 * ends it.
 */
export function createReadingGuard(deps: SourceGuardDeps): ReadingGuard {
  const { store, held, policy, readAgain, confirmed, now } = deps
  const states = new Map<string, SourceState>()
  let counted: { readonly at: number; readonly weight: Weight } | undefined

  function stateOf(source: string): SourceState {
    const state = states.get(source) ?? { passed: new Map(), waiting: nothingWaits(source) }
    states.set(source, state)
    return state
  }

  /** As of some minutes ago. */
  async function countInUse(): Promise<Weight> {
    if (counted === undefined || now() - counted.at > countHoldsMs) {
      const scale = createScale({ share: policy().value.maxNewRefusals, now: now() })
      await visitInSlices(store.seenWindows(inUseSince(now())), (pairs) => scale.add({ pairs, turns: [] }))
      counted = { at: now(), weight: scale.result() }
    }
    return counted.weight
  }

  /** Those of the page's devices in use that would be newly refused, and that nobody has confirmed. */
  async function refusalsOf(source: string, proposed: ProposedFacts): Promise<readonly Turn[]> {
    const since = inUseSince(now())
    const refusals: Turn[] = []
    const windows = seenOfAll(store, proposed.names)
    for await (const { turns } of compareSeen(windows, comparisonOf(deps, proposed))) {
      for (const turn of turns) {
        const counts = turn.to === 'refused' && isInUse(turn.pair, since)
        if (counts && !confirmed.has(source, turn.pair)) refusals.push(turn)
      }
    }
    return refusals
  }

  function hold(source: string, { pairs, tally }: Waiting, { inUse, maxNewRefusals }: Weight): void {
    const shown = pairs.result()
    const passed = stateOf(source).passed.size
    const change = {
      kind: 'source',
      name: source,
      digest: shown.digest,
      heldAt: now(),
      weight: { inUse, newlyRefused: passed + pairs.size(), maxNewRefusals, tooHeavy: true },
      tally: tally.result(),
    } as const
    held.hold(change, async () => {
      confirmed.add(source, shown)
      states.set(source, { passed: stateOf(source).passed, waiting: nothingWaits(source) })
      await readAgain(source)
    })
  }

  return {
    async sift(source, proposed) {
      const refusals = await refusalsOf(source, proposed)
      const users = new Set<string>()
      if (refusals.length === 0) return users
      const weight = await countInUse()
      const { passed, waiting } = stateOf(source)
      for (const [key, at] of passed) if (at < inUseSince(now())) passed.delete(key)
      for (const turn of refusals) {
        const key = pairKey(turn.pair)
        if (passed.has(key) || passed.size < weight.maxNewRefusals) {
          passed.set(key, now())
          continue
        }
        users.add(turn.pair.user)
        const user = proposed.reader.resolve(turn.pair.user)
        if (user !== undefined) users.add(user)
        if (!waiting.pairs.add(turn.pair)) continue
        waiting.tally.add({ pairs: [turn.pair], turns: [turn] })
        waiting.hasMore = true
      }
      // the alarm at the first of them, the rest when the reading is over
      if (waiting.hasMore && !isHeld(source)) hold(source, waiting, weight)
      return users
    },

    finished(source, isWhole) {
      const state = stateOf(source)
      const { waiting } = state
      if (waiting.hasMore && counted !== undefined) {
        waiting.hasMore = false
        hold(source, waiting, counted.weight)
      }
      if (!isWhole) return
      if (waiting.pairs.size() === 0) {
        confirmed.clear(source)
        held.release({ kind: 'source', name: source })
      }
      state.waiting = nothingWaits(source)
    },
  }

  function isHeld(source: string): boolean {
    return held.list().some(({ kind, name }) => kind === 'source' && name === source)
  }
}

function nothingWaits(source: string): Waiting {
  return { pairs: createPairCollector(source), tally: createTally(), hasMore: false }
}

function* seenOfAll(store: SeenPairReader, names: ReadonlySet<string>): Generator<readonly SeenPair[]> {
  for (const name of names) yield store.seenOf(name)
}
