import { z } from 'zod'
import {
  accessLevel,
  allUsers,
  duration,
  groups,
  instant,
  refusal,
  share,
  whenWithoutFault,
} from './values.ts'
import { patterns, platformWord, somePatterns } from './device-match.ts'

const platformException = z
  .strictObject({ platform: platformWord.optional(), model: somePatterns.optional(), action: accessLevel })
  .refine(({ platform, model }) => platform !== undefined || model !== undefined, {
    error: 'expected a platform or a model',
    when: whenWithoutFault,
  })

const grandfathered = z.strictObject({
  /** Pairs that were seen before this ... */
  seenBefore: instant,
  /** ... go on without being judged until this. */
  until: instant,
})

/** What the two services differ in where the file says nothing. */
interface Defaults {
  readonly requireRegistration: boolean
  readonly windows: 'compliant' | 'domain-joined' | 'either'
  readonly blockedClients: readonly string[]
}

function accessRules({ requireRegistration, windows, blockedClients }: Defaults) {
  return z.strictObject({
    /**
     * off: conditional access is not asked, device rules and the default rule stand alone; report-only: judged, counted,
     * forwarded; enforce: refused.
     */
    mode: z.enum(['enforce', 'report-only', 'off']).default('enforce'),
    /** Who is judged: `all-users`, or group names. Everybody by default, so that an empty file opens nothing. */
    targetedGroups: groups.default([allUsers]),
    /** Who is not, even where a targeted group holds them too. */
    exemptedGroups: groups
      .refine((names) => !names.includes(allUsers), { error: 'to judge nobody, set mode: off' })
      .default([]),
    /** The share of the targeted users that is judged already; who that is hangs on the user's name alone. */
    rollout: share.default(1),
    grandfathered: grandfathered.optional(),

    /** For a device that no enrolled record matches. */
    notEnrolled: refusal.default('quarantine'),
    /** For an enrolled user's device whose EAS id no record has. */
    notActivated: refusal.default('quarantine'),
    /** For an enrolled device that the directory does not have as registered. */
    notRegistered: refusal.default('quarantine'),
    requireRegistration: z.boolean().default(requireRegistration),
    /** For an enrolled device that is found wanting: noncompliant, conflict, error, or a grace that is over. */
    noncompliant: refusal.default('block'),
    /** For a state that says nothing yet. A device that holds real mail is asked to come back instead. */
    complianceUnknown: refusal.default('quarantine'),
    /** For a device whose MDM never reported what a compliance policy asks for. */
    postureUnknown: refusal.default('quarantine'),
    /** What Graph's state configManager (Configuration Manager decides) stands for. */
    configManagerMeans: z.enum(['compliant', 'noncompliant', 'unknown']).default('unknown'),
    /**
     * For an enrolled device without a state to whose user no compliance policy is assigned. Without this key such a
     * device is noncompliant where the file has compliance policies, and of unknown compliance where it has none.
     */
    noCompliancePolicyMeans: z.enum(['compliant', 'noncompliant']).optional(),

    /** For platforms and versions that no MDM manages; `allow` rests on what the client claims. */
    unsupportedPlatforms: accessLevel.default('block'),
    /** What a Windows PC must be. */
    windows: z.enum(['compliant', 'domain-joined', 'either']).default(windows),
    /** Mail applications that are refused. */
    blockedClients: patterns.default([...blockedClients]),
    /** By family or model, beside the device rules below. */
    platformExceptions: z.array(platformException).default([]),
    /** For devices that are not judged, and for compliant ones where `overrideDefaultRule` is false. */
    defaultAccess: accessLevel.default('allow'),
    /** True: a compliant device gets in whatever `defaultAccess` says. */
    overrideDefaultRule: z.boolean().default(true),
    /**
     * True: a compliant device gets in whatever a platform exception or a device rule says. By default true online and
     * where `defaultAccess` refuses, as documented by the vendor. facts.md 1.2
     */
    compliantBeatsPlatformRule: z.boolean().optional(),
  })
}

/** What is done where a source cannot be asked. */
export const onSourceUnavailable = z.strictObject({
  /** For a device on record whose facts are older than `maxFactsAge`. */
  knownDevice: z.enum(['allow', 'block', 'quarantine', 'unavailable']).default('unavailable'),
  /** For a device of which nothing is known while a source was never read. */
  unknownDevice: z.enum(['allow', 'block', 'quarantine', 'unavailable']).default('unavailable'),
  /** How long facts hold that nobody confirms. */
  maxFactsAge: duration.optional(),
})

export const conditionalAccess = z.strictObject({
  onPremises: accessRules({
    requireRegistration: false,
    windows: 'compliant',
    blockedClients: ['Outlook mobile'],
  }).prefault({}),
  online: accessRules({ requireRegistration: true, windows: 'either', blockedClients: [] }).prefault({}),
})
