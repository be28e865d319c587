import type { ProposedFacts } from '#directory/proposed-facts.ts'
import type { SetGuard } from '#directory/set-guard.ts'
import type { Store } from '#directory/store.ts'
import type { HeldChanges } from './held-changes.ts'
import type { CurrentPolicy } from './policy-keeper.ts'
import type { Comparison } from './what-if/compare.ts'
import type { SeenJudges } from './what-if/judge-seen.ts'
import { createPairCollector, type PairSet } from './what-if/pair-set.ts'
import { weighChange } from './what-if/weigh.ts'

export interface SourceGuardDeps {
  readonly store: Store
  readonly judges: SeenJudges
  readonly held: HeldChanges
  readonly policy: () => CurrentPolicy
  /** Has a source read again; settles once what it read is in force or held. */
  readonly readAgain: (source: string) => Promise<void>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/**
 * Weighs each full set of a source over the devices in use, by the policy in force, and holds one that would refuse too
 * many: the old facts stay, and the next set is weighed anew. What an operator confirms are the refusals that were
 * shown, device by device: a set that is read later may bring these, and no more than may come unasked.
 */
export function createSourceGuard(deps: SourceGuardDeps): SetGuard {
  const { store, held, policy, readAgain, now } = deps
  /** What operators have confirmed of each source since its last set was taken. */
  const confirmed = new Map<string, readonly PairSet[]>()

  return async (source, proposed) => {
    const origin = { kind: 'source', name: source } as const
    const wanted = confirmed.get(source) ?? []
    const refused = createPairCollector(source)
    const weighed = proposed.isEmpty
      ? undefined
      : await weighChange(store, comparisonOf(deps, proposed), {
          share: policy().value.maxNewRefusals,
          now: now(),
          isConfirmed: (pair) => wanted.some((pairs) => pairs.has(pair)),
          onRefusal: refused.add,
        })
    if (weighed?.weight.tooHeavy !== true) {
      confirmed.delete(source)
      held.release(origin)
      return true
    }
    const pairs = refused.result()
    held.hold({ ...origin, digest: pairs.digest, heldAt: now(), ...weighed }, async () => {
      confirmed.set(source, [...wanted, pairs])
      await readAgain(source)
    })
    return false
  }
}

/** The same policy over the facts of now, and over those that are proposed. */
function comparisonOf({ store, judges, policy }: SourceGuardDeps, proposed: ProposedFacts): Comparison {
  const { compiled } = policy()
  return {
    before: judges(store)(compiled),
    after: judges(proposed.reader)(compiled),
    concerns: (pair) => proposed.concerns(pair),
  }
}
