import { LineCounter, parseDocument, isNode, type Document } from 'yaml'
import type { z } from 'zod'

/** One thing wrong in a file, with where it is and what was expected. */
export interface ConfigFault {
  readonly file: string
  /** 1-based; 0 where the fault has no line. */
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

/** A checked value and the way back from a key path to its line, for checks that need more than the schema. */
export interface YamlFile<Value> {
  readonly value: Value
  readonly fault: (path: readonly PropertyKey[], message: string) => ConfigFault
}

/**
 * Reads YAML text against a schema. `${NAME}` in any text is replaced from the environment.
 * @throws {ConfigError} with every fault of syntax, or else every fault against the schema
 */
export function readYaml<Schema extends z.ZodType>(
  text: string,
  file: string,
  schema: Schema,
  environment: Readonly<Record<string, string | undefined>>,
): YamlFile<z.infer<Schema>> {
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false })
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors.map((error) => ({
        file,
        line: lineCounter.linePos(error.pos[0]).line,
        path: '',
        message: error.message,
      })),
    )
  }
  const fault = (path: readonly PropertyKey[], message: string): ConfigFault => ({
    file,
    line: lineOf(document, lineCounter, path),
    path: path.map(String).join('.'),
    message,
  })
  const faults: ConfigFault[] = []
  const value = substitute(document.toJS() ?? {}, environment, [], (path, message) =>
    faults.push(fault(path, message)),
  )
  const parsed = schema.safeParse(value)
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      if (issue.code === 'unrecognized_keys') {
        faults.push(...issue.keys.map((key) => fault([...issue.path, key], 'unknown key')))
      } else {
        faults.push(fault(issue.path, issue.message))
      }
    }
  }
  if (faults.length > 0 || !parsed.success) throw new ConfigError(faults.toSorted((a, b) => a.line - b.line))
  return { value: parsed.data, fault }
}

/** The line of the deepest part of the path that stands in the file. */
function lineOf(document: Document, lineCounter: LineCounter, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return lineCounter.linePos(node.range[0]).line
  }
  return 0
}

function substitute(
  value: unknown,
  environment: Readonly<Record<string, string | undefined>>,
  path: readonly PropertyKey[],
  onFault: (path: readonly PropertyKey[], message: string) => void,
): unknown {
  if (typeof value === 'string') {
    return value.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, name: string) => {
      const found = environment[name]
      if (found === undefined) onFault(path, `the environment has no ${name}`)
      return found ?? ''
    })
  }
  if (Array.isArray(value)) {
    return value.map((entry, index) => substitute(entry, environment, [...path, index], onFault))
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [
      key,
      substitute(entry, environment, [...path, key], onFault),
    ]),
  )
}
