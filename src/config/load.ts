import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { policySchema, type Policy } from '#policy/schema.ts'
import { configSchema, type Config } from './schema.ts'
import { ConfigError, readYaml, type ConfigFault, type YamlFile } from './yaml.ts'

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
  const yaml = readYaml(text, file, configSchema, environment)
  const faults = crossFaults(yaml)
  let policy: Loaded<Policy> | undefined
  try {
    policy = loadPolicy(yaml.value.policy.file, environment)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    faults.push(...error.faults)
  }
  if (policy === undefined || faults.length > 0) throw new ConfigError(faults)
  return { config: { value: deepFreeze(yaml.value), file, digest: digestOf(text) }, policy }
}

/** @throws {ConfigError} with every fault of the policy file */
export function loadPolicy(file: string, environment: Environment = process.env): Loaded<Policy> {
  const text = readText(file)
  const { value } = readYaml(text, file, policySchema, environment)
  return { value: deepFreeze(value), file, digest: digestOf(text) }
}

/** What the schema of one key cannot see. */
function crossFaults({ value: config, fault }: YamlFile<Config>): ConfigFault[] {
  const faults: ConfigFault[] = []
  const check = (good: boolean, path: readonly PropertyKey[], message: string) => {
    if (!good) faults.push(fault(path, message))
  }
  const readable = (path: readonly PropertyKey[], file: string | undefined) => {
    if (file !== undefined) check(isReadableFile(file), path, `cannot read the file ${file}`)
  }

  for (const [name, backend] of Object.entries(config.backends)) {
    check(
      backend.servers.length > 0 || backend.kind === 'simulator',
      ['backends', name, 'servers'],
      'expected at least one server',
    )
    readable(['backends', name, 'caFile'], backend.caFile)
  }
  const known = (backend: string) => Object.hasOwn(config.backends, backend)
  check(
    known(config.routing.default),
    ['routing', 'default'],
    `no backend is named ${config.routing.default}`,
  )
  for (const [index, rule] of config.routing.rules.entries()) {
    check(known(rule.backend), ['routing', 'rules', index, 'backend'], `no backend is named ${rule.backend}`)
  }

  const { tls } = config.listen
  readable(['listen', 'tls', 'certFile'], tls?.certFile)
  readable(['listen', 'tls', 'keyFile'], tls?.keyFile)
  readable(['listen', 'tls', 'clientCaFile'], tls?.clientCaFile)
  check(
    tls === undefined || tls.clientCertificates === 'off' || tls.clientCaFile !== undefined,
    ['listen', 'tls', 'clientCaFile'],
    'needed where client certificates are asked for',
  )
  check(
    config.listen.proxyProtocol === 'off' || config.listen.trustedProxies.length > 0,
    ['listen', 'trustedProxies'],
    'needed with proxyProtocol: required, as nobody else may speak for a client address',
  )
  readable(['admin', 'tokenFile'], config.admin.tokenFile)
  readable(['admin', 'metricsTokenFile'], config.admin.metricsTokenFile)
  check(
    isLoopback(config.admin.address) || config.admin.tokenFile !== undefined,
    ['admin', 'tokenFile'],
    'needed where the admin listener is not on loopback',
  )
  return faults
}

/** True for an address that only this machine reaches. */
export function isLoopback(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(':'))
  return host === 'localhost' || host === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new ConfigError([{ file, line: 0, path: '', message: `cannot be read: ${message}` }])
  }
}

function isReadableFile(file: string): boolean {
  try {
    accessSync(file, constants.R_OK)
    return statSync(file).isFile()
  } catch {
    return false
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
