import { readFileSync } from 'node:fs'
import { LineCounter, isMap, isNode, isScalar, isSeq, parseDocument, type Document, type Tags } from 'yaml'
import type { z } from 'zod'
import { expectation } from './expectation.ts'

/** One thing wrong in a file, with where it is and what was expected. */
export interface ConfigFault {
  readonly file: string
  /** 1-based; 0 where the fault has no line, as for a section that is missing. */
  readonly line: number
  /** Key path, such as `listen.address`; empty for the whole file. */
  readonly path: string
  readonly message: string
}

/** Every fault of a config at once. Nothing is started. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly faults: readonly ConfigFault[]

  constructor(faults: readonly ConfigFault[]) {
    super(faults.map(faultText).join('\n'))
    this.faults = faults
  }
}

/** `config/easgate.yaml:12: listen.address: expected host:port` */
export function faultText({ file, line, path, message }: ConfigFault): string {
  return `${file}${line > 0 ? `:${line}` : ''}: ${path === '' ? '' : `${path}: `}${message}`
}

/** A file as read: plain values, not yet checked, and the way back from a key path to its line. */
export interface YamlFile {
  readonly root: unknown
  /** The value at a key path; undefined where there is none. */
  readonly at: (path: readonly PropertyKey[]) => unknown
  /** Keys that stand twice, and variables that the environment does not have. */
  readonly faults: readonly ConfigFault[]
  readonly fault: (path: readonly PropertyKey[], message: string) => ConfigFault
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Reads a YAML file.
 * @throws {ConfigError} where it cannot be read, else as `readYaml` does
 */
export function readYamlFile(file: string, environment: Environment): YamlFile {
  return readYaml(readText(file), file, environment)
}

/**
 * The text of a file.
 * @throws {ConfigError} where it cannot be read
 */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new ConfigError([{ file, line: 0, path: '', message: `cannot be read: ${message}` }])
  }
}

/**
 * Reads YAML text. `${NAME}` in any text is replaced from the environment.
 * @throws {ConfigError} with every fault of syntax; nothing else can be told of such a file
 */
export function readYaml(text: string, file: string, environment: Environment): YamlFile {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false, customTags })
  const faults: ConfigFault[] = []
  let broken = false
  for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
    const twice = code === 'DUPLICATE_KEY'
    broken ||= !twice
    const line = lineCounter.linePos(pos[0]).line
    faults.push({ file, line, path: '', message: twice ? 'this key stands twice' : message })
  }
  if (broken) throw new ConfigError(faults)

  const fault = (path: readonly PropertyKey[], message: string): ConfigFault => ({
    file,
    line: lineOf(document, lineCounter, path),
    path: path.map(String).join('.'),
    message,
  })
  const onMissing = (path: readonly PropertyKey[], names: readonly string[]) =>
    faults.push(fault(path, `the environment has no ${names.join(', ')}`))
  const root = substitute(plainValues(document, file), environment, [], onMissing)
  return { root, at: (path) => valueAt(root, path), faults, fault }
}

/** A value where the file has no fault against the schema, and all faults found so far. */
export interface CheckedFile<Value> {
  readonly value: Value | undefined
  readonly faults: readonly ConfigFault[]
}

/** Checks a file against a schema. */
export function checkSchema<Schema extends z.ZodType>(
  yaml: YamlFile,
  schema: Schema,
): CheckedFile<z.infer<Schema>> {
  const parsed = schema.safeParse(yaml.root, { error: expectation })
  if (parsed.success) return { value: parsed.data, faults: yaml.faults }
  const found = parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => yaml.fault([...issue.path, key], 'unknown key'))
      : [yaml.fault(issue.path, issue.message)],
  )
  return { value: undefined, faults: withFaults(yaml.faults, found) }
}

/** Adds what was found later; a key that has a fault already gets no second one, which would only follow from it. */
export function withFaults(
  faults: readonly ConfigFault[],
  found: readonly ConfigFault[],
): readonly ConfigFault[] {
  const all = [...faults]
  for (const fault of found) {
    if (!all.some(({ path }) => path !== '' && path === fault.path)) all.push(fault)
  }
  return all.toSorted((one, other) => one.line - other.line)
}

/** A number that would be written otherwise stays text: version 17.10 must not become 17.1. */
const customTags = (tags: Tags): Tags =>
  tags.map((tag) =>
    typeof tag === 'string' || tag.tag !== 'tag:yaml.org,2002:float' || tag.collection !== undefined
      ? tag
      : {
          ...tag,
          resolve: (written: string) => (String(Number(written)) === written ? Number(written) : written),
        },
  )

function plainValues(document: Document, file: string): unknown {
  try {
    return document.toJS() ?? {}
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new ConfigError([{ file, line: 0, path: '', message }])
  }
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Readonly<Record<PropertyKey, unknown>>)[step]
  }
  return value
}

/** The line of the deepest key of the path that stands in the file. */
function lineOf(document: Document, lineCounter: LineCounter, path: readonly PropertyKey[]): number {
  let line = 0
  let parent: unknown = document.contents
  for (const step of path) {
    const [place, child] = childOf(parent, String(step))
    if (!isNode(place) || !place.range) break
    line = lineCounter.linePos(place.range[0]).line
    parent = child
  }
  return line
}

function childOf(parent: unknown, step: string): readonly [place: unknown, child: unknown] {
  if (isSeq(parent)) return [parent.items[Number(step)], parent.items[Number(step)]]
  if (!isMap(parent)) return [undefined, undefined]
  const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === step)
  return [pair?.key, pair?.value]
}

function substitute(
  value: unknown,
  environment: Environment,
  path: readonly PropertyKey[],
  onMissing: (path: readonly PropertyKey[], names: readonly string[]) => void,
): unknown {
  if (typeof value === 'string') {
    const missing: string[] = []
    const replaced = value.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
      const found = environment[name]
      if (found === undefined) missing.push(name)
      return found ?? ''
    })
    if (missing.length > 0) onMissing(path, missing)
    return replaced
  }
  if (Array.isArray(value)) {
    return value.map((entry, index) => substitute(entry, environment, [...path, index], onMissing))
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [
      key,
      substitute(entry, environment, [...path, key], onMissing),
    ]),
  )
}
