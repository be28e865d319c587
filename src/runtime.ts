import { EnvironmentError } from '#cli/command.ts'

/** The parts of `process` that say how this runtime was started. */
export interface Runtime {
  readonly versions: { readonly node: string }
  readonly execArgv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
}

const oldestNode = 26

/**
 * Refuses a runtime whose checks that easgate rests on are switched off or missing. T-60
 * @throws {EnvironmentError}
 */
export function refuseUnsafeRuntime({ versions, execArgv, env }: Runtime): void {
  // Node takes quotes and backslashes in its variable, and underscores for hyphens
  const fromEnvironment = (env['NODE_OPTIONS'] ?? '').replace(/["\\]/g, '').split(/\s+/)
  const switches = [...execArgv, ...fromEnvironment].map((text) => text.replaceAll('_', '-'))
  if (Number.parseInt(versions.node, 10) < oldestNode) {
    throw new EnvironmentError(`easgate needs Node ${oldestNode} or later; this is ${versions.node}`)
  }
  if (switches.includes('--insecure-http-parser')) {
    throw new EnvironmentError('easgate does not run with --insecure-http-parser: requests could be smuggled')
  }
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    throw new EnvironmentError(
      'easgate does not run with NODE_TLS_REJECT_UNAUTHORIZED=0: anybody could be Exchange; set caFile instead',
    )
  }
}
