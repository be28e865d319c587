import type { Json } from './scenario.ts'

const relations = ['eq', 'ne', 'gt', 'ge', 'lt', 'le'] as const
type Relation = (typeof relations)[number]

/** What a $filter says, as far as the calls of the double know it. */
export type Filter =
  | { readonly kind: 'compare'; readonly property: string; readonly relation: Relation; readonly value: Json }
  | { readonly kind: 'in' | 'any'; readonly property: string; readonly values: readonly Json[] }
  | { readonly kind: 'startsWith'; readonly property: string; readonly value: string }
  | { readonly kind: 'not'; readonly of: Filter }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Filter[] }

/** The properties that a filter names. */
export function propertiesOf(filter: Filter): readonly string[] {
  if ('property' in filter) return [filter.property]
  return filter.kind === 'not' ? propertiesOf(filter.of) : filter.of.flatMap(propertiesOf)
}

/** Whether a record, whose properties `get` reads, passes. A part that is `ignored` passes whatever it says. */
export function passes(
  filter: Filter,
  get: (property: string) => Json | undefined,
  ignored: (part: Filter) => boolean,
): boolean {
  if (ignored(filter)) return true
  switch (filter.kind) {
    case 'and':
      return filter.of.every((part) => passes(part, get, ignored))
    case 'or':
      return filter.of.some((part) => passes(part, get, ignored))
    case 'not':
      return ignored(filter.of) || !passes(filter.of, get, ignored)
    case 'in':
      return filter.values.some((value) => same(get(filter.property) ?? null, value))
    case 'any': {
      const list = get(filter.property)
      return Array.isArray(list) && list.some((item) => filter.values.some((value) => same(item, value)))
    }
    case 'startsWith':
      return text(get(filter.property)).startsWith(text(filter.value))
    case 'compare':
      return compare(filter.relation, get(filter.property) ?? null, filter.value)
  }
}

/** Only dates have an order here; one of which nothing is known is neither before nor after any other. */
function compare(relation: Relation, one: Json, other: Json): boolean {
  if (relation === 'eq') return same(one, other)
  if (relation === 'ne') return !same(one, other)
  const [left, right] = [Date.parse(text(one)), Date.parse(text(other))]
  switch (relation) {
    case 'gt':
      return left > right
    case 'ge':
      return left >= right
    case 'lt':
      return left < right
    case 'le':
      return left <= right
  }
}

/** Graph compares text without regard to case. */
function same(one: Json, other: Json): boolean {
  return typeof one === 'string' && typeof other === 'string' ? text(one) === text(other) : one === other
}

function text(value: Json | undefined): string {
  return typeof value === 'string' ? value.toLowerCase() : ''
}

const token = /\s*('(?:[^']|'')*'|[(),]|[^\s'(),]+)/y

/** @throws {SyntaxError} where it is none that the double knows */
export function parseFilter(source: string): Filter {
  const tokens = tokensOf(source)
  let at = 0
  const next = (): string => {
    const taken = tokens[at++]
    if (taken === undefined)
      throw new SyntaxError(`Syntax error at position ${source.length} in '${source}'.`)
    return taken
  }
  const expect = (wanted: string): void => {
    const taken = next()
    if (taken !== wanted) throw new SyntaxError(`Syntax error: '${wanted}' expected before '${taken}'.`)
  }
  const joined = (kind: 'and' | 'or', operand: () => Filter): Filter => {
    const of = [operand()]
    while (tokens[at] === kind) {
      at++
      of.push(operand())
    }
    const [only] = of
    return of.length === 1 && only !== undefined ? only : { kind, of }
  }
  const disjunction = (): Filter => joined('or', () => joined('and', term))
  const term = (): Filter => {
    const first = next()
    if (first === 'not') return { kind: 'not', of: term() }
    if (first === '(') {
      const inner = disjunction()
      expect(')')
      return inner
    }
    if (first.toLowerCase() === 'startswith') {
      expect('(')
      const property = next()
      expect(',')
      const value = literal(next())
      expect(')')
      return { kind: 'startsWith', property, value: typeof value === 'string' ? value : '' }
    }
    if (first.endsWith('/any')) {
      expect('(')
      next()
      expect('eq')
      const value = literal(next())
      expect(')')
      return { kind: 'any', property: first.slice(0, -'/any'.length), values: [value] }
    }
    return comparison(first, next())
  }
  const comparison = (property: string, operator: string): Filter => {
    if (operator === 'in') {
      expect('(')
      const values = [literal(next())]
      for (let separator = next(); separator !== ')'; separator = next()) values.push(literal(next()))
      return { kind: 'in', property, values }
    }
    const relation = relations.find((known) => known === operator)
    if (relation === undefined) throw new SyntaxError(`Syntax error: unknown operator '${operator}'.`)
    return { kind: 'compare', property, relation, value: literal(next()) }
  }
  const filter = disjunction()
  if (at < tokens.length) throw new SyntaxError(`Syntax error at '${tokens[at] ?? ''}' in '${source}'.`)
  return filter
}

function tokensOf(source: string): readonly string[] {
  const tokens: string[] = []
  token.lastIndex = 0
  while (token.lastIndex < source.trimEnd().length) {
    const start = token.lastIndex
    const [, found] = token.exec(source) ?? []
    if (found === undefined)
      throw new SyntaxError(`There is an unterminated literal at ${start} in '${source}'.`)
    tokens.push(found)
  }
  return tokens
}

/** Guids and dates stand without quotes. */
function literal(found: string): Json {
  if (found.startsWith("'")) return found.slice(1, -1).replaceAll("''", "'")
  if (found === 'null') return null
  if (found === 'true' || found === 'false') return found === 'true'
  return /^-?\d+(?:\.\d+)?$/.test(found) ? Number(found) : found
}
