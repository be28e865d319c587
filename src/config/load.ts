import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { policySchema, type Policy } from '#policy/schema.ts'
import { crossFaults } from './cross-check.ts'
import { configSchema, type Config } from './schema.ts'
import { ConfigError, checkSchema, readYaml, withFaults, type ConfigFault, type YamlFile } from './yaml.ts'

export { isLoopback } from './cross-check.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** A config or policy in force. `digest` tells two texts apart in logs and between nodes. */
export interface Loaded<Value> {
  readonly value: Value
  readonly file: string
  readonly digest: string
}

/** Config and policy, checked against each other. */
export interface Settings {
  readonly config: Loaded<Config>
  readonly policy: Loaded<Policy>
}

/**
 * Reads the config file and the policy file it names.
 * @throws {ConfigError} with every fault of both files at once
 */
export function loadSettings(file: string, environment: Environment = process.env): Settings {
  const text = readText(file)
  const yaml = readYaml(text, file, environment)
  const checked = checkSchema(yaml, configSchema)
  const faults = [...withFaults(checked.faults, crossFaults(yaml))]
  const policy = namedPolicy(yaml, environment, faults)
  if (checked.value === undefined || policy === undefined || faults.length > 0) throw new ConfigError(faults)
  return { config: { value: deepFreeze(checked.value), file, digest: digestOf(text) }, policy }
}

/** @throws {ConfigError} with every fault of the policy file */
export function loadPolicy(file: string, environment: Environment = process.env): Loaded<Policy> {
  const text = readText(file)
  const { value, faults } = checkSchema(readYaml(text, file, environment), policySchema)
  if (value === undefined || faults.length > 0) throw new ConfigError(faults)
  return { value: deepFreeze(value), file, digest: digestOf(text) }
}

/** The policy that the config names; undefined where it cannot be had, with the reason among the faults. */
function namedPolicy(
  yaml: YamlFile,
  environment: Environment,
  faults: ConfigFault[],
): Loaded<Policy> | undefined {
  const file = configSchema.shape.policy.safeParse(yaml.at(['policy'])).data?.file
  if (file === undefined || faults.some(({ path }) => path === 'policy.file')) return undefined
  try {
    return loadPolicy(file, environment)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    faults.push(...error.faults)
    return undefined
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new ConfigError([{ file, line: 0, path: '', message: `cannot be read: ${message}` }])
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const entry of Object.values(value)) deepFreeze(entry)
  }
  return value
}
