import type { DeviceInformation } from '#eas/device-information.ts'

/**
 * What the decision knows. Facts are what sources said, merged on read; nothing here is a verdict. A field that no
 * source gave is absent, and an absent field never means allow.
 */

/** One device as the sources know it. Times are milliseconds since the epoch. */
export interface DeviceFacts {
  readonly enrolled?: boolean
  /** Registered in the directory (Graph: deviceRegistrationState registered). */
  readonly registered?: boolean
  /** An enrolled record carries this EAS device id. */
  readonly activated?: boolean
  /** Graph's enum as text; values are evolvable, so a string this version does not know stays a string. */
  readonly complianceState?: string
  readonly graceUntil?: number
  readonly platform?: string
  readonly osVersion?: string
  readonly model?: string
  readonly ownership?: string
  readonly jailbroken?: boolean
  readonly encrypted?: boolean
  readonly passcode?: boolean
  readonly emailProfileManaged?: boolean
  readonly wipePending?: boolean
  readonly lastCheckIn?: number
  /** Graph's deviceRegistrationState, managementAgent and partnerReportedThreatState as text, for who has no verdict. */
  readonly registrationState?: string
  readonly managementAgent?: string
  readonly threatState?: string
  /** A Windows PC joined to the organisation's own domain (Graph: trustType ServerAd). */
  readonly domainJoined?: boolean
}

/** One directory identity. `user` (the UPN) and `groups` are in lower case, as the policy's groups are. */
export interface UserFacts {
  readonly user: string
  readonly groups: readonly string[]
}

/** Where a device record came from, for explain and the age rules. */
export interface FactsOrigin {
  /** Sources that gave at least one field, in order of precedence. */
  readonly sources: readonly string[]
  /** When the oldest of them was last confirmed, ms since the epoch. */
  readonly asOf: number
}

/** What is remembered of the pair itself, from sightings. */
export interface PairHistory {
  /** What the client said of its device in Settings or Provision: often the only place where its OS stands. */
  readonly information?: DeviceInformation
  /** Exchange served this pair real mail once (or it was imported from Exchange). */
  readonly allowedBefore: boolean
  /** When the pair was last asked to provision so that a wipe can reach it, ms since the epoch. */
  readonly provisionAskedAt?: number
}

/** Everything `decide` may look at besides the request, the policy and the clock. */
export interface Facts {
  /** Absent: no directory entry resolves the login. It counts as targeted and not exempt. */
  readonly user?: UserFacts
  /** Absent: no record of this device id under this user. */
  readonly device?: DeviceFacts & { readonly origin: FactsOrigin }
  /** The id is on record under another user and not under this one. */
  readonly otherOwner: boolean
  /** The user has an enrolled device, whatever its id. */
  readonly userHasEnrolledDevice: boolean
  /** Every configured source was read completely at least once; until then an absence proves nothing. */
  readonly sourcesComplete: boolean
  readonly history: PairHistory
  /** Highest store revision among what was read. */
  readonly revision: number
}
