import { allowedDrop } from '../allowed-drop.ts'
import { dropText, type IntuneContext } from './context.ts'
import { guidOf, MalformedField, userName, type JsonObject } from './fields.ts'
import { graphCalls } from './graph-calls.ts'
import { GraphError, isNotFound } from './graph-error.ts'
import { objectsOf, pages } from './pages.ts'
import { countMalformed } from './report-malformed.ts'

/** A group as the policy names it, and its id in Entra. */
export interface KnownGroup {
  /** Display name or id, lower case. */
  readonly name: string
  readonly id: string
}

/** What a reading of the members of a group came to. */
export interface ReadMembers {
  /** Ids of the groups within it, at any depth. */
  readonly nested: ReadonlySet<string>
  /** Why members are kept whom the list does not have, where that is worth an alarm. */
  readonly error?: string
}

const pageSize = 999
/** Members who are no longer listed and are asked for by themselves after one reading. */
const maxConfirmations = 1000
/** Ids that one call takes. */
const maxCheckedGroups = 20

/**
 * Reads all members of a group, through groups within it. Who is not listed any more is asked for by himself before he
 * is taken out: outside a targeted group, nobody would judge him.
 */
export async function readMembers(
  context: IntuneContext,
  { name: group, id }: KnownGroup,
  signal: AbortSignal,
): Promise<ReadMembers> {
  const { store, client, name, settings, log } = context
  const malformed = countMalformed(context, 'members of groups')
  const sweep = store.sweepGroup(name, group)
  const nested = new Set<string>()
  const url = client.urlOf(`/groups/${id}/transitiveMembers`, {
    $select: 'id,userPrincipalName',
    $top: String(pageSize),
  })
  const request = { call: graphCalls.members, url, priority: 'low', signal, stamp: () => undefined } as const
  for await (const { items } of pages(client, request)) {
    const members: string[] = []
    for (const member of objectsOf(items)) {
      try {
        const read = readMember(member)
        if ('user' in read) members.push(read.user)
        else if ('group' in read) nested.add(read.group)
      } catch (error) {
        if (!(error instanceof MalformedField)) throw error
        malformed.add({ id: String(member['id']).slice(0, 64), field: error.field, message: error.message })
      }
    }
    await sweep.add(members)
  }

  const { known, count, users } = await sweep.unlisted(maxConfirmations)
  if (count > allowedDrop(known, settings.maxDrop)) {
    const error = dropText(`members of ${group}`, count, known)
    log.error({ source: name, group, missing: count, known }, error)
    return { nested, error }
  }
  for (const user of users) {
    if ((await memberOf(context, user, [id], 'low', signal))?.length !== 1) sweep.remove(user)
  }
  // a member who could not be read may be anybody
  if (malformed.count === 0) store.setGroupRead(name, group)
  return { nested }
}

/**
 * Those of the groups, by id, that the user is in, through groups within them; undefined where there is no such user.
 * @param user id or UPN
 */
export async function memberOf(
  { client }: Pick<IntuneContext, 'client'>,
  user: string,
  groupIds: readonly string[],
  priority: 'high' | 'low',
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const found: string[] = []
  for (let start = 0; start < groupIds.length; start += maxCheckedGroups) {
    const asked = groupIds.slice(start, start + maxCheckedGroups)
    const url = client.urlOf(`/users/${encodeURIComponent(user)}/checkMemberGroups`)
    try {
      const call = graphCalls.checkMemberGroups
      const { value } = await client.ask({ call, url, priority, signal, body: { groupIds: asked } })
      if (!Array.isArray(value))
        throw new GraphError('GRAPH_BAD_ANSWER', 'an answer about groups holds no list')
      const told = new Set(value.map((id: unknown) => String(id).toLowerCase()))
      found.push(...asked.filter((id) => told.has(id)))
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }
  return found
}

type Member = { readonly user: string } | { readonly group: string } | { readonly other: string }

function readMember(member: JsonObject): Member {
  const type = member['@odata.type']
  const id = guidOf(member, 'id')
  if (id === undefined) throw new MalformedField('id', 'a GUID')
  if (type === '#microsoft.graph.group') return { group: id }
  if (type !== '#microsoft.graph.user') return { other: id }
  const user = userName(member, 'userPrincipalName')
  // Graph shows members without their names to who may not read users
  if (user === undefined) {
    throw new GraphError(
      'GRAPH_FORBIDDEN',
      'Graph gives members of groups without their names: grant the application permission User.Read.All, with admin consent',
    )
  }
  return { user }
}
