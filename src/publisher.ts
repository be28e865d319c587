import type { Change } from '#directory/changes.ts'

/** Carries the store's changes to the workers, in order and in batches. */
export interface Publisher {
  readonly add: (changes: readonly Change[]) => void
  /** Resolves once everything that was added before the call is in force on every worker. */
  readonly settled: () => Promise<void>
}

/** One batch is under way at a time; what comes meanwhile makes the next. */
export function createPublisher(publish: (changes: readonly Change[]) => Promise<void>): Publisher {
  let waiting: Change[] = []
  let running: Promise<void> | undefined

  const run = async () => {
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      await publish(batch)
    }
    running = undefined
  }

  return {
    add: (changes) => {
      waiting.push(...changes)
      running ??= Promise.resolve().then(run)
    },
    settled: async () => {
      await running
    },
  }
}
