import { decodeExport, encodingAdvice } from './decode-export.ts'
import type { Tell } from './finding.ts'

/** An entity as Graph gives it. */
export interface GraphEntity {
  /** Where it stands in its file: `value.0.`, or nothing where it is the file. */
  readonly path: string
  readonly fields: Readonly<Record<string, unknown>>
}

/**
 * The entities of an answer of Graph, as bytes of a file: one alone, one within `value` as the documentation shows it,
 * or a collection. A file that holds none is told.
 */
export function readGraphJson(bytes: Uint8Array, tell: Tell): readonly GraphEntity[] {
  const text = decodeExport(bytes)
  if (text === undefined) tell('lost', '', encodingAdvice)
  const json = text === undefined ? undefined : parsed(text, tell)
  if (json === undefined) return []
  const entities = entitiesOf(json)
  if (entities.length === 0) tell('lost', '', 'expected an object, as Graph gives it')
  return entities
}

function entitiesOf(json: unknown): readonly GraphEntity[] {
  if (!isObject(json)) return []
  const { value } = json
  if (isObject(value)) return [{ path: 'value.', fields: value }]
  if (!Array.isArray(value)) return [{ path: '', fields: json }]
  return value.map((fields, index) => ({ path: `value.${index}.`, fields: isObject(fields) ? fields : {} }))
}

function parsed(text: string, tell: Tell): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    tell('lost', '', `this is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`)
    return undefined
  }
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
