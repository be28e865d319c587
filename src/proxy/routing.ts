import type { RequestKind } from '#eas/parse.ts'
import type { ProtocolVersion } from '#eas/versions.ts'
import type { Decision } from '#policy/decide.ts'
import type { UserFacts } from '#policy/facts.ts'
import type { Service } from '#policy/schema.ts'
import type { BackendConfig } from '#config/schema.ts'

/** The backend of a user's mailbox. */
export type BackendRouter<Backend> = (user: UserFacts | undefined) => Backend

interface RoutingRule {
  readonly group: string
  readonly backend: string
}

/** Routing by group, first match wins. A user that no directory entry resolves goes to the default. */
export function createBackendRouter<Backend>(
  backends: ReadonlyMap<string, Backend>,
  routing: { readonly default: string; readonly rules: readonly RoutingRule[] },
): BackendRouter<Backend> {
  const named = (name: string): Backend => {
    const backend = backends.get(name)
    if (backend === undefined) throw new TypeError(`no backend is named ${name}`)
    return backend
  }
  const fallback = named(routing.default)
  const rules = routing.rules.map(({ group, backend }) => ({ group, backend: named(backend) }))
  return (user) => rules.find(({ group }) => user?.groups.includes(group))?.backend ?? fallback
}

/** The part of the policy that a backend is judged by. The simulator stands for an Exchange on-premises. */
export function serviceOf(kind: BackendConfig['kind']): Service {
  return kind === 'exchange-online' ? 'online' : 'onPremises'
}

/** Exchange Online ends what is older on 1 March 2026. facts.md 9 */
export function minProtocolVersionOf({ kind, minProtocolVersion }: BackendConfig): ProtocolVersion {
  return minProtocolVersion ?? (kind === 'exchange-online' ? '16.1' : '2.5')
}

const canonicalPath = /^(?:\/(?!\.\.?(?:\/|$))[A-Za-z0-9._~@-]+)*\/?$/

/**
 * True for a path under a listed prefix, matched on whole segments without case, as IIS does. A path that servers could
 * resolve in different ways is under no prefix. T-25
 */
export function isPassthrough(path: string, prefixes: readonly string[]): boolean {
  if (prefixes.length === 0 || !canonicalPath.test(path)) return false
  const folded = path.toLowerCase()
  return prefixes.some((prefix) => {
    const base = prefix.toLowerCase().replace(/\/$/, '')
    return folded === base || folded.startsWith(`${base}/`)
  })
}

const forever = { mode: 'enforce', validUntil: Infinity } as const
const closed: Decision = { action: 'reject', reason: 'route-closed', rule: 'route', ...forever }
const passthrough: Decision = { action: 'allow', reason: 'not-targeted', rule: 'passthrough', ...forever }
const browser: Decision = { action: 'redirect', reason: 'route-closed', rule: 'browser', ...forever }
const page: Decision = { action: 'allow', reason: 'not-targeted', rule: 'enroll', ...forever }
const anonymous: Decision = {
  action: 'reject',
  reason: 'credentials-refused',
  rule: 'credentials',
  ...forever,
}
const discovery: Decision = { action: 'allow', reason: 'not-targeted', rule: 'autodiscover-json', ...forever }

/** The decision where it does not hang on user or device; undefined where the policy is asked. T-25 */
export function routeDecision(
  request: { readonly kind: RequestKind; readonly path: string },
  hasCredentials: boolean,
  prefixes: readonly string[],
): Decision | undefined {
  switch (request.kind) {
    case 'closed':
      return isPassthrough(request.path, prefixes) ? passthrough : closed
    case 'browser':
      return browser
    case 'enroll':
      return page
    case 'autodiscover-json':
      return discovery
    case 'command':
    case 'options':
    case 'autodiscover-xml':
      return hasCredentials ? undefined : anonymous
  }
}
