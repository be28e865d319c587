import { z } from 'zod'
import type { Graph } from './graph.ts'
import type { RequestRecord, Requests } from './requests.ts'
import { appSchema, routeNames, type Entity } from './scenario.ts'
import { collectionNames, type CollectionName } from './tenant.ts'

/*
 * The control endpoint: JSON under a random prefix. An error is answered 400 with { error }.
 *
 *   GET    /behaviour                     how Graph behaves now
 *   PATCH  /behaviour                     replaces whole sections of it
 *   GET    /{collection}?from=0&count=10  records by position, the hidden ones too; null where there is none
 *   POST   /{collection}                  adds a record; gives it whole
 *   GET    /{collection}/{key}            one record; `key`: id, UPN of a user, display name of a
 *                                        group, or position
 *   PATCH  /{collection}/{key}            lays values over it; of a group also { addMembers, removeMembers }
 *   DELETE /{collection}/{key}            ?reason=changed: a group or directory device that can be restored
 *   POST   /{collection}/{key}/hide       lists leave it out, the call for the one record still gives it
 *   POST   /{collection}/{key}/show
 *   PATCH  /apps/{clientId}               secrets, certificates, permissions; a token keeps what it was given for
 *   POST   /expire-tokens, /expire-delta-tokens
 *   POST   /advance-clock                 { seconds }: of tokens and throttling
 *   POST   /release                       lets the calls go that a fault of kind hang holds
 *   GET    /requests, /counts
 *   DELETE /counts
 *   GET    /wait?route=&after=&status=&state=  answers when a call fits: at once, or once it has come
 *
 * Collections: managedDevices, users, groups, directoryDevices.
 */

/** One call of the control endpoint; `path` is the part behind the prefix. */
export interface ControlCall {
  readonly method: string
  readonly path: string
  readonly search: URLSearchParams
  readonly body: unknown
}

/** What the control endpoint works on. */
export interface Controlled {
  readonly graph: Graph
  readonly requests: Requests
  readonly release: () => void
}

/** Gives what to answer, as JSON, or a promise of it. `onGone` is told what calls a wait off. @throws where it makes no sense */
export function control(
  controlled: Controlled,
  call: ControlCall,
  onGone: (gone: () => void) => void,
): unknown {
  const { graph, requests, release } = controlled
  const { method, path, search, body } = call
  const [name = '', key, action] = path.split('/').slice(1).map(decodeURIComponent)
  const collection = collectionNames.find((known) => known === name)
  if (collection !== undefined) return changeCollection(graph, collection, { ...call, key, action })
  switch (`${method} /${name}`) {
    case 'GET /behaviour':
      return graph.behaviour()
    case 'PATCH /behaviour':
      graph.behave(anyObject.parse(body))
      return graph.behaviour()
    case 'PATCH /apps':
      return changeApp(graph, key, body)
    case 'POST /expire-tokens':
      graph.tokens.expireAll()
      return {}
    case 'POST /expire-delta-tokens':
      graph.expireDeltaTokens()
      return {}
    case 'POST /advance-clock':
      graph.advanceClock(z.strictObject({ seconds: z.number() }).parse(body).seconds)
      return {}
    case 'POST /release':
      release()
      return {}
    case 'GET /requests':
      return requests.recent()
    case 'GET /counts':
      return requests.counts()
    case 'DELETE /counts':
      requests.resetCounts()
      return {}
    case 'GET /wait': {
      const wanted = wantedSchema.parse(Object.fromEntries(search))
      return new Promise<RequestRecord>((resolve) => onGone(requests.wait(wanted, resolve)))
    }
    default:
      throw new Error(`no ${method} ${path}`)
  }
}

const wantedSchema = z.strictObject({
  route: z.enum(routeNames).optional(),
  after: z.coerce.number().optional(),
  status: z.coerce.number().optional(),
  state: z.enum(['arrived', 'answered']).optional(),
})
const anyObject = z.record(z.string(), z.unknown())

function changeApp({ scenario }: Graph, clientId: string | undefined, body: unknown): unknown {
  const app = scenario.apps.find((known) => known.clientId === clientId?.toLowerCase())
  if (app === undefined) throw new Error(`no app ${clientId ?? ''}`)
  return Object.assign(app, appSchema.parse({ ...app, ...anyObject.parse(body) }))
}

interface CollectionCall extends ControlCall {
  readonly key: string | undefined
  readonly action: string | undefined
}

function changeCollection(graph: Graph, collection: CollectionName, call: CollectionCall): unknown {
  const { method, search, body, key, action } = call
  const table = graph.tenant.tables[collection]
  if (key === undefined) {
    if (method === 'POST') return addRecord(graph, collection, body)
    const from = Number(search.get('from') ?? 0)
    const count = Number(search.get('count') ?? table.end())
    return Array.from({ length: Math.min(count, table.end() - from) }, (_, at) => table.at(from + at) ?? null)
  }
  const position = positionOf(graph, collection, key)
  switch (`${method} ${action ?? ''}`.trim()) {
    case 'GET':
      break
    case 'PATCH':
      changeRecord(graph, collection, position, body)
      break
    case 'DELETE':
      removeRecord(graph, collection, position, search.get('reason') === 'changed' ? 'changed' : 'deleted')
      return {}
    case 'POST hide':
    case 'POST show':
      table.hide(position, action === 'hide')
      break
    default:
      throw new Error(`no ${method} ${action ?? ''}`)
  }
  return table.at(position)
}

function positionOf({ tenant }: Graph, collection: CollectionName, key: string): number {
  const table = tenant.tables[collection]
  const byNumber = /^\d{1,9}$/.test(key) && table.has(Number(key)) ? Number(key) : undefined
  const position = byNumber ?? tenant.find(collection, key)
  if (position === undefined) throw new Error(`no ${collection}/${key}`)
  return position
}

const recordSchema = z.record(z.string(), z.json())
const memberNames = z.array(z.string()).default([])
const groupChanges = z.looseObject({ addMembers: memberNames, removeMembers: memberNames })

/** Groups and directory devices as the delta calls name them. */
function logged(collection: CollectionName): 'groups' | 'devices' | undefined {
  if (collection === 'groups') return 'groups'
  return collection === 'directoryDevices' ? 'devices' : undefined
}

function addRecord({ tenant }: Graph, collection: CollectionName, body: unknown): Entity | undefined {
  const entity = recordSchema.parse(body)
  const table = tenant.tables[collection]
  const position = tenant.add(collection, entity)
  const log = logged(collection)
  const properties = Object.keys(entity)
  if (log !== undefined) tenant.changes.add({ collection: log, id: table.text(position, 'id'), properties })
  return table.at(position)
}

function changeRecord({ tenant }: Graph, collection: CollectionName, position: number, body: unknown): void {
  const table = tenant.tables[collection]
  const id = table.text(position, 'id')
  if (collection !== 'groups') {
    const changes = recordSchema.parse(body)
    table.change(position, changes)
    const log = logged(collection)
    if (log !== undefined) tenant.changes.add({ collection: log, id, properties: Object.keys(changes) })
    return
  }
  const { addMembers, removeMembers, ...rest } = groupChanges.parse(body)
  const changes = recordSchema.parse(rest)
  const properties = Object.keys(changes)
  table.change(position, changes)
  if (properties.length > 0) tenant.changes.add({ collection: 'groups', id, properties })
  for (const member of addMembers.map(tenant.memberOf)) {
    if (!tenant.memberships.add(id, member)) continue
    tenant.changes.add({ collection: 'groups', id, member: { ...member, removed: false } })
  }
  for (const member of removeMembers.map(tenant.memberOf)) {
    if (!tenant.memberships.remove(id, member)) continue
    tenant.changes.add({ collection: 'groups', id, member: { ...member, removed: true } })
  }
}

/** Who is gone is in no group any more. */
function removeRecord(
  { tenant }: Graph,
  collection: CollectionName,
  position: number,
  reason: 'changed' | 'deleted',
): void {
  const { tables, memberships, changes } = tenant
  const table = tables[collection]
  const id = table.text(position, 'id')
  const log = logged(collection)
  const type = (
    { users: 'user', groups: 'group', directoryDevices: 'device', managedDevices: undefined } as const
  )[collection]
  if (type !== undefined) {
    for (let group = 0; group < tables.groups.end(); group++) {
      const groupId = tables.groups.text(group, 'id')
      if (!memberships.remove(groupId, { type, id })) continue
      changes.add({ collection: 'groups', id: groupId, member: { type, id, removed: true } })
    }
  }
  table.remove(position)
  if (log !== undefined) changes.add({ collection: log, id, removed: reason })
}
