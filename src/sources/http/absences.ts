import { setImmediate as nextTurn } from 'node:timers/promises'
import type { DeviceSweep, UnlistedDevice, UnlistedDevices } from '#directory/sweep-devices.ts'
import type { DescribedUser, UserSweep } from '#directory/sweep-users.ts'
import type { HttpContext } from './http-context.ts'
import { reasonOf } from './http-error.ts'
import { lookUpDevice } from './look-up.ts'

export interface Absences {
  readonly devices: Pick<DeviceSweep, 'remove'>
  readonly users: Pick<UserSweep<DescribedUser>, 'unlisted' | 'remove'>
  /** What no page listed. */
  readonly unlisted: UnlistedDevices
  /** Records that were listed but could not be taken; undefined among them: one of which not even the id could be read. */
  readonly faultyIds: ReadonlySet<string | undefined>
  readonly signal: AbortSignal
}

/** Users that are removed after one reading; the others wait for the next. */
const maxUsers = 2000

/** Removes what is gone, and users of whom nothing is left. Gives how many devices are kept although not listed. */
export async function settleAbsences(context: HttpContext, absences: Absences): Promise<number> {
  const { devices, users, unlisted, faultyIds } = absences
  const keptUsers = new Set<string>()
  let removed = 0
  for (const row of unlisted.rows) {
    const isListedFaulty = faultyIds.has(undefined) || faultyIds.has(row.record_id ?? undefined)
    if (!isListedFaulty && (await isGone(context, row, absences))) {
      devices.remove(row)
      removed++
      // each removal is a transaction of its own
      await nextTurn()
    } else keptUsers.add(row.user)
  }
  // of devices that were not looked at, the users are not known here
  if (unlisted.rows.length === unlisted.count) {
    const gone = await users.unlisted(maxUsers)
    for (const user of gone.users) {
      if (!keptUsers.has(user)) users.remove(user)
      await nextTurn()
    }
  }
  return unlisted.count - removed
}

/** Without a look-up the complete list is all there is. */
async function isGone(
  context: HttpContext,
  { user, device_id: deviceId }: UnlistedDevice,
  { signal }: Absences,
): Promise<boolean> {
  const { config, log, name } = context
  if (config.lookupUrl === undefined) return true
  try {
    return (await lookUpDevice(context, user, deviceId, signal)) === 'absent'
  } catch (error) {
    signal.throwIfAborted()
    log.warn({ source: name, user, deviceId, reason: reasonOf(error) }, 'an absence could not be looked into')
    return false
  }
}
