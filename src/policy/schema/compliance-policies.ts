import { z } from 'zod'
import { platformWord } from './device-match.ts'
import { ruleName } from './device-rules.ts'
import { allUsers, groups, version, whenWithoutFault } from './values.ts'

/** Threat levels from none to the highest that a device may have. */
export const threatLevels = ['secured', 'low', 'medium', 'high'] as const

/** What is asked of a device; a key that does not stand asks nothing. facts.md 2 */
const postureRules = z
  .strictObject({
    passcodeRequired: z.boolean(),
    encryptionRequired: z.boolean(),
    minOsVersion: version,
    maxOsVersion: version,
    jailbreakAllowed: z.boolean(),
    managedEmailProfileRequired: z.boolean(),
    maxThreatLevel: z.enum(threatLevels),
    /** The device reported to its MDM within this many days. */
    maxCheckInDays: z.int().min(1).max(120),
  })
  .partial()
  .refine((rules) => Object.keys(rules).length > 0, {
    error: 'expected at least one rule',
    when: whenWithoutFault,
  })

const assigned = {
  name: ruleName,
  /** Whose devices: `all-users`, or group names. */
  assignedGroups: groups.default([allUsers]),
  /** On which systems; empty: on all. */
  platforms: z.array(platformWord).default([]),
  rules: postureRules,
}

export const compliancePolicy = z.strictObject({
  ...assigned,
  /** A device that is found wanting keeps its mail for this long. */
  graceDays: z.int().min(0).max(365).default(0),
})

/** Settings that an MDM enforces. They count where no compliance policy of the user speaks of the same setting. */
export const configurationPolicy = z.strictObject(assigned)
