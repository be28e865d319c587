import type { Transaction } from './commit.ts'
import { openProposal, type ProposedFacts } from './proposed-facts.ts'
import type { GuardedStore } from './set-guard.ts'
import type { RowWriter } from './write-rows.ts'

/** Asked of what a source gives page by page, or as it changes, before each page is written. */
export interface ReadingGuard {
  /** Gives the users of whom nothing of the page may be written. */
  sift(source: string, proposed: ProposedFacts): Promise<ReadonlySet<string>>
  /** A reading is over. `isWhole`: one of everything, not of what changed. */
  finished(source: string, isWhole: boolean): void
}

/** How an item of a page is written. */
export interface PageWriter<Item> {
  /** In lower case. */
  readonly userOf: (item: Item) => string
  readonly write: (item: Item, transaction: Transaction, rows: RowWriter) => void
}

/** Splits pages into what may be written and what must wait for an operator. */
export interface Sieve {
  /**
   * Gives the items that may be written. What is said of one user alone always may: a single device that is revoked
   * waits for nobody.
   */
  sift<Item>(source: string, page: readonly Item[], writer: PageWriter<Item>): Promise<readonly Item[]>
  finished(source: string, isWhole: boolean): void
}

export interface SieveDeps {
  readonly guard: () => ReadingGuard | undefined
  readonly target: () => GuardedStore
}

export function createSieve({ guard, target }: SieveDeps): Sieve {
  return {
    async sift(source, page, { userOf, write }) {
      const asked = guard()
      if (asked === undefined || new Set(page.map(userOf)).size < 2) return page
      const { path, sourceOrder, at } = target()
      const proposal = openProposal(path, sourceOrder, at)
      try {
        await proposal.committer.commitInSlices(page, (item, transaction) =>
          write(item, transaction, proposal.rows),
        )
        if (proposal.isEmpty) return page
        const waiting = await asked.sift(source, proposal)
        return waiting.size === 0 ? page : page.filter((item) => !waiting.has(userOf(item)))
      } finally {
        proposal.close()
      }
    },
    finished: (source, isWhole) => guard()?.finished(source, isWhole),
  }
}
