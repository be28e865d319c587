import type { ProposedFacts } from '#directory/proposed-facts.ts'
import type { SetGuard } from '#directory/set-guard.ts'
import type { Store } from '#directory/store.ts'
import type { ConfirmedRefusals } from './confirmed-refusals.ts'
import type { HeldChanges } from './held-changes.ts'
import type { CurrentPolicy } from './policy-keeper.ts'
import type { Comparison } from './what-if/compare.ts'
import type { SeenJudges } from './what-if/judge-seen.ts'
import { createPairCollector } from './what-if/pair-set.ts'
import { weighChange } from './what-if/weigh.ts'

export interface SourceGuardDeps {
  readonly store: Store
  readonly judges: SeenJudges
  readonly held: HeldChanges
  readonly confirmed: ConfirmedRefusals
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
  const { store, held, confirmed, policy, readAgain, now } = deps

  return async (source, proposed) => {
    const origin = { kind: 'source', name: source } as const
    const refused = createPairCollector(source)
    const weighed = proposed.isEmpty
      ? undefined
      : await weighChange(store, comparisonOf(deps, proposed), {
          share: policy().value.maxNewRefusals,
          now: now(),
          isConfirmed: (pair) => confirmed.has(source, pair),
          onRefusal: (pair) => void refused.add(pair),
        })
    if (weighed?.weight.tooHeavy !== true) {
      confirmed.clear(source)
      held.release(origin)
      return true
    }
    const pairs = refused.result()
    held.hold({ ...origin, digest: pairs.digest, heldAt: now(), ...weighed }, async () => {
      confirmed.add(source, pairs)
      await readAgain(source)
    })
    return false
  }
}

/** The same policy over the facts of now, and over those that are proposed. */
export function comparisonOf(
  { store, judges, policy }: SourceGuardDeps,
  proposed: ProposedFacts,
): Comparison {
  const { compiled } = policy()
  return {
    before: judges(store)(compiled),
    after: judges(proposed.reader)(compiled),
    concerns: (pair) => proposed.concerns(pair),
  }
}
