import { good, Refusal, type Answer } from './answers.ts'
import { contextOf, type Call } from './call.ts'
import type { Change } from './change-log.ts'
import { defaultProperties } from './directory.ts'
import type { Filter } from './filter.ts'
import { selected } from './list.ts'
import type { Member } from './membership.ts'
import { nextLink } from './query.ts'
import type { Entity } from './scenario.ts'

const maxFilteredIds = 50

/** What a round of changes remembers from call to call, within tokens that mean nothing to the client. */
interface Round {
  /** Number of changes that the client knows; null in the first round, which gives everything there is. */
  readonly since: number | null
  /** Number of changes when the round began. */
  readonly until: number
  readonly epoch: number
  readonly select: readonly string[] | null
  /** Only these; null: all. */
  readonly ids: readonly string[] | null
  /** Members of the group at the cursor that were given already. */
  readonly slot: number
}

interface Page {
  readonly items: readonly Entity[]
  /** Undefined at the end of the round. */
  readonly next: { readonly position: number; readonly slot: number } | undefined
}

/** GET /groups/delta, with direct members, and GET /devices/delta */
export function delta(collection: 'groups' | 'devices'): (call: Call) => Answer {
  return (call) => {
    const round = roundOf(call)
    if (round.epoch !== call.deltaEpoch) throw expired(call)
    const page = pageOf(call, collection, round)
    const items = call.behaviour.delta.repeatItems
      ? [...page.items.toReversed(), ...page.items.slice(0, 1)]
      : page.items
    const { origin, path, query } = call
    let link: string
    if (page.next === undefined) {
      const token = { ...round, since: round.until, slot: 0 } satisfies Round
      link = `"@odata.deltaLink":${JSON.stringify(`${origin}${path}?$deltatoken=${encodeRound(token)}`)}`
    } else {
      const { position, slot } = page.next
      const state = JSON.stringify({ ...round, slot } satisfies Round)
      const cursor = { position, page: (query.cursor?.page ?? 0) + 1, state }
      link = `"@odata.nextLink":${JSON.stringify(`${origin}${nextLink(path, '', cursor)}`)}`
    }
    return good(`${contextOf(call, collection)},${link},"value":${JSON.stringify(items)}}`)
  }
}

/** The round of which the token tells, or a new one. */
function roundOf({ query, tenant, deltaEpoch }: Call): Round {
  const until = tenant.changes.length()
  if (query.cursor !== undefined) return JSON.parse(query.cursor.state) as Round
  if (query.top !== undefined) throw new Refusal(400, 'Request_UnsupportedQuery', "'$top' is not supported.")
  const { deltaToken, select = null } = query
  if (deltaToken !== undefined && deltaToken !== 'latest') return { ...decodeRound(deltaToken), until }
  const ids = query.filter === undefined ? null : idsOf(query.filter)
  if (ids !== null && ids.length > maxFilteredIds) {
    throw new Refusal(
      400,
      'Request_UnsupportedQuery',
      `Too many filter clauses: at most ${maxFilteredIds} objects.`,
    )
  }
  return { since: deltaToken === 'latest' ? until : null, until, epoch: deltaEpoch, select, ids, slot: 0 }
}

function encodeRound(round: Round): string {
  return Buffer.from(JSON.stringify(round)).toString('base64url')
}

function decodeRound(token: string): Round {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString()) as Round
  } catch {
    throw new Refusal(400, 'Request_BadRequest', 'Badly formed token.')
  }
}

/** `id eq '…' or id eq '…'`. @throws {Refusal} 400 for any other filter */
function idsOf(filter: Filter): readonly string[] {
  if (filter.kind === 'or') return filter.of.flatMap(idsOf)
  const isId = filter.kind === 'compare' && filter.property === 'id' && filter.relation === 'eq'
  if (isId && typeof filter.value === 'string') return [filter.value.toLowerCase()]
  throw new Refusal(400, 'Request_UnsupportedQuery', 'Only filters by id are supported.')
}

function expired({ behaviour, origin, path }: Call): Refusal {
  const text = 'The sync state generation is not found. The delta token is expired; synchronize again.'
  const { expiredStatus } = behaviour.delta
  const headers = expiredStatus === 410 ? { location: `${origin}${path}?$deltatoken=` } : {}
  return new Refusal(expiredStatus, 'syncStateNotFound', text, headers)
}

function pageOf(call: Call, collection: 'groups' | 'devices', round: Round): Page {
  const position = call.query.cursor?.position ?? 0
  if (round.since === null) return everything(call, collection, round, position)
  const items = changed(call, collection, round, round.since)
  const { pageSize } = call.behaviour.delta
  const end = position + pageSize
  return {
    items: items.slice(position, end),
    next: end < items.length ? { position: end, slot: 0 } : undefined,
  }
}

/** A part of all that is there. A group with more members than a page holds comes again on the next one. */
function everything(call: Call, collection: 'groups' | 'devices', round: Round, start: number): Page {
  const { tenant, behaviour } = call
  const table = tableOf(call, collection)
  const write = writerOf(call, collection, round)
  const positions =
    round.ids?.flatMap((id) => table.positionOf(id) ?? []).toSorted((one, other) => one - other) ?? undefined
  const end = positions?.length ?? table.end()
  const items: Entity[] = []
  let room = behaviour.delta.pageSize
  let { slot } = round
  for (let index = start; index < end; index++) {
    if (room <= 0) return { items, next: { position: index, slot } }
    const position = positions?.[index] ?? index
    if (!table.has(position)) continue
    const item = write(position)
    if (!hasMembers(collection, round)) {
      items.push(item)
      room--
      continue
    }
    const { members, next } = tenant.memberships.direct(table.text(position, 'id'), slot, room)
    items.push(
      members.length === 0 ? item : { ...item, 'members@delta': members.map((member) => memberText(member)) },
    )
    room -= Math.max(members.length, 1)
    if (next !== undefined) return { items, next: { position: index, slot: next } }
    slot = 0
  }
  return { items, next: undefined }
}

/** What changed since then, merged by record. */
function changed(
  call: Call,
  collection: 'groups' | 'devices',
  round: Round,
  since: number,
): readonly Entity[] {
  const { tenant, behaviour } = call
  const table = tableOf(call, collection)
  const write = writerOf(call, collection, round)
  const byId = Map.groupBy(
    tenant.changes.between(since, round.until).filter((change) => change.collection === collection),
    ({ id }) => id,
  )
  return [...byId].flatMap(([id, changes]): readonly Entity[] => {
    if (round.ids !== null && !round.ids.includes(id.toLowerCase())) return []
    const reason = changes.findLast(({ removed }) => removed !== undefined)?.removed
    if (reason !== undefined) return [{ id, '@removed': { reason } }]
    const position = table.positionOf(id)
    if (position === undefined) return []
    const members = hasMembers(collection, round) ? lastOfMembers(changes) : []
    const isSelected = ({ properties = [] }: Change) =>
      properties.some((name) => round.select === null || round.select.includes(name))
    if (members.length === 0 && !changes.some(isSelected)) return []
    const item = write(position)
    if (members.length === 0) return [item]
    return chunks(members, behaviour.delta.pageSize).map((some) => ({ ...item, 'members@delta': some }))
  })
}

/** A member that came and went is told as it ended. */
function lastOfMembers(changes: readonly Change[]): Entity[] {
  const last = new Map(changes.flatMap(({ member }) => (member === undefined ? [] : [[member.id, member]])))
  return [...last.values()].map((member) => memberText(member, member.removed))
}

function memberText({ type, id }: Member, removed = false): Entity {
  const known = { '@odata.type': `#microsoft.graph.${type}`, id }
  return removed ? { ...known, '@removed': { reason: 'deleted' } } : known
}

function hasMembers(collection: 'groups' | 'devices', { select }: Round): boolean {
  return collection === 'groups' && (select === null || select.includes('members'))
}

function tableOf({ tenant }: Call, collection: 'groups' | 'devices') {
  return tenant.tables[collection === 'groups' ? 'groups' : 'directoryDevices']
}

/** The id is given whatever is selected. */
function writerOf(call: Call, collection: 'groups' | 'devices', round: Round): (position: number) => Entity {
  const table = tableOf(call, collection)
  const select = round.select?.filter((name) => name !== 'members' && name !== 'id')
  const usual = defaultProperties[collection === 'groups' ? 'groups' : 'directoryDevices']
  const properties = selected(table, { select }, usual)
  const write = table.writer(['id', ...properties.filter((name) => name !== 'id')])
  return (position) => JSON.parse(write(position)) as Entity
}

function chunks<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  )
}
