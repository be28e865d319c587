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

/** An administrator's word on one pair of user and device. */
export interface Override {
  readonly action: 'allow' | 'block'
  /** When it ends, ms since the epoch; absent: never. */
  readonly until?: number
  /** Of an allow: the user's other devices are refused. */
  readonly exclusive: boolean
  readonly note: string
}

/** Another device of the user that was allowed alone. */
export interface ExclusiveAllow {
  readonly deviceKey: string
  readonly until?: number
}

/** Another device of the user that was served mail. Times are ms since the epoch. */
export interface OtherDevice {
  readonly firstSeenAt: number
  readonly lastSeenAt: number
}

/** What is remembered of the pair itself, from sightings. Times are ms since the epoch. */
export interface PairHistory {
  /** What the client said of its device in Settings or Provision: often the only place where its OS stands. */
  readonly information?: DeviceInformation
  /** Exchange served this pair real mail once (or it was imported from Exchange). */
  readonly allowedBefore: boolean
  /** When the pair was last asked to provision so that a wipe can reach it. */
  readonly provisionAskedAt?: number
  readonly firstSeenAt?: number
  /** Since when it is refused; absent where it was not refused when it was last seen. */
  readonly refusedSince?: number
  /** Since when our own compliance policies, not the MDM's verdict, find the device wanting: its grace runs from here. */
  readonly noncompliantSince?: number
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
  /** What an administrator said of this pair; an ended one may still stand here. */
  readonly override?: Override
  /** The user's exclusive allows on other devices; ended ones may still stand here. */
  readonly exclusiveAllows: readonly ExclusiveAllow[]
  /** The user's other devices that were served mail, oldest first, at most 100. */
  readonly otherDevices: readonly OtherDevice[]
  /** Groups of the policy that their source never read completely: who is in them is not known. */
  readonly unreadGroups: readonly string[]
  /** Highest store revision among what was read. */
  readonly revision: number
}
