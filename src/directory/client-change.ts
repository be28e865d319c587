import type { AuditEvent } from './audit.ts'

/** What a pair claims to be, apart from versions, which change with every update. */
export interface ClientClaim {
  /** Absent where the request named none. */
  readonly deviceType?: string | undefined
  /** The mail application; `unknown` where the claims do not tell. */
  readonly client: string
}

/** What a pair is known to be. */
export interface KnownClient extends ClientClaim {
  /** When it last turned into another client, ms since the epoch. */
  readonly changedAt?: number
}

/** A known pair came as another client than before: an id that was copied to another phone looks like that. */
export interface ClientChange {
  readonly user: string
  readonly deviceId: string
  readonly before: ClientClaim
  readonly after: ClientClaim
}

/** Two phones of one id take turns: one alarm an hour tells it, one a second would fill log and audit. T-51 */
const pauseMs = 3_600_000

/**
 * Compares what a pair claims now with what it is known to be. A claim that is missing says nothing. A change within
 * the pause after another is not believed yet; where it lasts, it comes again.
 *
 * @param at ms since the epoch
 * @returns what the pair is known to be from now on, and what it was, where that is another client
 */
export function followClient(
  known: KnownClient | undefined,
  claim: ClientClaim,
  at: number,
): { readonly known: KnownClient; readonly before?: ClientClaim } {
  if (known === undefined) return { known: claim }
  const { changedAt, ...before } = known
  const completed = {
    deviceType: claim.deviceType ?? known.deviceType,
    client: claim.client === unknown ? known.client : claim.client,
  }
  if (!isOther(known, completed)) return { known: { ...known, ...completed } }
  if (changedAt !== undefined && at - changedAt < pauseMs) return { known }
  return { known: { ...completed, changedAt: at }, before }
}

const unknown = 'unknown'

/** Its event in the audit. */
export function clientChangeEvent({ user, deviceId, before, after }: ClientChange, at: number): AuditEvent {
  return {
    at,
    actor: 'easgate',
    event: 'client-changed',
    user,
    deviceId,
    detail: {
      deviceTypeBefore: before.deviceType ?? unknown,
      deviceType: after.deviceType ?? unknown,
      clientBefore: before.client,
      client: after.client,
    },
  }
}

/** Types are compared as ids are: servers and phones write them in several letter cases. */
function isOther(known: ClientClaim, claim: ClientClaim): boolean {
  return (
    (known.client !== unknown && known.client !== claim.client) ||
    (known.deviceType !== undefined && known.deviceType.toLowerCase() !== claim.deviceType?.toLowerCase())
  )
}
