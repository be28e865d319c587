import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SeenPair } from '#directory/seen-pairs.ts'
import type { SeenJudge, Standing } from './judge-seen.ts'

/** A device that a change would turn: refused from then on, or let in from then on. */
export interface Turn {
  readonly pair: SeenPair
  readonly to: 'refused' | 'allowed'
  readonly platform: string
  /** In lower case. */
  readonly groups: readonly string[]
  readonly before: Standing
  readonly after: Standing
}

/** Some of the pairs, and those of them that would turn, in the same order. */
export interface Compared {
  readonly pairs: readonly SeenPair[]
  readonly turns: readonly Turn[]
}

/** How to judge a pair as things stand, and as they would stand. */
export interface Comparison {
  readonly before: SeenJudge
  readonly after: SeenJudge
  /** False for a pair that both judge alike, which need not be asked. Absent: every pair is asked. */
  readonly concerns?: (pair: SeenPair) => boolean
}

/** How long the thread is held, ms; the window that is under way is finished. */
const sliceMs = 2

/** Judges pairs twice. In slices: between two windows everything else has its turn. The order is that of the pairs. */
export async function* compareSeen(
  windows: Iterable<readonly SeenPair[]>,
  comparison: Comparison,
): AsyncGenerator<Compared> {
  let until = performance.now() + sliceMs
  for (const pairs of windows) {
    yield { pairs, turns: pairs.map((pair) => turnOf(pair, comparison)).filter((turn) => turn !== undefined) }
    if (performance.now() < until) continue
    await nextTurn()
    until = performance.now() + sliceMs
  }
}

function turnOf(pair: SeenPair, { before: judgeBefore, after: judgeAfter, concerns }: Comparison) {
  if (concerns?.(pair) === false) return undefined
  const { standing: before } = judgeBefore(pair)
  const { standing: after, platform, groups } = judgeAfter(pair)
  if (before.refused === after.refused) return undefined
  const to = after.refused ? ('refused' as const) : ('allowed' as const)
  return { pair, to, platform, groups, before, after }
}
