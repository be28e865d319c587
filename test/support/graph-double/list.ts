import { good, Refusal, type Answer } from './answers.ts'
import { contextOf, type Call } from './call.ts'
import { passes, propertiesOf, type Filter } from './filter.ts'
import { nextLink, type Cursor, type Query } from './query.ts'
import type { Behaviour, Json } from './scenario.ts'
import type { Table } from './table.ts'

/** A call that lists a collection. */
export interface ListCall {
  readonly table: Table
  readonly query: Query
  /** Of the call, as in the URL. */
  readonly path: string
  readonly origin: string
  /** What stands in @odata.context, behind `$metadata#`. */
  readonly context: string
  /** What @odata.count is: Intune's is that of the page, the directory's is given where it is asked for. */
  readonly counts: 'page' | 'asked'
  readonly defaultTop: number
  readonly maxTop: number
  /** Written where $select is missing. */
  readonly defaultProperties: readonly string[]
  /** Parts of the filter that match everything. */
  readonly ignored: (part: Filter) => boolean
  /** The only positions that count; without them, all. */
  readonly within?: readonly number[] | undefined
  /** Undefined where this list does not lie. */
  readonly lies: Behaviour['lists'] | undefined
}

/** The properties to write. @throws {Refusal} 400 where the type has no such property */
export function selected(
  table: Table,
  { select }: Pick<Query, 'select'>,
  defaultProperties: readonly string[],
): readonly string[] {
  if (select === undefined) return defaultProperties
  const unknown = select.find((name) => !table.properties.has(name))
  if (unknown !== undefined) {
    throw new Refusal(
      400,
      'BadRequest',
      `Could not find a property named '${unknown}' on type 'microsoft.graph'.`,
    )
  }
  return select
}

/** One page of a list. */
export function listPage(call: ListCall): Answer {
  const { table, query, path, origin, context, lies } = call
  const { position: start, page } = query.cursor ?? { position: 0, page: 0 }
  const write = table.writer(selected(table, query, call.defaultProperties))
  const isEmpty = lies?.emptyPageEvery !== undefined && (page + 1) % lies.emptyPageEvery === 0
  const { positions, end } = isEmpty ? { positions: [], end: start } : collect(call, start, pageSize(call))

  let body = contextOf(call, context)
  if (call.counts === 'page') body += `,"@odata.count":${positions.length}`
  else if (query.count) body += `,"@odata.count":${collect(call, 0, Infinity).positions.length}`
  if (end !== undefined) {
    const link = nextLink(path, query.encoded, nextCursor(lies, query, end))
    body += `,"@odata.nextLink":${JSON.stringify(`${lies?.nextLinkOrigin ?? origin}${link}`)}`
  }
  body += ',"value":['
  let separator = ''
  for (const position of positions) {
    body += separator + write(position)
    separator = ','
  }
  return good(`${body}]}`)
}

/** Where the next page begins, or where this one did if it is the one that loops. */
export function nextCursor(lies: ListCall['lies'], { cursor }: Pick<Query, 'cursor'>, end: number): Cursor {
  const { position, page } = cursor ?? { position: 0, page: 0 }
  const next = lies?.loopAtPage === page ? { position, page } : { position: end, page: page + 1 }
  return { ...next, state: '' }
}

/** Undefined where the scenario has none for this call. */
export function liesOf({ behaviour: { lists }, route }: Call): ListCall['lies'] {
  return lists.routes.includes(route) ? lists : undefined
}

function pageSize({ query: { top }, defaultTop, maxTop, lies }: ListCall): number {
  const max = Math.min(maxTop, lies?.maxPageSize ?? Infinity)
  const usual = Math.min(defaultTop, max)
  if (top === undefined) return usual
  if (top <= max) return top
  switch (lies?.oversizedTop ?? 'refuse') {
    case 'cut':
      return max
    case 'ignore':
      return usual
    case 'refuse':
      throw new Refusal(
        400,
        'BadRequest',
        `Invalid page size specified: '${top}'. Must be between 1 and ${max}.`,
      )
  }
}

/** The next records that pass, and where to go on; `end` is undefined after the last record of all. */
function collect(
  { table, query: { filter }, ignored, within, lies }: ListCall,
  start: number,
  size: number,
): { positions: readonly number[]; end: number | undefined } {
  const positions: number[] = []
  const isListed = (position: number): boolean => {
    if (!table.has(position) || table.isHidden(position)) return false
    if (isDropped(position, lies?.droppedShare ?? 0)) return false
    return filter === undefined || passes(filter, (property) => table.value(position, property), ignored)
  }
  const few = within ?? (filter === undefined ? undefined : narrow(table, filter, ignored))
  const last = few === undefined ? table.end() - 1 : (few.at(-1) ?? -1)
  const take = (position: number): number | undefined => {
    if (isListed(position)) positions.push(position)
    return positions.length === size && position < last ? position + 1 : undefined
  }
  if (few !== undefined) {
    for (const position of few) {
      const end = position < start ? undefined : take(position)
      if (end !== undefined) return { positions, end }
    }
    return { positions, end: undefined }
  }
  for (let position = start; position <= last; position++) {
    const end = take(position)
    if (end !== undefined) return { positions, end }
  }
  return { positions, end: undefined }
}

/** An even share of the records: of a half, every second one. */
function isDropped(position: number, share: number): boolean {
  return Math.floor((position + 1) * share) > Math.floor(position * share)
}

/** The positions that a part of the filter leaves, where the table knows them without a look at each record. */
function narrow(
  table: Table,
  filter: Filter,
  ignored: (part: Filter) => boolean,
): readonly number[] | undefined {
  if (ignored(filter)) return undefined
  switch (filter.kind) {
    case 'compare':
      return ofComparison(table, filter)
    case 'in':
    case 'any':
      return union(filter.values.map((value) => withValue(table, filter.property, value)))
    case 'or':
      return union(filter.of.map((part) => narrow(table, part, ignored)))
    case 'and':
      return filter.of.map((part) => narrow(table, part, ignored)).find((found) => found !== undefined)
    case 'not':
    case 'startsWith':
      return undefined
  }
}

function ofComparison(
  table: Table,
  { property, relation, value }: Extract<Filter, { kind: 'compare' }>,
): readonly number[] | undefined {
  if (relation === 'eq') return withValue(table, property, value)
  const isFrom = relation === 'ge' || relation === 'gt'
  return isFrom && typeof value === 'string' ? table.candidatesFrom(property, Date.parse(value)) : undefined
}

function withValue(table: Table, property: string, value: Json): readonly number[] | undefined {
  return typeof value === 'string' ? table.candidates(property, value) : undefined
}

function union(found: readonly (readonly number[] | undefined)[]): readonly number[] | undefined {
  if (found.includes(undefined)) return undefined
  return [...new Set(found.flatMap((some) => some ?? []))].toSorted((one, other) => one - other)
}

/** For the directory, which says so where it does not know a filter. @throws {Refusal} 400 */
export function requireKnown(filter: Filter | undefined, supported: readonly string[]): void {
  const unknown =
    filter === undefined ? undefined : propertiesOf(filter).find((name) => !supported.includes(name))
  if (unknown !== undefined) {
    throw new Refusal(
      400,
      'Request_UnsupportedQuery',
      `Unsupported or invalid query filter clause specified for property '${unknown}'.`,
    )
  }
}
