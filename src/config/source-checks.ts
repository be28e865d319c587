import { isLoopback } from './values.ts'

type Path = readonly PropertyKey[]

/** The file, and how its faults are told; see `crossFaults`. */
export interface Checks {
  readonly at: (path: Path) => unknown
  readonly check: (good: boolean, path: Path, message: string) => void
  /** For a key that names a file which must be there at start. */
  readonly checkFile: (path: Path) => void
}

/** What the schema of one key of a source cannot see. @param path of the source */
export function sourceFaults(path: Path, checks: Checks): void {
  const { at, checkFile } = checks
  switch (at([...path, 'kind'])) {
    case 'http':
      httpFaults(path, checks)
      return
    case 'intune':
      for (const key of ['clientSecretFile', 'clientCertificateFile', 'clientKeyFile'])
        checkFile([...path, key])
      return
    case 'push':
      for (const keys of [['hmacSecretFile'], ['tls', 'certFile'], ['tls', 'keyFile']]) {
        checkFile([...path, ...keys])
      }
  }
}

/** Headers that are of the connection, or made for each request. */
const ownHeaders: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

function httpFaults(path: Path, { at, check, checkFile }: Checks): void {
  const given = (...keys: readonly string[]): unknown => at([...path, ...keys])
  for (const keys of [['tokenFile'], ['basic', 'passwordFile'], ['certFile'], ['keyFile'], ['caFile']]) {
    checkFile([...path, ...keys])
  }
  const urls = ['lookupUrl', 'bulkUrl'].filter((key) => given(key) !== undefined)
  check(urls.length > 0, path, 'expected lookupUrl, bulkUrl or both')
  for (const [key, other] of [
    ['certFile', 'keyFile'],
    ['keyFile', 'certFile'],
    ['tokenHeader', 'tokenFile'],
  ] as const) {
    check(given(key) === undefined || given(other) !== undefined, [...path, other], `needed with ${key}`)
  }
  const hasToken = given('tokenFile') !== undefined
  const hasBasic = given('basic') !== undefined
  const tokenHeader = textOf(given('tokenHeader')) ?? 'authorization'
  check(
    !hasBasic || !hasToken || tokenHeader.toLowerCase() !== 'authorization',
    [...path, 'basic'],
    'the token stands in the same header; give the token another one by tokenHeader',
  )
  for (const name of Object.keys(Object(given('headers')))) {
    const place = [...path, 'headers', name]
    check(!ownHeaders.has(name.toLowerCase()), place, 'this header is made for each request')
  }
  for (const key of urls) {
    const isSafe = !(hasToken || hasBasic) || !isPlain(textOf(given(key)) ?? '')
    check(isSafe, [...path, key], 'expected https://, as everybody on the way could read the credentials')
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** True for an http:// URL of another machine. */
function isPlain(url: string): boolean {
  const [, host] = /^http:\/\/([^/?#]+)/i.exec(url) ?? []
  return host !== undefined && !isLoopback(/:\d+$/.test(host) ? host : `${host}:80`)
}
