import type { Store } from '#directory/store.ts'
import type { Logger } from '#telemetry/log.ts'
import type { Metrics } from '#telemetry/metrics.ts'
import type { Tally } from './what-if/tally.ts'
import type { Weight } from './what-if/weigh.ts'

/** Where a held change comes from; of each thing that has a name one change is held at most, the last. */
export interface ChangeOrigin {
  readonly kind: HeldKind
  /** The policy file, the source, or why quarantine is held. */
  readonly name: string
}

const kinds = ['policy', 'source', 'quarantine'] as const
export type HeldKind = (typeof kinds)[number]

const howToConfirm = 'confirm it with: easgate policy confirm'
const wouldRefuse = `a change would refuse too many devices and is held; ${howToConfirm}`
const alarms: Readonly<Record<HeldKind, string>> = {
  policy: wouldRefuse,
  source: wouldRefuse,
  quarantine: `too many devices turned refused at once; those that have mail are blocked in place of quarantine; ${howToConfirm}`,
}

/** A change that would refuse so many devices that it waits for an operator's word. */
export interface HeldChange extends ChangeOrigin {
  /** What an operator confirms it by. */
  readonly digest: string
  /** Milliseconds since the epoch. */
  readonly heldAt: number
  readonly weight: Weight
  readonly tally: Tally
}

/** What is held now. A restart forgets it: what is still there to be taken is weighed again. */
export interface HeldChanges {
  readonly list: () => readonly HeldChange[]
  /** Holds a change in the place of an earlier one of the same origin, and raises the alarm. */
  readonly hold: (change: HeldChange, take: (actor: string) => Promise<void>) => void
  /** The cause is gone, or the change was taken. */
  readonly release: (origin: ChangeOrigin) => void
  /**
   * Takes the change of this digest, as it was shown. Where taking it fails it stays held.
   * @returns undefined where no such change is held
   */
  readonly confirm: (digest: string, actor: string) => Promise<HeldChange | undefined>
  /** How many refusals operators let take place at `since` or later, ms since the epoch. */
  readonly confirmedSince: (since: number) => number
}

export interface HeldChangesDeps {
  readonly store: Pick<Store, 'audit'>
  readonly metrics: Pick<Metrics, 'changesHeld'>
  readonly log: Pick<Logger, 'error' | 'info'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

interface Entry {
  readonly change: HeldChange
  readonly take: (actor: string) => Promise<void>
}

export function createHeldChanges({ store, metrics, log, now }: HeldChangesDeps): HeldChanges {
  const held = new Map<string, Entry>()
  let confirmed: { readonly at: number; readonly refusals: number }[] = []
  count()

  function count(): void {
    for (const kind of kinds) {
      const changes = [...held.values()].filter(({ change }) => change.kind === kind)
      metrics.changesHeld.set({ kind }, changes.length)
    }
  }

  function tell(event: string, change: HeldChange, actor = 'easgate'): void {
    const { kind, name, digest, weight } = change
    const { inUse, newlyRefused } = weight
    store.audit({ at: now(), actor, event, detail: { kind, name, digest, inUse, newlyRefused } })
  }

  return {
    list: () => [...held.values()].map(({ change }) => change),

    hold: (change, take) => {
      const earlier = held.get(keyOf(change))
      held.set(keyOf(change), { change, take })
      count()
      const { kind, name, digest, weight, tally } = change
      log.error({ kind, name, digest, ...weight, byReason: tally.byReason }, alarms[kind])
      if (earlier?.change.digest !== digest) tell('change-held', change)
    },

    release: (origin) => {
      const entry = held.get(keyOf(origin))
      if (entry === undefined) return
      held.delete(keyOf(origin))
      count()
      const { kind, name, digest } = entry.change
      log.info({ kind, name, digest }, 'a held change is gone')
      tell('held-change-gone', entry.change)
    },

    confirm: async (digest, actor) => {
      const entry = [...held.values()].find(({ change }) => change.digest === digest)
      if (entry === undefined) return undefined
      const { change, take } = entry
      const { kind, name } = change
      // a second word on it finds nothing to be taken
      held.delete(keyOf(change))
      try {
        await take(actor)
      } catch (error) {
        // what was held meanwhile is the newer one
        if (!held.has(keyOf(change))) held.set(keyOf(change), entry)
        throw error
      }
      count()
      if (kind !== 'quarantine') confirmed.push({ at: now(), refusals: change.weight.newlyRefused })
      log.info({ kind, name, digest, actor }, 'a held change is confirmed')
      tell('change-confirmed', change, actor)
      return change
    },

    confirmedSince: (since) => {
      confirmed = confirmed.filter(({ at }) => at >= since)
      return confirmed.reduce((sum, { refusals }) => sum + refusals, 0)
    },
  }
}

function keyOf({ kind, name }: ChangeOrigin): string {
  return JSON.stringify([kind, name])
}
