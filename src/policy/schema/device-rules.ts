import { z } from 'zod'
import { deviceMatch } from './device-match.ts'
import { accessLevel, duration } from './values.ts'

/** A name that explain, log and console use. */
export const ruleName = z.string().trim().min(1).max(80, 'expected at most 80 characters')

/** Exchange's device access rule, with patterns and ranges. facts.md 6 */
export const deviceRule = z.strictObject({
  name: ruleName,
  match: deviceMatch,
  action: accessLevel,
  /**
   * Whether an OS version that is not known fits `osVersion`. By default it fits a rule that refuses and not one that
   * allows: a phone must not get in by not telling.
   */
  unknownVersionFits: z.boolean().optional(),
})

/** How many devices of one user get mail. */
export const deviceQuota = z.strictObject({
  perUser: z.int().min(1).max(100),
  /** A device that was not seen for this long no longer counts. */
  countedFor: duration.default(90 * 86_400_000),
  action: z.enum(['block', 'quarantine']).default('quarantine'),
})
