import type { IntuneContext } from './context.ts'
import { guidOf } from './fields.ts'
import { graphCalls } from './graph-calls.ts'
import { objectsOf, pages } from './pages.ts'

const guid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** What a name in the policy stands for. */
export type FoundGroup = { readonly id: string } | { readonly error: string; readonly isUnknown: boolean }

/**
 * The group of Entra that the policy means: by its id, or by a display name that is no other group's. Names are unique
 * nowhere in Entra, so of two groups neither is taken.
 */
export async function findGroup(
  { client }: Pick<IntuneContext, 'client'>,
  name: string,
  signal: AbortSignal,
): Promise<FoundGroup> {
  if (guid.test(name)) return { id: name }
  const url = client.urlOf('/groups', {
    $filter: `displayName eq '${name.replaceAll("'", "''")}'`,
    $select: 'id,displayName',
  })
  const ids = new Set<string>()
  const request = { call: graphCalls.groups, url, priority: 'low', signal, stamp: () => undefined } as const
  for await (const { items } of pages(client, request)) {
    for (const group of objectsOf(items)) {
      const { displayName } = group
      const id = guidOf(group, 'id')
      const isMeant = typeof displayName === 'string' && displayName.toLowerCase() === name
      if (isMeant && id !== undefined) ids.add(id)
    }
  }
  const [id, ...others] = ids
  if (id === undefined) {
    return { error: `Entra has no group ${name}; the policy can name a group by its id too`, isUnknown: true }
  }
  if (others.length === 0) return { id }
  const listed = [...ids].toSorted().slice(0, 5).join(', ')
  return {
    error: `Entra has ${ids.size} groups named ${name}: name the one that is meant by its id (${listed})`,
    isUnknown: false,
  }
}
