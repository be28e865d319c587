import type { IntuneSourceConfig } from '#config/intune-source.ts'
import type { FactsSource, SourceEvent, SourceStatus } from '#directory/facts-source.ts'
import type { Logger } from '#telemetry/log.ts'
import { systemClock, type Clock } from '../clock.ts'
import { repeat } from '../repeat.ts'
import type { IntuneContext, IntuneStore } from './context.ts'
import { createDevicePoll } from './device-poll.ts'
import { createDeviceRecords } from './device-records.ts'
import { sweepManagedDevices } from './device-sweep.ts'
import { createDirectoryDevices } from './directory-devices.ts'
import { createGraphClient } from './graph-client.ts'
import { GraphError, reasonOf } from './graph-error.ts'
import { createGroups } from './groups.ts'
import { inTurn } from './in-turn.ts'
import { createRefresh, type Refresh } from './refresh.ts'
import { createTokens, type Credential } from './token.ts'
import { createTransport } from './transport.ts'
import { sweepUsers } from './user-sweep.ts'

export interface IntuneSourceOptions {
  readonly name: string
  readonly config: IntuneSourceConfig
  /** NetBIOS or DNS name of a domain, lower case -> UPN suffix: the config section `identity`. */
  readonly domains: ReadonlyMap<string, string>
  readonly store: IntuneStore
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>
  /** Told how each reading of all devices, and each look-up, ended. */
  readonly onEvent: (event: SourceEvent) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly clock?: Clock
  /** From 0 to 1. */
  readonly random?: () => number
}

/** Parts of the source that are read by themselves, and may fail by themselves; `missing`: devices that no list has. */
type Part = 'devices' | 'missing' | 'users' | 'groups' | 'directory'

/** A long reading says how far it is after so many records. */
const progressRecords = 100_000

/**
 * Microsoft Intune through Microsoft Graph. Devices, users, groups and the directory's devices are read side by side,
 * each in full at the start and then as Graph allows; what one lacks (a permission, say) stops none of the others.
 */
export function createIntuneSource(options: IntuneSourceOptions): FactsSource {
  const { name, config, store, log, onEvent, now, clock = systemClock, random = Math.random } = options
  const transport = createTransport()
  const context = createContext(options, transport, clock, random)
  const directory = createDirectoryDevices(context)
  const records = createDeviceRecords(context, directory)
  const groups = createGroups(context)
  const devicesInTurn = inTurn()
  const groupsInTurn = inTurn()
  const errors = new Map<Part, string>()
  let status: SourceStatus = { records: 0, faults: 0 }
  let running: { readonly signal: AbortSignal; readonly refresh: Refresh } | undefined

  function setError(part: Part, error: string | undefined): void {
    if (error === undefined) errors.delete(part)
    else errors.set(part, error)
  }

  function fail(part: Part, error: unknown): void {
    const reason = reasonOf(error)
    if (errors.get(part) !== reason) log.error({ source: name, part, reason }, 'Intune cannot be read')
    setError(part, reason)
  }

  function withoutProgress(): SourceStatus {
    const { progress: _, ...rest } = status
    return rest
  }

  async function readDevices(signal: AbortSignal): Promise<void> {
    const startedAt = now()
    let told = 0
    const onProgress = (read: number): void => {
      status = { ...status, progress: { records: read } }
      if (read - told < progressRecords) return
      told = read
      log.info({ source: name, records: read }, 'reading devices')
    }
    try {
      const { error, ...counts } = await sweepManagedDevices(context, {
        records,
        directory,
        onProgress,
        signal,
      })
      setError('devices', undefined)
      setError('missing', error)
      status = { ...withoutProgress(), ...counts }
      if (error === undefined) status = { ...status, lastCompleteAt: startedAt }
      onEvent(error === undefined ? 'complete' : 'partial')
      log.info({ source: name, ...counts }, 'devices read')
    } catch (error) {
      status = withoutProgress()
      if (!signal.aborted) {
        onEvent('failed')
        tellStore(error)
      }
      throw error
    }
  }

  function tellStore(error: unknown): void {
    try {
      store.setSourceFailed(name, reasonOf(error))
    } catch {
      // the store itself is in trouble, and says so to whoever writes to it; the status stands
    }
  }

  async function readUsers(signal: AbortSignal): Promise<void> {
    const error = await sweepUsers(context, groups.names, signal)
    setError('users', error)
    // devices and users are read side by side: whichever ends last makes the source complete
    const wasComplete = store.syncState(name)?.completeAt !== undefined
    const areDevicesRead = store.partCompleteAt(name, 'devices') !== undefined
    if (error === undefined && areDevicesRead && !wasComplete) store.setSourceComplete(name)
  }

  async function readGroups(signal: AbortSignal): Promise<void> {
    await groupsInTurn(async () => setError('groups', await groups.read(signal)))
  }

  async function start(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    signal.addEventListener('abort', () => void transport.close())
    running = { signal, refresh: createRefresh(context, { records, directory, groups, clock, stop: signal }) }
    const poll = createDevicePoll(context, records, directory)
    let nextSweepAt = 0
    const loop = (part: Part, intervalMs: number, work: () => Promise<void>): Promise<void> =>
      repeat(work, { intervalMs, signal, clock, random, onFailure: (error) => fail(part, error) })

    await Promise.all([
      loop('users', config.sweepInterval, () => readUsers(signal)),
      loop('groups', config.interval, () => readGroups(signal)),
      loop('directory', config.interval, async () => {
        const changed = await directory.read(signal)
        setError('directory', undefined)
        await poll.readByDirectoryId(changed, signal)
      }),
      loop('devices', config.interval, async () => {
        if (clock.now() < nextSweepAt) {
          await poll.read(signal)
          setError('devices', undefined)
          return
        }
        const startedAt = clock.now()
        await devicesInTurn(() => readDevices(signal))
        nextSweepAt = startedAt + config.sweepInterval
      }),
    ])
  }

  async function refresh(user: string, signal: AbortSignal): Promise<void> {
    try {
      await running?.refresh(user, signal)
      onEvent('looked-up')
    } catch (error) {
      // a look-up that was not made tells nothing of Graph
      if (error instanceof GraphError && error.code !== 'GRAPH_PAUSED') onEvent('look-up-failed')
      throw error
    }
  }

  return {
    name,
    start,
    refresh: (user, _deviceId, signal) => refresh(user, signal),

    async setGroups(names) {
      if (!groups.setNames(names) || running === undefined) return
      const { signal } = running
      await readGroups(signal).catch((error: unknown) => {
        if (!signal.aborted) fail('groups', error)
      })
    },

    async readAgain() {
      if (running === undefined) return
      const { signal } = running
      await devicesInTurn(() => readDevices(signal)).catch((error: unknown) => {
        if (!signal.aborted) fail('devices', error)
      })
    },

    status: () => {
      const error = [...new Set(errors.values())].join('; ')
      return error === '' ? status : { ...status, error }
    },
  }
}

function createContext(
  { name, config, domains, store, log, now }: IntuneSourceOptions,
  transport: ReturnType<typeof createTransport>,
  clock: Clock,
  random: () => number,
): IntuneContext {
  const { tenantId, clientId, graphUrl, authorityUrl } = config
  const shared = { transport, clock, random, now }
  const tokens = createTokens({
    tenantId,
    clientId,
    graphUrl,
    authorityUrl,
    credential: credentialOf(config),
    ...shared,
  })
  const client = createGraphClient({ graphUrl, clientId, tokens, ...shared })
  return { name, settings: config, domains, store, client, log, now }
}

function credentialOf({
  clientSecretFile,
  clientCertificateFile,
  clientKeyFile,
}: IntuneSourceConfig): Credential {
  if (clientSecretFile !== undefined) return { kind: 'secret', file: clientSecretFile }
  if (clientCertificateFile === undefined || clientKeyFile === undefined) {
    throw new TypeError('the schema lets no such config through')
  }
  return { kind: 'certificate', certificateFile: clientCertificateFile, keyFile: clientKeyFile }
}
