import { openProposal, type ProposedFacts } from './proposed-facts.ts'
import type { FactsRecord } from './record.ts'
import { createFactsWriter, type FullSet } from './write-facts.ts'

/**
 * Asked before a full set of a source is written: false where it must not be. What the set would change can be looked
 * at for as long as the answer takes.
 */
export type SetGuard = (source: string, proposed: ProposedFacts) => Promise<boolean>

/** Where a guarded set would be written. */
export interface GuardedStore {
  readonly path: string
  readonly sourceOrder: readonly string[]
  /** ms since the epoch. */
  readonly at: number
}

/** Writes a set where nobody but the guard sees it, and asks the guard. */
export async function isAdmitted(
  guard: SetGuard,
  { path, sourceOrder, at }: GuardedStore,
  source: string,
  records: readonly FactsRecord[],
  set: FullSet,
): Promise<boolean> {
  const proposal = openProposal(path, sourceOrder, at)
  try {
    const { database, committer, rows } = proposal
    await createFactsWriter(database, committer, rows).replace(source, records, set)
    if (set.complete) proposal.setComplete(source)
    return await guard(source, proposal)
  } finally {
    proposal.close()
  }
}
