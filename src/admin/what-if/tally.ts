import type { Compared, Turn } from './compare.ts'

/** How many devices a change would turn. */
export interface Turns {
  readonly newlyRefused: number
  readonly newlyAllowed: number
}

/** What a change would do to the devices that were seen. Each list begins with what concerns the most. */
export interface Tally extends Turns {
  /** Devices that were looked at. */
  readonly devices: number
  /** By the reason of the refusal that would begin or end. */
  readonly byReason: readonly (Turns & { readonly reason: string })[]
  readonly byPlatform: readonly (Turns & { readonly platform: string })[]
  /** A user counts in each of its groups, so these do not add up. At most 100. */
  readonly byGroup: readonly (Turns & { readonly group: string })[]
}

/** Counts as a walk goes on. */
export interface TallyCounter {
  readonly add: (compared: Compared) => void
  readonly result: () => Tally
}

const maxGroups = 100

export function createTally(): TallyCounter {
  let devices = 0
  let newlyRefused = 0
  let newlyAllowed = 0
  const reasons = createCounter()
  const platforms = createCounter()
  const groups = createCounter()
  return {
    add: (compared) => {
      devices += compared.pairs.length
      for (const { to, before, after, platform, groups: userGroups } of compared.turns) {
        if (to === 'refused') newlyRefused++
        else newlyAllowed++
        reasons.add((to === 'refused' ? after : before).reason, to)
        platforms.add(platform, to)
        for (const group of userGroups) groups.add(group, to)
      }
    },
    result: () => ({
      devices,
      newlyRefused,
      newlyAllowed,
      byReason: reasons.sorted().map(([reason, turns]) => ({ reason, ...turns })),
      byPlatform: platforms.sorted().map(([platform, turns]) => ({ platform, ...turns })),
      byGroup: groups
        .sorted()
        .slice(0, maxGroups)
        .map(([group, turns]) => ({ group, ...turns })),
    }),
  }
}

function createCounter() {
  const counts = new Map<string, { newlyRefused: number; newlyAllowed: number }>()
  return {
    add: (key: string, to: Turn['to']) => {
      const held = counts.get(key) ?? { newlyRefused: 0, newlyAllowed: 0 }
      if (to === 'refused') held.newlyRefused++
      else held.newlyAllowed++
      counts.set(key, held)
    },
    /** In an order that does not hang on that of the walk. */
    sorted: () =>
      [...counts].toSorted(
        ([name, one], [otherName, other]) =>
          other.newlyRefused - one.newlyRefused ||
          other.newlyAllowed - one.newlyAllowed ||
          (name < otherName ? -1 : 1),
      ),
  }
}
