import { accessSync, constants, statSync } from 'node:fs'
import { sourceFaults } from './source-checks.ts'
import { hostPort, isLoopback } from './values.ts'
import type { ConfigFault, YamlFile } from './yaml.ts'

type Path = readonly PropertyKey[]

/** Keys that name a file which is read at start. A source's own file may come later: its absence is an outage. */
const files: readonly Path[] = [
  ['listen', 'tls', 'certFile'],
  ['listen', 'tls', 'keyFile'],
  ['listen', 'tls', 'clientCaFile'],
  ['admin', 'tokenFile'],
  ['admin', 'metricsTokenFile'],
  ['policy', 'file'],
]

/**
 * What the schema of one key cannot see. It reads the values as they stand in the file, so that a fault in one key
 * hides none in another.
 */
export function crossFaults({ at, fault }: YamlFile): readonly ConfigFault[] {
  const faults: ConfigFault[] = []
  const check = (good: boolean, path: Path, message: string) => {
    if (!good) faults.push(fault(path, message))
  }
  const checkFile = (path: Path) => {
    const file = at(path)
    if (typeof file === 'string') check(isReadableFile(file), path, `cannot read the file ${file}`)
  }
  for (const path of files) checkFile(path)

  const backends = at(['backends'])
  const names = typeof backends === 'object' && backends !== null ? Object.keys(backends) : []
  for (const name of names) {
    const kind = at(['backends', name, 'kind'])
    check(
      kind === 'simulator' || !isEmpty(at(['backends', name, 'servers'])),
      ['backends', name, 'servers'],
      'expected at least one server',
    )
    check(
      /^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/.test(name),
      ['backends', name],
      'expected a name of at most 40 letters, digits, - and _',
    )
    checkFile(['backends', name, 'caFile'])
  }
  const checkBackend = (path: Path) => {
    const name = at(path)
    if (typeof name === 'string') check(names.includes(name), path, `no backend is named ${name}`)
  }
  checkBackend(['routing', 'default'])
  const rules = at(['routing', 'rules'])
  if (Array.isArray(rules)) rules.forEach((_, index) => checkBackend(['routing', 'rules', index, 'backend']))

  const sources = at(['sources'])
  if (Array.isArray(sources)) {
    sources.forEach((_, index) => sourceFaults(['sources', index], { at, check, checkFile }))
  }

  const certificates = at(['listen', 'tls', 'clientCertificates'])
  check(
    (certificates !== 'optional' && certificates !== 'required') ||
      at(['listen', 'tls', 'clientCaFile']) !== undefined,
    ['listen', 'tls', 'clientCaFile'],
    'needed where client certificates are asked for',
  )
  check(
    at(['listen', 'proxyProtocol']) !== 'required' || !isEmpty(at(['listen', 'trustedProxies'])),
    ['listen', 'trustedProxies'],
    'needed with proxyProtocol: required, as nobody else may speak for a client address',
  )
  const address = hostPort.safeParse(at(['listen', 'address'])).data
  check(
    address === undefined || !isWildcard(address) || at(['listen', 'publicUrl']) !== undefined,
    ['listen', 'publicUrl'],
    'needed where listen.address is no address that phones could be told: Autodiscover hands it out',
  )
  const adminAddress = hostPort.safeParse(at(['admin', 'address'])).data
  check(
    adminAddress === undefined || isLoopback(adminAddress) || at(['admin', 'tokenFile']) !== undefined,
    ['admin', 'tokenFile'],
    'needed where the admin listener is not on loopback',
  )
  return faults
}

/** All addresses of the machine. */
function isWildcard(address: string): boolean {
  return address.startsWith('0.0.0.0:') || address.startsWith('[::]:')
}

function isEmpty(list: unknown): boolean {
  return list === undefined || (Array.isArray(list) && list.length === 0)
}

function isReadableFile(file: string): boolean {
  try {
    accessSync(file, constants.R_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
