import { EasError } from './errors.ts'

const known = new Map([
  ['email', 'Email'],
  ['protocol', 'Protocol'],
  ['redirectcount', 'RedirectCount'],
])
// `@`, `+` and the apostrophe are all that may be percent-encoded; a raw `+` is a space to ASP.NET. T-04
const plainAddress = /^(?:[a-z0-9._'-]|%2b|%27){1,64}(?:@|%40)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,8}$/i

/**
 * Reads the query of `autodiscover.json`: exactly the known parameters, each once. ProxyShell and ProxyNotShell were
 * paths hidden in `Email`, so only a plain address passes. T-27
 * @returns the address
 * @throws {EasError}
 */
export function parseAutodiscoverQuery(query: string | undefined): string {
  if (query === undefined || query === '')
    throw new EasError('EAS_QUERY_MISSING', 'autodiscover.json needs a query')
  const values = new Map<string, string>()
  for (const part of query.split('&')) {
    const equals = part.indexOf('=')
    const name = equals === -1 ? undefined : known.get(part.slice(0, equals).toLowerCase())
    if (name === undefined)
      throw new EasError('EAS_PARAMETER_UNKNOWN', 'expected Email, Protocol and RedirectCount')
    if (values.has(name)) throw new EasError('EAS_PARAMETER_REPEATED', `${name} is given twice`)
    values.set(name, part.slice(equals + 1))
  }
  const email = values.get('Email')
  if (email === undefined || !plainAddress.test(email)) {
    throw new EasError('EAS_VALUE_INVALID', 'Email must be a plain address')
  }
  if (!/^(?:ActiveSync|AutodiscoverV1)$/i.test(values.get('Protocol') ?? '')) {
    throw new EasError('EAS_VALUE_INVALID', 'Protocol must be ActiveSync or AutodiscoverV1')
  }
  if (!/^\d{1,2}$/.test(values.get('RedirectCount') ?? '0')) {
    throw new EasError('EAS_VALUE_INVALID', 'RedirectCount must be a small number')
  }
  return decodeURIComponent(email)
}
