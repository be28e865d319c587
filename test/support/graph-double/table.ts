import type { Entity, Json } from './scenario.ts'

/** Records made from their number when they are asked for. */
export interface Generated {
  readonly count: number
  /** JSON text of each property, by number; in the order in which they are written. */
  readonly fields: Readonly<Record<string, (index: number) => string>>
  readonly exists: (index: number) => boolean
  /** Numbers that may have the value in the property; undefined where that takes a look at each. */
  readonly indicesOf: (property: string, value: string) => readonly number[] | undefined
  /** Of some properties that are dates: none is later, ms since the epoch. */
  readonly latest?: Readonly<Record<string, number>>
}

/** One collection of Graph: generated records, those laid over them, and those that were added. */
export interface Table {
  readonly properties: ReadonlySet<string>
  /** Above the position of every record. */
  readonly end: () => number
  readonly has: (position: number) => boolean
  /** Whether lists leave it out although it is there. */
  readonly isHidden: (position: number) => boolean
  /** The whole record; undefined where there is none. */
  readonly at: (position: number) => Entity | undefined
  readonly value: (position: number, property: string) => Json | undefined
  /** The same of a text; '' where it is none. */
  readonly text: (position: number, property: string) => string
  /** Gives the JSON text of a record with these properties and no others. */
  readonly writer: (properties: readonly string[]) => (position: number) => string
  /** Of an id in any letter case. */
  readonly positionOf: (id: string) => number | undefined
  /** Positions of which some have the value in the property; undefined where that takes a look at each. */
  readonly candidates: (property: string, value: string) => readonly number[] | undefined
  /** The same for a date not before this one, ms since the epoch. */
  readonly candidatesFrom: (property: string, ms: number) => readonly number[] | undefined
  /** Gives its position, above all others. */
  readonly add: (entity: Entity) => number
  /** Lays values over those of the record. */
  readonly change: (position: number, changes: Entity) => void
  readonly remove: (position: number) => void
  readonly hide: (position: number, hidden: boolean) => void
}

/** `properties`: those that a record may have besides the generated ones. */
export function createTable(generated: Generated, properties: readonly string[] = []): Table {
  const known = new Set([...Object.keys(generated.fields), ...properties])
  /** Records that differ from the generated ones, by position. */
  const own = new Map<number, Entity>()
  const gone = new Set<number>()
  const hidden = new Set<number>()
  let end = generated.count

  const has = (position: number): boolean =>
    position < generated.count
      ? position >= 0 && generated.exists(position) && !gone.has(position)
      : own.has(position)

  const at = (position: number): Entity | undefined => {
    if (!has(position)) return undefined
    const changed = own.get(position)
    if (changed !== undefined) return changed
    const entries = Object.entries(generated.fields).map(
      ([name, text]) => [name, parse(text(position))] as const,
    )
    return Object.fromEntries(entries)
  }

  const value = (position: number, property: string): Json | undefined => {
    const changed = own.get(position)
    if (changed !== undefined) return changed[property]
    const text = generated.fields[property]
    return text === undefined ? undefined : parse(text(position))
  }

  const candidates = (property: string, wanted: string): readonly number[] | undefined => {
    const indices = generated.indicesOf(property, wanted)
    if (indices === undefined) return undefined
    return [...new Set([...indices, ...own.keys()])].filter(has).toSorted((one, other) => one - other)
  }

  return {
    properties: known,
    end: () => end,
    has,
    isHidden: (position) => hidden.has(position),
    at,
    value,
    text: (position, property) => {
      const found = value(position, property)
      return typeof found === 'string' ? found : ''
    },
    writer: (wanted) => {
      const parts = wanted.map((name, index) => ({
        name,
        prefix: `${index === 0 ? '{' : ','}${JSON.stringify(name)}:`,
        text: generated.fields[name] ?? nullText,
      }))
      return (position) => {
        const changed = own.get(position)
        let json = ''
        if (changed === undefined) {
          for (const { prefix, text } of parts) json += prefix + text(position)
        } else {
          for (const { name, prefix } of parts) json += prefix + JSON.stringify(changed[name] ?? null)
        }
        return `${json === '' ? '{' : json}}`
      }
    },
    positionOf: (id) => {
      return candidates('id', id)?.find((position) => isSameText(value(position, 'id'), id))
    },
    candidates,
    candidatesFrom: (property, ms) => {
      const latest = generated.latest?.[property]
      if (latest === undefined || ms <= latest) return undefined
      return [...own.keys()].toSorted((one, other) => one - other)
    },
    add: (entity) => {
      for (const name of Object.keys(entity)) known.add(name)
      own.set(end, entity)
      return end++
    },
    change: (position, changes) => {
      const before = at(position)
      if (before === undefined) throw new Error(`no record at ${position}`)
      own.set(position, { ...before, ...changes })
    },
    remove: (position) => {
      gone.add(position)
      own.delete(position)
    },
    hide: (position, isHidden) => {
      if (isHidden) hidden.add(position)
      else hidden.delete(position)
    },
  }
}

/** A table that has nothing but what is added. */
export const nothingGenerated: Generated = {
  count: 0,
  fields: {},
  exists: () => false,
  indicesOf: () => [],
}

function nullText(): string {
  return 'null'
}

function parse(text: string): Json {
  return JSON.parse(text) as Json
}

/** Without regard to case. */
export function isSameText(one: Json | undefined, other: string): boolean {
  return typeof one === 'string' && one.toLowerCase() === other.toLowerCase()
}
