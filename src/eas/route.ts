import { EasError } from './errors.ts'

/** The one path that is sent upstream for EAS, whatever spelling came in. T-26 */
export const easPath = '/Microsoft-Server-ActiveSync'

/** What a request target leads to. `closed` is everything that is not listed. */
export type RouteKind = 'eas' | 'autodiscover-xml' | 'autodiscover-json' | 'enroll' | 'closed'

/** A request target, split once. `query` is what follows the first `?`, as received; absent if there is no `?`. */
export interface Route {
  readonly kind: RouteKind
  readonly path: string
  readonly query: string | undefined
}

const easSpelling = /^\/microsoft-server-activesync(?:\/|\/default\.eas)?$/i
const visibleAscii = /^[\x21-\x7e]+$/

/**
 * Splits a request target and names its route. Only origin form is read: what http.sys, IIS and Node read in
 * different ways (absolute form, `//host`, a fragment) is refused before it is compared with anything. T-22 to T-26
 * @throws {EasError} EAS_TARGET_INVALID
 */
export function routeOf(target: string): Route {
  if (
    !target.startsWith('/') ||
    target.startsWith('//') ||
    !visibleAscii.test(target) ||
    target.includes('#')
  ) {
    throw new EasError('EAS_TARGET_INVALID', 'the request target must be a path, without host and fragment')
  }
  const mark = target.indexOf('?')
  const path = mark === -1 ? target : target.slice(0, mark)
  return { kind: kindOf(path), path, query: mark === -1 ? undefined : target.slice(mark + 1) }
}

function kindOf(path: string): RouteKind {
  if (easSpelling.test(path)) return 'eas'
  const lowerCasePath = path.toLowerCase()
  if (lowerCasePath === '/autodiscover/autodiscover.xml') return 'autodiscover-xml'
  if (lowerCasePath === '/autodiscover/autodiscover.json') return 'autodiscover-json'
  if (path === '/easgate/enroll' || path.startsWith('/easgate/enroll/')) return 'enroll'
  return 'closed'
}
