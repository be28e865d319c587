import type { LookupOptions } from '#directory/lookup.ts'
import type { SeenPairReader } from '#directory/seen-pairs.ts'
import type { CompiledPolicy } from '#policy/compile.ts'
import type { CurrentPolicy } from '../policy-keeper.ts'
import { compareSeen, type Compared, type Turn } from './compare.ts'
import type { SeenJudges } from './judge-seen.ts'
import { createTally, type Tally } from './tally.ts'
import { createScale, inUseSince, type Weight } from './weigh.ts'

/** What a draft would do to the devices that were seen. */
export interface Evaluation extends Tally {
  /** What the safety catch would say of it now. */
  readonly safetyCatch: Weight
  /** The first devices that would turn, by user and device id. */
  readonly changes: readonly Turn[]
  /** How many more would. */
  readonly more: number
}

export interface EvaluationOptions {
  /** Devices that were seen before this are left out, ms since the epoch. */
  readonly since: number
  readonly signal: AbortSignal
}

/** Runs drafts against the policy in force, over the devices that were seen. One walk at a time; the next waits. */
export interface Evaluator {
  readonly evaluate: (
    draft: CompiledPolicy,
    options: EvaluationOptions & { readonly maxChanges: number },
  ) => Promise<Evaluation>
  /** Every device that would turn, as the walk finds it, by user and device id. */
  readonly turns: (draft: CompiledPolicy, options: EvaluationOptions) => AsyncGenerator<Turn>
}

export interface EvaluatorDeps {
  readonly store: LookupOptions['store'] & SeenPairReader
  readonly judges: SeenJudges
  readonly policy: () => CurrentPolicy
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export function createEvaluator({ store, judges, policy, now }: EvaluatorDeps): Evaluator {
  let last: Promise<void> = Promise.resolve()

  async function* walk(draft: CompiledPolicy, since: number, signal: AbortSignal): AsyncGenerator<Compared> {
    const before = last
    const turn = Promise.withResolvers<void>()
    last = turn.promise
    try {
      await before
      const judge = judges(store)
      const comparison = { before: judge(policy().compiled), after: judge(draft) }
      for await (const compared of compareSeen(store.seenWindows(since), comparison)) {
        signal.throwIfAborted()
        yield compared
      }
    } finally {
      turn.resolve()
    }
  }

  return {
    evaluate: async (draft, { since, signal, maxChanges }) => {
      const tally = createTally()
      const scale = createScale({ share: policy().value.maxNewRefusals, now: now() })
      const changes: Turn[] = []
      // the catch asks of the last day, however short the time that was asked for
      for await (const compared of walk(draft, Math.min(since, inUseSince(now())), signal)) {
        scale.add(compared)
        const asked = seenSince(compared, since)
        tally.add(asked)
        changes.push(...asked.turns.slice(0, maxChanges - changes.length))
      }
      const tallied = tally.result()
      const more = tallied.newlyRefused + tallied.newlyAllowed - changes.length
      return { ...tallied, safetyCatch: scale.result(), changes, more }
    },

    async *turns(draft, { since, signal }) {
      for await (const { turns } of walk(draft, since, signal)) yield* turns
    },
  }
}

function seenSince({ pairs, turns }: Compared, since: number): Compared {
  return {
    pairs: pairs.filter(({ lastAt }) => lastAt >= since),
    turns: turns.filter(({ pair }) => pair.lastAt >= since),
  }
}
