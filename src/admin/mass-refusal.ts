import type { Store } from '#directory/store.ts'
import type { TurnedPairs } from '#directory/turned-pairs.ts'
import { digestOf } from '#config/digest.ts'
import type { Logger } from '#telemetry/log.ts'
import type { HeldChanges } from './held-changes.ts'
import type { Tally, Turns } from './what-if/tally.ts'
import { countInUse, mayBeRefused, type Weight } from './what-if/weigh.ts'

/** Notices where too many devices turn refused at once, and holds their quarantine. */
export interface MassRefusal {
  /** Since when it is held, ms since the epoch; undefined: it is not. */
  readonly heldSince: () => number | undefined
  /** Looks once; settles where it had to count the devices in use, before it tells. */
  readonly look: () => Promise<void>
  /** Looks every second from now on. Gives the function that ends it. */
  readonly watch: () => () => void
}

export interface MassRefusalDeps {
  readonly store: Store
  readonly held: HeldChanges
  /** The share of the devices in use that may turn refused within 10 minutes, from 0 to 1. */
  readonly share: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly log: Pick<Logger, 'error'>
  /** Tells the workers; resolves once they act by it. */
  readonly onChange: (heldSince: number | undefined) => Promise<void>
}

const windowMs = 600_000
const lookMs = 1000
/** The devices in use are counted when their share is asked for, at most this often. */
const countMs = 60_000
/** What an operator has confirmed brings its refusals within this time, as the devices come by. */
const confirmedMs = 3_600_000

const origin = { kind: 'quarantine', name: 'mass-refusal' } as const

/**
 * The safety catch of `weighChange` looks at a change before it is in force. This one looks at what became of the
 * devices, whatever did it: pushes, facts that grew old, a clock, a client that changed. What it holds is the quarantine
 * alone, which makes phones drop their mail: refused they are, and stay. It ends when most of them are let in again, or
 * when an operator confirms that it is meant.
 */
export function createMassRefusal(deps: MassRefusalDeps): MassRefusal {
  const { store, held, share, log, now, onChange } = deps
  let hold = store.quarantineHold()
  /** Devices in use, and when they were counted. */
  let counted = { inUse: 0, at: -Infinity }
  let looking = false
  if (hold.heldSince !== undefined) show(hold.heldSince)

  function set(next: typeof hold): Promise<void> {
    hold = next
    store.keepQuarantineHold(next)
    return onChange(next.heldSince)
  }

  /** How many may turn. What an operator has confirmed is not asked of him again. */
  function allowance(): number {
    return mayBeRefused(share, counted.inUse) + held.confirmedSince(now() - confirmedMs)
  }

  /** Who turned within the time before it was held, and since then. */
  function countedFrom({ heldSince, countsFrom }: typeof hold): number {
    return Math.max((heldSince ?? now()) - windowMs, countsFrom)
  }

  function show(heldSince: number): void {
    const from = countedFrom(hold)
    const newlyRefused = store.countTurned(from)
    const { inUse } = counted
    const weight: Weight = { inUse, newlyRefused, maxNewRefusals: allowance(), tooHeavy: true }
    const tally = tallyOf(weight, store.turnedPairs(from))
    const digest = digestOf(`${origin.name} ${heldSince}`)
    held.hold({ ...origin, digest, heldAt: heldSince, weight, tally }, async () => {
      await set({ countsFrom: now() })
    })
  }

  /** True where more turned than may, of as many as are in use now. */
  async function tooMany(): Promise<boolean> {
    const turned = () => store.countTurned(countedFrom(hold))
    if (turned() <= mayBeRefused(share, 0)) return false
    if (now() - counted.at >= countMs) counted = { inUse: await countInUse(store, now()), at: now() }
    return turned() > allowance()
  }

  async function look(): Promise<void> {
    if (looking) return
    looking = true
    try {
      const isTooMany = await tooMany()
      if (isTooMany === (hold.heldSince !== undefined)) return
      if (isTooMany) {
        const heldSince = now()
        void set({ ...hold, heldSince })
        show(heldSince)
      } else {
        void set({ countsFrom: hold.countsFrom })
        held.release(origin)
      }
    } finally {
      looking = false
    }
  }

  return {
    heldSince: () => hold.heldSince,
    look,
    watch: () => {
      const timer = setInterval(() => {
        // where mail is served a fault of the store is told as well; the next look comes soon
        look().catch((error: unknown) => log.error({ err: error }, 'refused devices could not be counted'))
      }, lookMs)
      return () => clearInterval(timer)
    },
  }
}

function tallyOf({ inUse, newlyRefused }: Weight, turned: readonly TurnedPairs[]): Tally {
  const sums = (key: 'reason' | 'platform') => {
    const counts = new Map<string, number>()
    for (const row of turned) counts.set(row[key], (counts.get(row[key]) ?? 0) + row.pairs)
    return [...counts].toSorted(([, one], [, other]) => other - one)
  }
  return {
    devices: inUse,
    ...refused(newlyRefused),
    byReason: sums('reason').map(([reason, pairs]) => ({ reason, ...refused(pairs) })),
    byPlatform: sums('platform').map(([platform, pairs]) => ({ platform, ...refused(pairs) })),
    byGroup: [],
  }
}

function refused(pairs: number): Turns {
  return { newlyRefused: pairs, newlyAllowed: 0 }
}
