import { setTimeout as delay } from 'node:timers/promises'
import type { FactsSource } from '#directory/facts-source.ts'
import { groupsOf } from '#policy/lint.ts'
import type { Policy } from '#policy/schema.ts'

/** Tells the sources whose members are needed: groups of the routing, of the policy in force, and of a draft. */
export interface SourceGroups {
  /** The sources that are told, from now on. */
  readonly use: (sources: readonly FactsSource[]) => void
  /** Has the groups of a policy read too. */
  readonly need: (policy: Policy) => void
  /**
   * The same for a draft. Settles once they were, or after a time, so that the draft is weighed by who is in
   * them; and once every worker knows which are unread.
   */
  readonly prepare: (draft: Policy) => Promise<void>
  /** The policy is in force: groups that only another one names are needed no more. */
  readonly keep: (policy: Policy) => void
}

export interface SourceGroupsOptions {
  /** Groups that the routing names, lower case. */
  readonly routing: readonly string[]
  /** Resolves once every worker decides by all that is committed. */
  readonly enforced: () => Promise<void>
  /** How long a draft waits for its groups, ms; default 10 s. */
  readonly timeoutMs?: number
}

const defaultTimeoutMs = 10_000

export function createSourceGroups(options: SourceGroupsOptions): SourceGroups {
  const { routing, enforced, timeoutMs = defaultTimeoutMs } = options
  let sources: readonly FactsSource[] = []
  let names: ReadonlySet<string> = new Set(routing)

  function namesOf(policy: Policy): ReadonlySet<string> {
    return new Set([...routing, ...groupsOf(policy).map(({ name }) => name)])
  }

  async function tell(): Promise<void> {
    const given = [...names].toSorted()
    await Promise.all(sources.map(async (source) => source.setGroups?.(given)))
  }

  return {
    use(given) {
      sources = given
      void tell()
    },

    need(policy) {
      names = names.union(namesOf(policy))
      void tell()
    },

    async prepare(draft) {
      names = names.union(namesOf(draft))
      await Promise.race([tell(), delay(timeoutMs, undefined, { ref: false })])
      await enforced()
    },

    keep(policy) {
      names = namesOf(policy)
      void tell()
    },
  }
}
