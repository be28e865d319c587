import type { Change } from '#directory/changes.ts'

/** Carries the store's changes to the workers, in order and in batches. */
export interface Publisher {
  readonly add: (changes: readonly Change[]) => void
  /** Resolves once everything that was added before the call is in force on every worker. */
  readonly settled: () => Promise<void>
}

/**
 * One batch is under way at a time; what comes meanwhile makes the next.
 * @param publish must not reject
 */
export function createPublisher(publish: (changes: readonly Change[]) => Promise<void>): Publisher {
  let waiting: Change[] = []
  /** The last batch that was asked for; each waits for the one before. */
  let last: Promise<void> = Promise.resolve()

  const publishWaiting = () => {
    const batch = waiting
    waiting = []
    return publish(batch)
  }

  return {
    add: (changes) => {
      if (waiting.length === 0) last = last.then(publishWaiting)
      for (const change of changes) waiting.push(change)
    },
    settled: () => last,
  }
}
