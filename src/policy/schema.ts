import { z } from 'zod'

const groups = z.array(z.string().min(1).toLowerCase())

/** The name in `targetedGroups` that stands for everybody. */
export const allUsers = 'all-users'

const refusal = z.enum(['quarantine', 'redirect', 'block'])

function accessRules(requireRegistration: boolean) {
  return z.strictObject({
    /** off: this service is not judged at all; report-only: judged, counted, forwarded; enforce: refused. */
    mode: z.enum(['enforce', 'report-only', 'off']).default('enforce'),
    /** Who is judged: `all-users`, or group names. Everybody by default, so that an empty file opens nothing. */
    targetedGroups: groups.default([allUsers]),
    /** Who is not, even where a targeted group holds them too. */
    exemptedGroups: groups.default([]),
    /** For a device that no enrolled record matches. */
    notEnrolled: refusal.default('quarantine'),
    /** For an enrolled device that the directory does not have as registered; online only, unless required here. */
    notRegistered: refusal.default('quarantine'),
    requireRegistration: z.boolean().default(requireRegistration),
    /** For an enrolled device whose state is anything but compliant or in its grace period. */
    noncompliant: refusal.default('block'),
    /** For devices that are not judged, and for compliant ones where `overrideDefaultRule` is false. */
    defaultAccess: z.enum(['allow', 'block', 'quarantine']).default('allow'),
    /** True: a compliant device gets in whatever `defaultAccess` says. */
    overrideDefaultRule: z.boolean().default(true),
  })
}

const defaultOnPremises = accessRules(false)
const defaultOnline = accessRules(true)

/** The policy file. Unknown keys are faults. */
export const policySchema = z.strictObject({
  conditionalAccess: z
    .strictObject({
      onPremises: defaultOnPremises.prefault({}),
      online: defaultOnline.prefault({}),
    })
    .prefault({}),
})

/** The policy in force, as read, checked and frozen. */
export type Policy = z.infer<typeof policySchema>

/** One service's part of it. */
export type AccessRules = Policy['conditionalAccess']['onPremises']

/** Which part of the policy a backend is judged by. */
export type Service = keyof Policy['conditionalAccess']
