import { groupsOf, lintPolicy, type NamedGroup as GroupPlace } from '#policy/lint.ts'
import { policySchema, type Policy } from '#policy/schema.ts'
import { crossFaults } from './cross-check.ts'
import { digestOf } from './digest.ts'
import { configSchema, type Config } from './schema.ts'
import {
  ConfigError,
  checkSchema,
  readText,
  readYaml,
  withFaults,
  type ConfigFault,
  type YamlFile,
} from './yaml.ts'

export { isLoopback } from './values.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** A config or policy in force. `digest` tells two texts apart in logs and between nodes. */
export interface Loaded<Value> {
  readonly value: Value
  readonly file: string
  readonly digest: string
}

/** A policy, and what a reader should know of it before it is trusted. */
export interface LoadedPolicy extends Loaded<Policy> {
  /** As it was read, for who keeps it. */
  readonly text: string
  /** What is allowed but seldom meant, with its line. */
  readonly warnings: readonly ConfigFault[]
  readonly groups: readonly NamedGroup[]
  /** What is found to be wrong later, with its line. */
  readonly fault: (path: readonly PropertyKey[], message: string) => ConfigFault
}

/** A group that a file names, with the fault that it is where nobody is in it. */
export interface NamedGroup {
  readonly name: string
  readonly fault: ConfigFault
}

/** A config, and the groups that its routing names. */
export interface LoadedConfig extends Loaded<Config> {
  readonly groups: readonly NamedGroup[]
}

/** Config and policy, checked against each other. */
export interface Settings {
  readonly config: LoadedConfig
  readonly policy: LoadedPolicy
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
  const groups = checked.value.routing.rules.map(({ group: name }, index) =>
    namedGroup(yaml, { name, path: ['routing', 'rules', index, 'group'] }),
  )
  const config = { value: deepFreeze(checked.value), file, digest: digestOf(text), groups }
  return { config, policy }
}

/** @throws {ConfigError} with every fault of the policy file */
export function loadPolicy(file: string, environment: Environment = process.env): LoadedPolicy {
  return checkPolicy(readText(file), file, environment)
}

/**
 * Reads the text of a policy.
 *
 * @param file the name that faults are told by
 * @throws {ConfigError} with every fault
 */
export function checkPolicy(
  text: string,
  file: string,
  environment: Environment = process.env,
): LoadedPolicy {
  const yaml = readYaml(text, file, environment)
  const { value, faults } = checkSchema(yaml, policySchema)
  if (value === undefined || faults.length > 0) throw new ConfigError(faults)
  const findings = lintPolicy(value, Date.now())
  const told = (wanted: 'fault' | 'warning') =>
    findings
      .filter(({ severity }) => severity === wanted)
      .map(({ path, message }) => yaml.fault(path, message))
      .toSorted((one, other) => one.line - other.line)
  const found = told('fault')
  if (found.length > 0) throw new ConfigError(found)
  return {
    value: deepFreeze(value),
    file,
    text,
    digest: digestOf(text),
    warnings: told('warning'),
    groups: groupsOf(value).map((group) => namedGroup(yaml, group)),
    fault: yaml.fault,
  }
}

function namedGroup(yaml: YamlFile, { name, path }: GroupPlace): NamedGroup {
  return { name, fault: yaml.fault(path, `no source knows a group ${name}: nobody is in it`) }
}

/** The policy that the config names; undefined where it cannot be had, with the reason among the faults. */
function namedPolicy(
  yaml: YamlFile,
  environment: Environment,
  faults: ConfigFault[],
): LoadedPolicy | undefined {
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

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const entry of Object.values(value)) deepFreeze(entry)
  }
  return value
}
