import { z } from 'zod'
import { good, Refusal, type Answer } from './answers.ts'
import { contextOf, singleText, type Call } from './call.ts'
import { liesOf, listPage, nextCursor, requireKnown, selected } from './list.ts'
import type { Member } from './membership.ts'
import { holds, readUsers } from './permissions.ts'
import { nextLink } from './query.ts'
import type { CollectionName } from './tenant.ts'

const defaultPage = 100
const maxPage = 999
const maxCheckedGroups = 20

/** What the directory gives without $select: a part of what it has. */
export const defaultProperties = {
  users: [
    'businessPhones',
    'displayName',
    'givenName',
    'jobTitle',
    'mail',
    'mobilePhone',
    'officeLocation',
    'preferredLanguage',
    'surname',
    'userPrincipalName',
    'id',
  ],
  groups: [
    'id',
    'displayName',
    'description',
    'mail',
    'mailEnabled',
    'mailNickname',
    'securityEnabled',
    'groupTypes',
  ],
  directoryDevices: [
    'id',
    'accountEnabled',
    'approximateLastSignInDateTime',
    'complianceExpirationDateTime',
    'deviceId',
    'deviceVersion',
    'displayName',
    'isCompliant',
    'isManaged',
    'mdmAppId',
    'operatingSystem',
    'operatingSystemVersion',
    'profileType',
    'trustType',
  ],
} as const satisfies Partial<Record<CollectionName, readonly string[]>>

const filterable = {
  users: [
    'id',
    'userPrincipalName',
    'mail',
    'displayName',
    'proxyAddresses',
    'otherMails',
    'accountEnabled',
    'onPremisesSamAccountName',
    'userType',
  ],
  groups: ['id', 'displayName', 'mail', 'mailNickname', 'securityEnabled', 'mailEnabled'],
  directoryDevices: [
    'id',
    'deviceId',
    'displayName',
    'accountEnabled',
    'operatingSystem',
    'isCompliant',
    'isManaged',
  ],
} as const

type DirectoryCollection = keyof typeof defaultProperties

const collectionOfMember = { user: 'users', group: 'groups', device: 'directoryDevices' } as const
/** Paths and contexts say devices. */
const contextName = { users: 'users', groups: 'groups', directoryDevices: 'devices' } as const

/** GET /users, /groups, /devices */
export function list(collection: DirectoryCollection): (call: Call) => Answer {
  return (call) => {
    const { query, tenant } = call
    requireKnown(query.filter, filterable[collection])
    return listPage({
      ...call,
      table: tenant.tables[collection],
      context: contextName[collection],
      counts: 'asked',
      defaultTop: defaultPage,
      maxTop: maxPage,
      defaultProperties: defaultProperties[collection],
      ignored: () => false,
      lies: liesOf(call),
    })
  }
}

/** GET /users/{id or UPN}, /groups/{id}, /devices/{id} */
export function single(collection: DirectoryCollection): (call: Call) => Answer {
  return (call) => {
    const { query, tenant, ids } = call
    const table = tenant.tables[collection]
    const [id = ''] = ids
    const position = collection === 'users' ? tenant.find('users', id) : table.positionOf(id)
    if (position === undefined) throw notFound(id)
    const properties = selected(table, query, defaultProperties[collection])
    return good(singleText(call, `${contextName[collection]}/$entity`, table, position, properties))
  }
}

/** GET /users/{id or UPN}/transitiveMemberOf */
export function transitiveMemberOf(call: Call): Answer {
  requireAdvanced(call)
  const ids = call.tenant.memberships.groupsOf(userOf(call), call.isAdvanced)
  const size = pageSize(call)
  const start = call.query.cursor?.position ?? 0
  const members = ids.slice(start, start + size).map((id): Member => ({ type: 'group', id }))
  return memberPage(call, members, start + size < ids.length ? start + size : undefined)
}

/** POST /users/{id or UPN}/checkMemberGroups; ids that are no groups are passed over. */
export function checkMemberGroups(call: Call): Answer {
  const body = z.strictObject({ groupIds: z.array(z.string()) }).safeParse(call.body)
  if (!body.success)
    throw new Refusal(400, 'Request_BadRequest', "The value of 'groupIds' is not a list of ids.")
  const { groupIds } = body.data
  if (groupIds.length > maxCheckedGroups) {
    const text = `The number of elements in 'groupIds' exceeds ${maxCheckedGroups}.`
    throw new Refusal(400, 'Request_BadRequest', text)
  }
  const found = call.tenant.memberships.groupsOf(userOf(call), false)
  const value = groupIds.filter((id) => found.includes(id.toLowerCase()))
  return good(`${contextOf(call, 'Collection(Edm.String)')},"value":${JSON.stringify(value)}}`)
}

/** GET /groups/{id}/transitiveMembers, and its cast to users */
export function transitiveMembers(call: Call): Answer {
  requireAdvanced(call)
  const { tenant, ids, query } = call
  const position = tenant.tables.groups.positionOf(ids[0] ?? '')
  if (position === undefined) throw notFound(ids[0] ?? '')
  const id = tenant.tables.groups.text(position, 'id')
  const { members, next } = tenant.memberships.transitive(
    id,
    query.cursor?.position ?? 0,
    pageSize(call),
    call.isAdvanced,
  )
  const wanted = castOf(call)
  return memberPage(
    call,
    wanted === undefined ? members : members.filter(({ type }) => type === wanted),
    next,
  )
}

function memberPage(call: Call, members: readonly Member[], next: number | undefined): Answer {
  const { origin, path, query, tenant, permissions } = call
  let body = contextOf(call, 'directoryObjects')
  if (next !== undefined) {
    const link = nextLink(path, query.encoded, nextCursor(liesOf(call), query, next))
    body += `,"@odata.nextLink":${JSON.stringify(`${origin}${link}`)}`
  }
  const isCast = castOf(call) !== undefined
  const values = members.map(({ type, id }) => {
    const collection = collectionOfMember[type]
    const table = tenant.tables[collection]
    const wanted: readonly string[] = query.select ?? defaultProperties[collection]
    const properties = wanted.filter((name) => table.properties.has(name))
    const position = table.positionOf(id)
    if (position === undefined) return undefined
    // without the permission for the type itself a member is its id and nothing more
    const isOpen = type !== 'user' || holds(permissions, readUsers)
    const known = isOpen ? table.writer(properties)(position) : closedText(id, properties)
    if (isCast) return known
    return `{"@odata.type":"#microsoft.graph.${type}"${known === '{}' ? '' : ','}${known.slice(1)}`
  })
  return good(`${body},"value":[${values.filter((text) => text !== undefined).join(',')}]}`)
}

function closedText(id: string, properties: readonly string[]): string {
  const entries = properties.map((name) => [name, name === 'id' ? id : null] as const)
  return JSON.stringify(Object.fromEntries(entries))
}

/** The type that the last part of the path casts to. */
function castOf({ path }: Call): Member['type'] | undefined {
  const types = ['user', 'group', 'device'] as const
  return types.find((type) => path.endsWith(`/microsoft.graph.${type}`))
}

/** A cast is an advanced query, on every page: a nextLink does not keep the header. */
function requireAdvanced(call: Call): void {
  if (castOf(call) === undefined || call.isAdvanced) return
  const text = "Request with $count and cast needs the header 'ConsistencyLevel: eventual' and $count=true."
  throw new Refusal(400, 'Request_UnsupportedQuery', text)
}

function pageSize(call: Call): number {
  const { top } = call.query
  if (top !== undefined && top > maxPage) {
    const text = `Invalid page size specified: '${top}'. Must be between 1 and ${maxPage}.`
    throw new Refusal(400, 'Request_BadRequest', text)
  }
  return Math.min(top ?? defaultPage, liesOf(call)?.maxPageSize ?? maxPage)
}

function userOf({ tenant, ids }: Call): Member {
  const [name = ''] = ids
  const position = tenant.find('users', name)
  if (position === undefined) throw notFound(name)
  return { type: 'user', id: tenant.tables.users.text(position, 'id') }
}

function notFound(id: string): Refusal {
  const text = `Resource '${id}' does not exist or one of its queried reference-property objects are not present.`
  return new Refusal(404, 'Request_ResourceNotFound', text)
}
