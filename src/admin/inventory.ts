import { z } from 'zod'
import { identifyClient } from '#eas/client/identify-client.ts'
import { deviceKey, isDeviceId } from '#eas/device-id.ts'
import { loginNames, type LoginRules } from '#eas/login.ts'
import { protocolVersions } from '#eas/versions.ts'
import { visitInSlices } from '#directory/commit.ts'
import { resolveFirst } from '#directory/read-facts.ts'
import { plainText, time } from '#directory/record.ts'
import type { Store } from '#directory/store.ts'
import type { ImportedPair } from '#directory/write-imported.ts'
import { reasons } from '#policy/reasons.ts'
import { Problem } from './problem.ts'
import type { ApiRequest } from './server.ts'

export interface InventoryDeps {
  readonly store: Pick<Store, 'resolve' | 'importPairs' | 'audit' | 'currentRevision'>
  readonly loginRules: LoginRules
  /** Resolves once every worker decides by all that is committed. */
  readonly enforced: () => Promise<void>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** A device that was not taken, by its place in the list. */
interface NotTaken {
  readonly index: number
  readonly field: string
  readonly message: string
}

/** Faults that an answer names at most. */
const maxFaults = 100
const maxClaimLength = 1024
/** Clocks differ, and an export without a zone may have been made in any. */
const maxAheadMs = 86_400_000

const idMessage = 'expected an EAS device id: 1 to 64 letters, digits, -, _ or .'
const claim = z.string({ error: 'expected text' }).max(maxClaimLength).optional()

const deviceSchema = z.strictObject(
  {
    /** Every name of the user that is known, best first. */
    names: z.array(plainText(256), { error: 'expected a list of names' }).min(1).max(8),
    deviceId: z.string({ error: idMessage }).refine(isDeviceId, { error: idMessage }),
    deviceType: claim,
    userAgent: claim,
    model: claim,
    os: claim,
    protocolVersion: z.enum(protocolVersions).optional(),
    /** What Exchange does with it, and why. */
    action: z.enum(['allow', 'block', 'quarantine']),
    reason: z.enum(reasons).default('default-access'),
    /** Default: when it was last seen. */
    firstSeenAt: time.optional(),
    /** Default: now. */
    lastSeenAt: time.optional(),
  },
  { error: (issue) => (issue.code === 'invalid_type' ? 'expected an object' : undefined) },
)

type InventoryDevice = z.output<typeof deviceSchema>

/**
 * Takes an inventory of Exchange: a list of devices. One fault refuses them all. A device whose user cannot be told,
 * or for whom the user has no room, is not taken, and the answer names it.
 */
export async function postInventory(deps: InventoryDeps, { json }: ApiRequest): Promise<unknown> {
  const { store, now } = deps
  const body = await json()
  if (!Array.isArray(body)) throw new Problem(400, 'Bad Request', 'expected a list of devices')
  const devices: InventoryDevice[] = []
  const errors: NotTaken[] = []
  await visitInSlices(body.entries(), ([index, value]) => {
    const parsed = deviceSchema.safeParse(value)
    if (!parsed.success) for (const issue of parsed.error.issues) errors.push(...toFaults(issue, index))
    else {
      devices.push(parsed.data)
      errors.push(...timeFaults(parsed.data, index, now() + maxAheadMs))
    }
  })
  if (errors.length > 0) {
    const faults = errors.slice(0, maxFaults)
    throw new Problem(400, 'Bad Request', `${errors.length} faults; nothing was changed`, faults)
  }
  const notTaken: NotTaken[] = []
  const pairs: { index: number; pair: ImportedPair }[] = []
  await visitInSlices(devices.entries(), ([index, device]) => {
    const user = userOf(deps, device.names)
    if (user !== undefined) pairs.push({ index, pair: pairOf(user, device, now()) })
    else {
      const message = 'no directory entry has this name, and it is no login'
      notTaken.push({ index, field: 'names', message })
    }
  })
  const written = await store.importPairs(pairs.map(({ pair }) => pair))
  for (const [place, { index }] of pairs.entries()) {
    if (written[place] === true) continue
    notTaken.push({ index, field: 'deviceId', message: 'its user has as many devices as are kept' })
  }
  const taken = devices.length - notTaken.length
  store.audit({ at: now(), actor: 'api', event: 'inventory-imported', detail: { devices: taken } })
  await deps.enforced()
  const order = notTaken.toSorted((one, other) => one.index - other.index)
  return { devices: devices.length, taken, notTaken: order, revision: store.currentRevision() }
}

/**
 * The user of the first name that leads to one. A user whom no source knows is called by the first name that can be a
 * login, as its phone will be. A bare name may be a display name: it gets no domain, and it is no login.
 */
function userOf({ store, loginRules }: InventoryDeps, names: readonly string[]): string | undefined {
  const logins = names.filter((name) => /[@\\]/.test(name)).flatMap((name) => loginNames(name, loginRules))
  const others = names.filter((name) => !/[@\\]/.test(name)).map((name) => name.toLowerCase())
  return resolveFirst(store, [...logins, ...others]) ?? logins[0]
}

function pairOf(user: string, device: InventoryDevice, now: number): ImportedPair {
  const { deviceId, deviceType, userAgent, action, reason } = device
  const information = {
    ...(device.model === undefined ? undefined : { model: device.model }),
    ...(device.os === undefined ? undefined : { os: device.os }),
  }
  const { platform, osVersion, model, client } = identifyClient({
    deviceId,
    deviceType,
    userAgent,
    information,
  })
  const lastAt = Math.min(device.lastSeenAt ?? now, now)
  return {
    user,
    deviceId,
    deviceKey: deviceKey(deviceId),
    deviceType,
    userAgent,
    protocolVersion: device.protocolVersion,
    platform,
    osVersion,
    model,
    client,
    ...(Object.keys(information).length === 0 ? undefined : { information }),
    action,
    reason,
    firstAt: Math.min(device.firstSeenAt ?? lastAt, lastAt),
    lastAt,
    ...(action === 'allow' ? { allowedAt: lastAt } : undefined),
  }
}

function timeFaults(device: InventoryDevice, index: number, latest: number): readonly NotTaken[] {
  const fields = ['firstSeenAt', 'lastSeenAt'] as const
  return fields
    .filter((field) => (device[field] ?? 0) > latest)
    .map((field) => ({ index, field, message: 'expected a time that is past' }))
}

function toFaults(issue: z.core.$ZodIssue, index: number): readonly NotTaken[] {
  if (issue.code !== 'unrecognized_keys')
    return [{ index, field: issue.path.join('.'), message: issue.message }]
  const message = `not a known field; expected one of ${Object.keys(deviceSchema.shape).join(', ')}`
  return issue.keys.map((field) => ({ index, field, message }))
}
