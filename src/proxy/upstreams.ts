import type { ProtocolVersion } from '#eas/versions.ts'
import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { Pool } from 'undici'
import type { BackendConfig } from '#config/schema.ts'
import { easPath } from '#eas/route.ts'
import type { Service } from '#policy/schema.ts'
import type { Logger } from '#telemetry/log.ts'
import type { Metrics } from '#telemetry/metrics.ts'
import { minProtocolVersionOf, serviceOf } from './routing.ts'

/** One server of a backend. */
export interface Server {
  /** `https://mail1.example.com`, as configured. */
  readonly origin: string
  /** `mail1.example.com:443`, the metric label. */
  readonly name: string
  readonly pool: Pool
  /** Pings and hanging Syncs hold a connection each for up to an hour: apart, so that short requests find theirs fast. */
  readonly parkingPool: Pool
  healthy: boolean
}

/** Options of node:tls for connections to a backend. */
export type BackendTls = Pick<ConnectionOptions, 'minVersion' | 'ca' | 'ciphers'>

/** A named group of servers that hold the same mailboxes. */
export interface Backend {
  readonly name: string
  readonly kind: BackendConfig['kind']
  readonly service: Service
  readonly minProtocolVersion: ProtocolVersion
  /** How to speak TLS with its servers. */
  readonly tls: BackendTls
  readonly servers: readonly Server[]
}

/** All backends, and the checks that eject and return their servers. */
export interface Upstreams {
  readonly backends: ReadonlyMap<string, Backend>
  /** The healthy servers in the order to try for this user: the same user meets the same server while it is healthy. */
  readonly serversFor: (backend: Backend, user: string) => readonly Server[]
  /** The server that an absolute URL points to, with its backend, if it is one of ours. */
  readonly serverOf: (url: string) => { backend: Backend; server: Server } | undefined
  /** Passive check: a dial or TLS failure ejects a server at once, until an active check succeeds. */
  readonly dialFailed: (backend: Backend, server: Server, error: Error) => void
  readonly close: () => Promise<void>
}

export interface UpstreamsOptions {
  readonly backends: Readonly<Record<string, BackendConfig>>
  readonly connectSeconds: number
  readonly metrics: Pick<Metrics, 'upstreamHealthy'>
  readonly log: Pick<Logger, 'info' | 'warn'>
}

/** Consecutive failed checks that eject a server: one lost packet is not an outage. */
const failuresToEject = 2
const checkTimeoutMs = 5000

/** Opens the pools and starts the health checks; they end with `close`. */
export function createUpstreams(options: UpstreamsOptions): Upstreams {
  const backends = new Map<string, Backend>()
  const timers: NodeJS.Timeout[] = []

  const setHealth = (backend: Backend, server: Server, healthy: boolean, why: string) => {
    options.metrics.upstreamHealthy.set({ backend: backend.name, server: server.name }, healthy ? 1 : 0)
    if (server.healthy === healthy) return
    server.healthy = healthy
    const fields = { backend: backend.name, server: server.name, why }
    if (healthy) options.log.info(fields, 'server is back')
    else options.log.warn(fields, 'server ejected')
  }

  for (const [name, config] of Object.entries(options.backends)) {
    const tls = tlsOptions(config)
    const backend: Backend = {
      name,
      kind: config.kind,
      service: serviceOf(config.kind),
      minProtocolVersion: minProtocolVersionOf(config),
      tls,
      servers: config.servers.map((origin) => openServer(origin, tls, options.connectSeconds)),
    }
    backends.set(name, backend)
    const check = healthCheck(config)
    for (const server of backend.servers) {
      setHealth(backend, server, true, 'start')
      let failures = 0
      let secondsToCheck = config.healthSeconds
      let checking = false
      const timer = setInterval(() => {
        secondsToCheck--
        // an ejected server is looked at every second, so that its return is not slower than its fall
        if (checking || (server.healthy && secondsToCheck > 0)) return
        checking = true
        void check(server).then((fault) => {
          checking = false
          secondsToCheck = config.healthSeconds
          failures = fault === undefined ? 0 : failures + 1
          if (fault === undefined) setHealth(backend, server, true, 'health check')
          else if (failures >= failuresToEject) setHealth(backend, server, false, fault)
        })
      }, 1000)
      timers.push(timer.unref())
    }
  }

  return {
    backends,
    serversFor: (backend, user) => {
      const healthy = backend.servers.filter((server) => server.healthy)
      return healthy.length < 2 ? healthy : byAffinity(healthy, user)
    },
    serverOf: (url) => {
      const origin = URL.canParse(url) ? new URL(url).origin : undefined
      for (const backend of backends.values()) {
        const server = backend.servers.find((candidate) => candidate.origin === origin)
        if (server !== undefined) return { backend, server }
      }
      return undefined
    },
    dialFailed: (backend, server, error) => setHealth(backend, server, false, error.message),
    close: async () => {
      for (const timer of timers) clearInterval(timer)
      const pools = [...backends.values()].flatMap(({ servers }) =>
        servers.flatMap((s) => [s.pool, s.parkingPool]),
      )
      await Promise.all(pools.map((pool) => pool.destroy()))
    },
  }
}

function tlsOptions({ tlsMinVersion, caFile }: BackendConfig): BackendTls {
  return {
    minVersion: tlsMinVersion,
    ...(caFile === undefined ? undefined : { ca: readFileSync(caFile) }),
    // OpenSSL refuses the old versions' algorithms below this level
    ...(/^TLSv1(?:\.1)?$/.test(tlsMinVersion) ? { ciphers: 'DEFAULT@SECLEVEL=0' } : undefined),
  }
}

function openServer(origin: string, tls: BackendTls, connectSeconds: number): Server {
  const options = {
    // one request a connection at a time; HTTP/2 would put many users' requests on one
    pipelining: 1,
    allowH2: false,
    connections: null,
    // the cap of each request is given with it: Exchange parks a Ping for up to 59 minutes
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      timeout: connectSeconds * 1000,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      ...tls,
    },
  }
  const url = new URL(origin)
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port
  return {
    origin: url.origin,
    name: `${url.hostname}:${port}`,
    pool: new Pool(url.origin, options),
    parkingPool: new Pool(url.origin, options),
    healthy: true,
  }
}

/** Gives undefined where the server is well, else the fault. One offline mailbox database must not eject a server. */
function healthCheck(config: BackendConfig): (server: Server) => Promise<string | undefined> {
  const kind = config.health ?? (config.kind === 'exchange-online' ? 'options' : 'healthcheck')
  const method = kind === 'options' ? 'OPTIONS' : 'GET'
  const path = kind === 'options' ? easPath : `${easPath}/healthcheck.htm`
  const expected = kind === 'options' ? 401 : 200
  return async ({ pool }) => {
    try {
      const { statusCode, body } = await pool.request({
        method,
        path,
        headersTimeout: checkTimeoutMs,
        bodyTimeout: checkTimeoutMs,
      })
      await body.dump({ limit: 65_536 })
      return statusCode === expected ? undefined : `health check answered ${statusCode}`
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }
}

/** Rendezvous hashing: a server that goes or returns moves only the users whose best server it is. */
function byAffinity(servers: readonly Server[], user: string): readonly Server[] {
  return servers
    .map((server) => ({ server, score: fnv1a(`${server.name} ${user}`) }))
    .toSorted((a, b) => b.score - a.score)
    .map(({ server }) => server)
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  // names that differ in one digit must not give neighbouring scores
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}
