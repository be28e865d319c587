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
  /** Looks once. */
  readonly look: () => void
  /** Counts the devices in use, of which the share is taken; before that nothing is noticed. In slices. */
  readonly measure: () => Promise<void>
  /** Measures and looks from now on. Gives the function that ends it. */
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
const measureMs = 600_000
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
  let inUse: number | undefined
  if (hold.heldSince !== undefined) show(hold.heldSince)

  function set(next: typeof hold): Promise<void> {
    hold = next
    store.keepQuarantineHold(next)
    return onChange(next.heldSince)
  }

  /** How many may turn; undefined before anything was measured. */
  function allowance(): number | undefined {
    if (inUse === undefined) return undefined
    return mayBeRefused(share, inUse) + held.confirmedSince(now() - confirmedMs)
  }

  /** Who turned within the time before it was held, and since then. */
  function countedFrom({ heldSince, countsFrom }: typeof hold): number {
    return Math.max((heldSince ?? now()) - windowMs, countsFrom)
  }

  function show(heldSince: number): void {
    const from = countedFrom(hold)
    const newlyRefused = store.countTurned(from)
    const maxNewRefusals = allowance() ?? 0
    const weight: Weight = { inUse: inUse ?? 0, newlyRefused, maxNewRefusals, tooHeavy: true }
    const tally = tallyOf(weight, store.turnedPairs(from))
    const digest = digestOf(`${origin.name} ${heldSince}`)
    held.hold({ ...origin, digest, heldAt: heldSince, weight, tally }, async () => {
      await set({ countsFrom: now() })
    })
  }

  function look(): void {
    const most = allowance()
    if (most === undefined) return
    const tooMany = store.countTurned(countedFrom(hold)) > most
    if (tooMany === (hold.heldSince !== undefined)) return
    if (tooMany) {
      const heldSince = now()
      void set({ ...hold, heldSince })
      show(heldSince)
    } else {
      void set({ countsFrom: hold.countsFrom })
      held.release(origin)
    }
  }

  async function measure(): Promise<void> {
    inUse = await countInUse(store, now())
  }

  /** A fault of the store is told where mail is served; here the next look comes soon. */
  const failed = (error: unknown) => log.error({ err: error }, 'refused devices could not be counted')
  const measureOrTell = () => void measure().catch(failed)

  return {
    heldSince: () => hold.heldSince,
    look,
    measure,
    watch: () => {
      measureOrTell()
      const measuring = setInterval(measureOrTell, measureMs)
      const looking = setInterval(() => {
        try {
          look()
        } catch (error) {
          failed(error)
        }
      }, lookMs)
      return () => {
        clearInterval(measuring)
        clearInterval(looking)
      }
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
