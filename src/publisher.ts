import type { Change } from '#directory/changes.ts'

/** Carries the store's changes to the workers, in order and in batches. */
export interface Publisher {
  readonly add: (changes: readonly Change[]) => void
  /** Resolves once everything that was added before the call is in force on every worker. */
  readonly settled: () => Promise<void>
}

/** Changes of one batch: a worker reads and applies them in one go, in a few milliseconds. */
const maxBatch = 500

/**
 * One batch is under way at a time; what comes meanwhile makes the next.
 * @param publish must not reject
 */
export function createPublisher(publish: (changes: readonly Change[]) => Promise<void>): Publisher {
  /** The last batch, for as long as it waits and has room. */
  let open: Change[] | undefined
  /** The last batch that was asked for; each waits for the one before. */
  let last: Promise<void> = Promise.resolve()

  const begin = (): Change[] => {
    const batch: Change[] = []
    last = last.then(() => {
      if (open === batch) open = undefined
      return publish(batch)
    })
    return batch
  }

  return {
    add: (changes) => {
      for (const change of changes) {
        if (open === undefined || open.length === maxBatch) open = begin()
        open.push(change)
      }
    },
    settled: () => last,
  }
}
