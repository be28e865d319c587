import { LRUCache } from 'lru-cache'
import type { SourceDevice } from '#directory/sweep-devices.ts'
import type { Clock } from '../clock.ts'
import type { IntuneContext } from './context.ts'
import { abortable } from './abortable.ts'
import type { DeviceRecords } from './device-records.ts'
import { optionsOf, type DirectoryDevices } from './directory-devices.ts'
import { hasName, readDirectoryUser, userProperties, type DirectoryUser } from './directory-user.ts'
import { isName } from './fields.ts'
import { graphCalls } from './graph-calls.ts'
import { isNotFound } from './graph-error.ts'
import type { Groups } from './groups.ts'
import { managedDeviceProperties, readManagedDevice } from './managed-device.ts'
import { pages } from './pages.ts'
import { countMalformed } from './report-malformed.ts'

/** Reads one user with devices and groups, now. Settles once the store holds the answer. */
export type Refresh = (user: string, signal: AbortSignal) => Promise<void>

export interface RefreshDeps {
  readonly records: DeviceRecords
  readonly directory: DirectoryDevices
  readonly groups: Groups
  readonly clock: Clock
  /** Ends whatever is under way. */
  readonly stop: AbortSignal
}

/** A user is read at most this often, whichever of his devices asks; who comes earlier waits for the next time. */
const pauseMs = 1000
const rememberedUsers = 10_000
/** Whoever asked has gone by then. */
const timeoutMs = 30_000

/**
 * Look-ups go before readings of everything, one flight a user, so that a phone that was just mended gets its mail
 * within seconds and a crowd of phones asks Graph no more than its users are. T-50
 */
export function createRefresh(context: IntuneContext, deps: RefreshDeps): Refresh {
  const flights = new Map<string, Promise<void>>()
  /** When a user was read last; monotonic, ms. */
  const readAt = new LRUCache<string, number>({ max: rememberedUsers })

  async function read(user: string): Promise<void> {
    const signal = AbortSignal.any([deps.stop, AbortSignal.timeout(timeoutMs)])
    const waitMs = (readAt.get(user) ?? -Infinity) + pauseMs - deps.clock.now()
    if (waitMs > 0) await deps.clock.sleep(waitMs, signal)
    try {
      await readUser(context, deps, user, signal)
    } finally {
      readAt.set(user, deps.clock.now())
    }
  }

  return async (user, signal) => {
    const name = user.toLowerCase()
    // a filter with an empty value lists everybody. facts.md 5
    if (!isName(name)) return
    const flight = flights.get(name) ?? read(name).finally(() => flights.delete(name))
    flights.set(name, flight)
    await abortable(flight, signal)
  }
}

async function readUser(
  context: IntuneContext,
  { records, directory, groups }: RefreshDeps,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const { store, name: source } = context
  const user = await findUser(context, name, signal)
  if (user === undefined) return
  const [devices, memberOf] = await Promise.all([
    devicesOf(context, records, user, signal),
    groups.ofUser(user.id, signal),
  ])
  await store.upsert(source, [
    {
      user: user.user,
      aliases: user.aliases,
      ...(memberOf === undefined ? undefined : { groups: memberOf }),
    },
  ])
  await store.putDevices(source, devices, optionsOf(directory))
}

/** By UPN, then by address. Whoever is found must have the name that was asked for. */
async function findUser(
  context: IntuneContext,
  name: string,
  signal: AbortSignal,
): Promise<DirectoryUser | undefined> {
  const { client } = context
  const $select = userProperties.join(',')
  const call = graphCalls.users
  try {
    const url = client.urlOf(`/users/${encodeURIComponent(name)}`, { $select })
    const answer = await client.ask({ call, url, priority: 'high', signal })
    return only([answer], context, name)
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
  if (!name.includes('@')) return undefined
  const quoted = `'${name.replaceAll("'", "''")}'`
  const url = client.urlOf('/users', {
    $filter: `mail eq ${quoted} or proxyAddresses/any(p:p eq 'smtp:${quoted.slice(1)})`,
    $select,
  })
  const { value } = await client.ask({ call, url, priority: 'high', signal })
  return only(Array.isArray(value) ? value : [], context, name)
}

/** The one user among the records who has the name. T-17 */
function only(
  records: readonly unknown[],
  { domains }: Pick<IntuneContext, 'domains'>,
  name: string,
): DirectoryUser | undefined {
  const users = records.flatMap((record) => {
    const read = readDirectoryUser(record, domains)
    return 'user' in read && hasName(read.user, name) ? read.user : []
  })
  return users.length === 1 ? users[0] : undefined
}

/** Every record is checked: one that is not this user's is none of his devices. */
async function devicesOf(
  context: IntuneContext,
  records: DeviceRecords,
  user: DirectoryUser,
  signal: AbortSignal,
): Promise<readonly SourceDevice[]> {
  const { client, settings } = context
  const malformed = countMalformed(context, 'managed devices')
  const url = client.urlOf(`/users/${user.id}/managedDevices`, { $select: managedDeviceProperties.join(',') })
  const request = {
    call: graphCalls.managedDevices,
    url,
    priority: 'high',
    signal,
    stamp: () => undefined,
  } as const
  const devices: SourceDevice[] = []
  for await (const { items } of pages(client, request)) {
    for (const item of items) {
      const read = readManagedDevice(item, settings.matchBy)
      if ('malformed' in read) {
        malformed.add(read.malformed)
        continue
      }
      const { device } = read
      const isHis = device.userId === undefined ? device.user === user.user : device.userId === user.id
      const found = isHis ? records.deviceOf(device, user.user) : undefined
      if (found !== undefined) devices.push(found)
    }
  }
  return devices
}
