import type { IntuneContext } from './context.ts'
import { guidOf } from './fields.ts'
import { graphCalls } from './graph-calls.ts'
import { findGroup } from './group-ids.ts'
import { GraphError, isNotFound } from './graph-error.ts'
import { memberOf, readMembers, type KnownGroup } from './members.ts'
import { objectsOf, pages } from './pages.ts'

/** Who is in the groups that policy and routing name, through groups within them. */
export interface Groups {
  /** The groups to read, lower case: display names or ids. Gives true where some of them are new. */
  setNames(names: readonly string[]): boolean
  readonly names: ReadonlySet<string>
  /** Reads the groups that changed or were never read. @returns what is wrong with some, in one text */
  read(signal: AbortSignal): Promise<string | undefined>
  /** Names of the groups that the user is in; undefined where there is no such user. */
  ofUser(userId: string, signal: AbortSignal): Promise<readonly string[] | undefined>
}

/** The delta of groups takes so many ids, and tells of direct members only. facts.md 5, Groups */
const maxWatched = 50
/** Rounds of a reading in which groups within groups turn up that were not watched yet. */
const maxRounds = 3

interface WatchedGroup extends KnownGroup {
  readonly nested: ReadonlySet<string>
  readonly isRead: boolean
}

interface Watch {
  readonly ids: ReadonlySet<string>
  /** Where the next round of changes begins. */
  readonly link: string
}

/**
 * Reads each group whole, and again when one of its own groups changed: the delta of Graph says that much at the price of
 * one call. Where more groups are nested than it watches, all are read each time.
 */
export function createGroups(context: IntuneContext): Groups {
  const { client, store, name: source } = context
  let names: ReadonlySet<string> = new Set()
  const known = new Map<string, WatchedGroup>()
  let watch: Watch | undefined

  const idsToWatch = (): ReadonlySet<string> =>
    new Set([...known.values()].flatMap(({ id, nested }) => [id, ...nested]))

  /** Looks up the names that have no id yet. */
  async function findGroups(signal: AbortSignal): Promise<readonly string[]> {
    const errors: string[] = []
    for (const name of names) {
      if (known.has(name)) continue
      const found = await findGroup(context, name, signal)
      if ('id' in found) known.set(name, { name, id: found.id, nested: new Set(), isRead: false })
      else if (found.isUnknown && (await store.hasGroupFromOthers(source, name)))
        store.setGroupRead(source, name)
      else errors.push(found.error)
    }
    return errors
  }

  /** Forgets what the groups are like where one of those that they hang on has changed. */
  async function noticeChanges(signal: AbortSignal): Promise<void> {
    if (watch === undefined) {
      forget(() => true)
      return
    }
    try {
      const changed = new Set<string>()
      const link = await readDelta(watch.link, signal, (id) => changed.add(id))
      watch = { ...watch, link }
      forget(({ id, nested }) => changed.has(id) || [...nested].some((inner) => changed.has(inner)))
    } catch (error) {
      if (!(error instanceof GraphError && error.code === 'GRAPH_GONE')) throw error
      watch = undefined
      forget(() => true)
    }
  }

  function forget(isChanged: (group: WatchedGroup) => boolean): void {
    for (const [name, group] of known) if (isChanged(group)) known.set(name, { ...group, isRead: false })
  }

  /** From now on, so that nothing is missed, a change is told that comes while the members are read. */
  async function watchFromNow(signal: AbortSignal): Promise<void> {
    const ids = idsToWatch()
    if (ids.size === 0 || ids.size > maxWatched) {
      watch = undefined
      return
    }
    if (watch !== undefined && ids.symmetricDifference(watch.ids).size === 0) return
    const url = client.urlOf('/groups/delta', {
      $filter: [...ids].map((id) => `id eq '${id}'`).join(' or '),
      $select: 'members',
      $deltatoken: 'latest',
    })
    watch = { ids, link: await readDelta(url, signal, () => undefined) }
  }

  async function readDelta(url: string, signal: AbortSignal, onGroup: (id: string) => void): Promise<string> {
    const request = {
      call: graphCalls.groupsDelta,
      url,
      priority: 'low',
      signal,
      stamp: () => undefined,
    } as const
    for await (const { items, deltaLink } of pages(client, request)) {
      for (const group of objectsOf(items)) {
        const id = guidOf(group, 'id')
        if (id !== undefined) onGroup(id)
      }
      if (deltaLink !== undefined) return deltaLink
    }
    throw new GraphError('GRAPH_BAD_ANSWER', 'a round of changes of groups ends without a deltaLink')
  }

  /** Gives what is wrong with the groups that could not be read. */
  async function readUnread(signal: AbortSignal): Promise<readonly string[]> {
    const errors: string[] = []
    for (const group of known.values()) {
      if (group.isRead) continue
      try {
        const { nested, error } = await readMembers(context, group, signal)
        if (error !== undefined) errors.push(error)
        known.set(group.name, { ...group, nested, isRead: error === undefined })
      } catch (error) {
        if (!isNotFound(error)) throw error
        known.delete(group.name)
        errors.push(`Entra has no group ${group.name} any more`)
      }
    }
    return errors
  }

  return {
    setNames(given) {
      const before = names
      names = new Set(given)
      for (const name of known.keys()) if (!names.has(name)) known.delete(name)
      store.setGroups(source, given)
      return !names.isSubsetOf(before)
    },

    get names() {
      return names
    },

    async read(signal) {
      const errors = [...(await findGroups(signal))]
      await noticeChanges(signal)
      for (let round = 1; ; round++) {
        await watchFromNow(signal)
        const wrong = await readUnread(signal)
        const isWatched = watch !== undefined && idsToWatch().isSubsetOf(watch.ids)
        if (wrong.length > 0 || isWatched || watch === undefined || round === maxRounds) {
          errors.push(...wrong)
          return errors.length === 0 ? undefined : errors.join('; ')
        }
        // groups within groups turned up that nobody watched while they were read
        forget(({ nested }) => nested.size > 0)
      }
    },

    async ofUser(userId, signal) {
      const groups = [...known.values()]
      const ids = await memberOf(
        context,
        userId,
        groups.map(({ id }) => id),
        'high',
        signal,
      )
      return ids && groups.filter(({ id }) => ids.includes(id)).map(({ name }) => name)
    },
  }
}
