import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ServerBehaviour } from './context.ts'
import { authenticate, claimedName } from './credentials.ts'
import type { Device } from './device.ts'
import type { Fault, HttpHandler } from './http-server.ts'
import { createHttpServer } from './http-server.ts'
import { ParkedCount } from './hold.ts'
import type { Mailbox } from './mailbox.ts'
import type { MessageDraft } from './message.ts'
import type { Account, SimulatedUser } from './organization.ts'
import { Organization } from './organization.ts'
import { readRequestLine } from './query.ts'
import type { Exchange } from './routes.ts'
import { isHealthCheck, route } from './routes.ts'
import type { ServerVersion } from './versions.ts'
import { offeredVersions } from './versions.ts'

export type { SimulatedUser } from './organization.ts'
export type { Attachment, MessageDraft } from './message.ts'

/** How a simulated Exchange is set up. */
export interface SimulatorOptions {
  readonly users: readonly SimulatedUser[]
  /** Sent as MS-Server-ActiveSync; default 15.2. */
  readonly serverVersion?: ServerVersion
  /** Default: what that server offers. */
  readonly protocolVersions?: readonly string[]
  /** Ask devices for a policy key; default true. */
  readonly requireProvisioning?: boolean
  /** Ask for Provision by HTTP 449 at every version; default false: from 14.0 by status 142 and 144. */
  readonly alwaysHttp449?: boolean
  /** Bounds of Ping and Sync heartbeats; default 60 and 3540. */
  readonly minHeartbeatSeconds?: number
  readonly maxHeartbeatSeconds?: number
  /** Of the Basic challenge; default `exchange`. */
  readonly realm?: string
  /** A challenge of modern authentication, `Bearer client_id="…", authorization_uri="…"`; default none. */
  readonly bearerChallenge?: string
  /** Tokens that are accepted, each with the UPN of its user. */
  readonly bearerTokens?: ReadonlyMap<string, string>
  /** How long a wrong credential takes to be refused; default 0. */
  readonly loginDelayMs?: number
  /** Milliseconds since the epoch, for dates of mail and age filters; default the clock. */
  readonly now?: () => number
}

/** What reached the server, whether it was answered or not. */
export interface RecordedRequest {
  readonly method: string
  /** As received, byte for byte. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** The user of the credential by UPN; a name that is not known stays as claimed. */
  readonly user: string | undefined
  readonly deviceId: string | undefined
  readonly command: string | undefined
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** How a device answered a wipe: 1 done, 2 failed. */
export interface RecordedWipe {
  readonly user: string
  readonly deviceId: string
  readonly status: number
}

/** A running Exchange, and the hands of a test on it. Users may be named by UPN, domain name or bare name. */
export interface Simulator {
  /** @param port default 0, any free one. Gives the base URL without a slash at its end. */
  listen(port?: number, host?: string): Promise<{ readonly url: string }>
  /** Ends every connection, parked requests too. */
  close(): Promise<void>
  /** Puts a message into the user's inbox: parked Pings and Syncs are answered. */
  deliver(user: string, message: MessageDraft): void
  /** Asks for a wipe of a device that has been here before. */
  requestWipe(user: string, deviceId: string): void
  mailbox(user: string): Mailbox
  /** What the server knows of a device; undefined before its first command and after its wipe. */
  device(user: string, deviceId: string): Readonly<Device> | undefined
  /** The last 1000, oldest first. */
  readonly requests: readonly RecordedRequest[]
  readonly wipes: readonly RecordedWipe[]
  /** Resolves once exactly that many requests are parked (Ping, hanging Sync). */
  whenParked(count: number): Promise<void>
  /**
   * The next requests get this status and nothing is done: `failNext(1, 503, { 'Retry-After': '5' })`. Health checks
   * do not count.
   */
  failNext(count: number, status: number, headers?: Readonly<Record<string, string>>): void
  /** The next requests, health checks apart, are looked at later. */
  delayNext(count: number, delayMs: number): void
}

const maxRecorded = 1000

/** Makes an Exchange with these users. Nothing listens before `listen`. */
export function createSimulator(options: SimulatorOptions): Simulator {
  const now = options.now ?? Date.now
  const serverVersion = options.serverVersion ?? '15.2'
  const behaviour: ServerBehaviour = {
    protocolVersions: options.protocolVersions ?? offeredVersions[serverVersion],
    requireProvisioning: options.requireProvisioning ?? true,
    alwaysHttp449: options.alwaysHttp449 ?? false,
    minHeartbeatSeconds: options.minHeartbeatSeconds ?? 60,
    maxHeartbeatSeconds: options.maxHeartbeatSeconds ?? 3540,
  }
  const organization = new Organization(options.users, now)
  const bearerTokens = options.bearerTokens ?? new Map<string, string>()
  const prove = (authorization: string | undefined): Account | undefined =>
    authenticate(organization, bearerTokens, authorization)
  const requests: RecordedRequest[] = []
  const wipes: RecordedWipe[] = []
  const faults: Fault[] = []
  const delaysMs: number[] = []
  let baseUrl = ''
  // Begins anywhere, so that a key from before a restart does not fit by chance.
  let lastKey = randomInt(1_000_000_000)
  const exchange: Exchange = {
    organization,
    behaviour,
    prove,
    loginDelayMs: options.loginDelayMs ?? 0,
    baseUrl: () => baseUrl,
    parked: new ParkedCount(),
    nextKey: () => String(++lastKey),
    onWipe: (account, device, status) => {
      wipes.push({ user: account.upn, deviceId: device.deviceId, status })
    },
  }

  const handler: HttpHandler = {
    onArrival: (message) => {
      const { method = '', url = '', headers } = message
      const user = prove(headers.authorization)?.upn ?? claimedName(headers.authorization)
      if (requests.length >= maxRecorded) requests.shift()
      requests.push({ method, url, headers, user, ...claimedDevice(url, headers), at: now() })
    },
    takeFault: (path) => (isHealthCheck(path) ? undefined : faults.shift()),
    takeDelayMs: (path) => (isHealthCheck(path) ? 0 : (delaysMs.shift() ?? 0)),
    answer: (request) => route(exchange, request),
    commonHeaders: (answer) => ({
      ...(answer.status === 401 ? { 'WWW-Authenticate': challenges(options) } : {}),
      'MS-Server-ActiveSync': serverVersion,
    }),
  }

  const server = createHttpServer(handler)
  return {
    requests,
    wipes,
    listen: async (port = 0, host = '127.0.0.1') => {
      server.listen(port, host)
      await once(server, 'listening')
      const { port: bound } = server.address() as AddressInfo
      baseUrl = `http://${host.includes(':') ? `[${host}]` : host}:${bound}`
      return { url: baseUrl }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
    deliver: (user, message) => organization.deliver(organization.requireAccount(user), message),
    requestWipe: (user, deviceId) => {
      const device = organization.requireAccount(user).devices.get(deviceId.toLowerCase())
      if (device === undefined) throw new Error(`no such device: ${deviceId}`)
      device.wipeRequested = true
    },
    mailbox: (user) => organization.requireAccount(user).mailbox,
    device: (user, deviceId) => organization.requireAccount(user).devices.get(deviceId.toLowerCase()),
    whenParked: (count) => exchange.parked.reached(count),
    failNext: (count, status, headers = {}) => {
      for (let i = 0; i < count; i++) faults.push({ status, headers })
    },
    delayNext: (count, delayMs) => {
      for (let i = 0; i < count; i++) delaysMs.push(delayMs)
    },
  }
}

/** What the request line says of device and command, for the record; nothing where it can not be read. */
function claimedDevice(
  url: string,
  headers: IncomingHttpHeaders,
): Pick<RecordedRequest, 'deviceId' | 'command'> {
  const question = url.indexOf('?')
  if (question < 0) return { deviceId: undefined, command: undefined }
  try {
    const { deviceId, command } = readRequestLine(url.slice(question + 1), headers)
    return { deviceId, command }
  } catch {
    return { deviceId: undefined, command: undefined }
  }
}

/** As IIS sends them: Negotiate and NTLM beside Basic, which EAS clients use. */
function challenges({ realm, bearerChallenge }: SimulatorOptions): string[] {
  const basic = `Basic realm="${realm ?? 'exchange'}"`
  return [...(bearerChallenge === undefined ? [] : [bearerChallenge]), 'Negotiate', 'NTLM', basic]
}
