import { z } from 'zod'
import { isDeviceId } from '#eas/device-id.ts'
import { loginNames, type LoginRules } from '#eas/login.ts'
import { hasControl } from '#eas/text.ts'
import { resolveFirst } from '#directory/read-facts.ts'
import { plainText, time } from '#directory/record.ts'
import type { Store } from '#directory/store.ts'
import type { OverridePair } from '#directory/write-overrides.ts'
import type { Override } from '#policy/facts.ts'
import { Problem } from './problem.ts'
import type { ApiRequest } from './server.ts'
import { shownDevice } from './shown-device.ts'

export interface OverrideDeps {
  readonly store: Store
  readonly loginRules: LoginRules
  /** Resolves once every worker decides by all that is committed. */
  readonly enforced: () => Promise<void>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** There is one administrator: whoever has the token. */
const actor = 'api'
const maxUserLength = 256
const maxNoteLength = 256

/** Allows or blocks one device of one user, whatever the rules say; answers with the device, once it is in force. */
export async function putOverride(deps: OverrideDeps, { segments, json }: ApiRequest): Promise<unknown> {
  const { store } = deps
  const pair = pairOf(deps, segments)
  store.setOverride(pair, overrideOf(await json(), deps.now()), actor)
  await deps.enforced()
  const device = store.device(pair.user, pair.deviceId)
  return device === undefined ? undefined : shownDevice(device)
}

/** Takes it back: the device is judged by the rules again. */
export async function deleteOverride(deps: OverrideDeps, { segments }: ApiRequest): Promise<undefined> {
  const changes = deps.store.removeOverride(pairOf(deps, segments), actor)
  if (changes.length === 0) throw new Problem(404, 'Not Found', 'this device is neither allowed nor blocked')
  await deps.enforced()
}

/**
 * The user that a name stands for, as for a phone that logs in with it; the first name where nobody has any. So a user
 * whom no source knows can be spoken of too.
 */
export function ownerOf(
  { store, loginRules }: Pick<OverrideDeps, 'store' | 'loginRules'>,
  name: string,
): string {
  const names = loginNames(name, loginRules)
  return resolveFirst(store, names) ?? names[0] ?? name
}

function pairOf(deps: OverrideDeps, [user, deviceId, word, ...rest]: readonly string[]): OverridePair {
  if (user === undefined || deviceId === undefined || word !== 'override' || rest.length > 0) {
    throw new Problem(404, 'Not Found', 'expected /{user}/{deviceId}/override')
  }
  const errors = []
  if (user === '' || user.length > maxUserLength || hasControl(user)) {
    errors.push({ field: 'user', message: `expected a name of 1 to ${maxUserLength} characters` })
  }
  if (!isDeviceId(deviceId)) {
    errors.push({
      field: 'deviceId',
      message: 'expected an EAS device id: 1 to 64 letters, digits, -, _ or .',
    })
  }
  if (errors.length > 0) throw new Problem(400, 'Bad Request', 'nothing was changed', errors)
  return { user: ownerOf(deps, user), deviceId }
}

const bodySchema = z.strictObject(
  {
    action: z.enum(['allow', 'block'], { error: 'expected allow or block' }),
    until: time.optional(),
    exclusive: z.boolean({ error: 'expected true or false' }).default(false),
    note: plainText(maxNoteLength),
  },
  { error: (issue) => (issue.code === 'invalid_type' ? 'expected an object' : undefined) },
)

function overrideOf(body: unknown, now: number): Override {
  const parsed = bodySchema.safeParse(body)
  if (!parsed.success)
    throw new Problem(400, 'Bad Request', 'nothing was changed', parsed.error.issues.flatMap(toFaults))
  const { action, until, exclusive, note } = parsed.data
  const errors = []
  if (Object.hasOwn(parsed.data, 'until') && !(until !== undefined && until > now)) {
    errors.push({
      field: 'until',
      message: 'expected a time in the future, or none for an override without end',
    })
  }
  if (exclusive && action === 'block') {
    errors.push({ field: 'exclusive', message: 'only an allow can be exclusive' })
  }
  if (errors.length > 0) throw new Problem(400, 'Bad Request', 'nothing was changed', errors)
  return { action, ...(until === undefined ? undefined : { until }), exclusive, note }
}

function toFaults(issue: z.core.$ZodIssue) {
  if (issue.code !== 'unrecognized_keys') return [{ field: issue.path.join('.'), message: issue.message }]
  const message = `not a known field; expected one of ${Object.keys(bodySchema.shape).join(', ')}`
  return issue.keys.map((field) => ({ field, message }))
}
