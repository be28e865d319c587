import { z } from 'zod'

/*
 * The scenario of the double: one JSON file, checked by this schema. Every key has a default, so `{}` is a tenant with
 * one good app and nobody in it.
 *
 * What is there (fixed at the start; records are changed later by the control endpoint):
 *   tenant             id and domain, either of which the token endpoint takes
 *   apps               who may sign in: secrets, certificates (PEM), and the application permissions granted
 *   generated          devices and users made from a seed, on the fly. By number n of the device:
 *                        n % 25 = 24  a record of Exchange alone (agent eas) beside device n - 1: its easDeviceId in
 *                                     lower case, its user
 *                        n % 10 = 3   easDeviceId '' or null (not beside a record of Exchange)
 *                        n % 10 = 5   easDeviceId with hyphens
 *                        n % 50 = 7   lastSyncDateTime null; = 8 year 0001
 *                        n % 100 = 42 no user
 *                      any other is of user n modulo `users`. States, agents and dates are spread over all words of
 *                      Graph, one word that no version knows among them, and null, year 0001 and year 9999. Each device
 *                      with an azureADDeviceId has a directory device. `asOf`: no date is later, those of grace and
 *                      year 9999 aside.
 *   managedDevices     records laid over a compliant iPhone, after the generated ones; anything may stand in a field
 *   users              need a userPrincipalName, the rest is filled in
 *   groups             members are named by UPN or id of a user, or id or display name of a group; `generatedUsers` are
 *                      those with the numbers from..to, without `to`
 *   directoryDevices   records laid over a registered phone
 *   policyStates       deviceCompliancePolicyStates by id of the managed device
 *   conditionalAccessSettings, exchangeOnPremisesPolicy
 *
 * How Graph behaves (`behaviour`; each section is replaced by itself while the double runs):
 *   token      lifetime of a token
 *   forbidden  which of Intune's two shapes a 403 has
 *   lists      lies of the list calls named by `routes`: how large a page may be, what becomes of a larger $top, empty
 *              pages (every nth), a page whose nextLink leads to itself, the share of records that is left out without
 *              a word, another origin in nextLink. `routes` may name all lists; of transitiveMembers and
 *              transitiveMemberOf only the page size and the loop are told
 *   filters    properties of managedDevice that $filter heeds (others are ignored in silence and match everything),
 *              and whether an empty userPrincipalName matches everything
 *   index      frozen: reads with ConsistencyLevel: eventual see memberships as they were when it froze
 *   delta      members or devices a page, items that repeat, how an expired token is answered
 *   throttle   calls, or units of cost, per sliding window; calls that are refused count too
 *   faults     answers that break, by route, after so many calls and so many times; the first that fits is used
 *   latencyMs  before every answer of Graph
 */

/** The calls that the double knows, as faults, counts and waits name them. */
export const routeNames = [
  'token',
  'managedDevices',
  'managedDevice',
  'userManagedDevices',
  'deviceCompliancePolicyStates',
  'conditionalAccessSettings',
  'exchangeOnPremisesPolicy',
  'users',
  'user',
  'transitiveMemberOf',
  'checkMemberGroups',
  'groups',
  'group',
  'transitiveMembers',
  'groupsDelta',
  'devices',
  'device',
  'devicesDelta',
  'other',
] as const

export type RouteName = (typeof routeNames)[number]

/** Every permission that a call of the double asks for. */
export const allPermissions = [
  'DeviceManagementManagedDevices.Read.All',
  'DeviceManagementServiceConfig.Read.All',
  'User.Read.All',
  'GroupMember.Read.All',
  'Device.Read.All',
] as const

/** Tenant, app and secret of a scenario that names none. */
export const defaults = {
  tenantId: '3f8a2f6e-6d0c-4c2b-9d0e-5a7d0c6b1e10',
  domain: 'contoso.example',
  clientId: '5c1d2b8a-0e57-4f5e-8a3d-2f0c9b7e4d21',
  clientSecret: 'Q~double-secret',
} as const

const guid = z.guid().toLowerCase()
const route = z.enum(routeNames)
const count = z.int().min(0)
const record = z.record(z.string(), z.json())

/** One app registration. */
export const appSchema = z.strictObject({
  clientId: guid.default(defaults.clientId),
  secrets: z
    .array(z.strictObject({ value: z.string(), expired: z.boolean().default(false) }))
    .default([{ value: defaults.clientSecret, expired: false }]),
  certificates: z.array(z.string()).default([]),
  permissions: z.array(z.string()).default([...allPermissions]),
})

const group = z.strictObject({
  id: guid,
  displayName: z.string(),
  members: z.array(z.string()).default([]),
  generatedUsers: z.strictObject({ from: count, to: count }).optional(),
})

const window = z.strictObject({ limit: z.int().min(1), windowSeconds: z.number().positive() })

/** Limits by scope. Those of `identity` are units of cost; without them the size of the tenant decides. */
const throttle = z.strictObject({
  intuneApp: window.default({ limit: 2000, windowSeconds: 20 }),
  intuneTenant: window.default({ limit: 4000, windowSeconds: 20 }),
  identity: window.optional(),
  graph: window.default({ limit: 130_000, windowSeconds: 10 }),
  retryAfter: z.enum(['seconds', 'missing']).default('seconds'),
})

const fault = z.strictObject({
  route,
  /** Calls of the route, from when the fault was set, that are let through first. */
  after: count.default(0),
  /** Calls that meet it then; without it, all. */
  times: z.int().min(1).optional(),
  does: z.discriminatedUnion('kind', [
    /** An error in Graph's shape; without `retryAfterSeconds` there is no such header. */
    z.strictObject({
      kind: z.literal('status'),
      status: z.int().min(400).max(599),
      retryAfterSeconds: count.optional(),
    }),
    /** The connection breaks before the head, or in the middle of the body. */
    z.strictObject({ kind: z.literal('cut'), where: z.enum(['head', 'body']) }),
    /** A whole answer as HTTP has it, of half the JSON. */
    z.strictObject({ kind: z.literal('truncated') }),
    /** A page of HTML with status 200. */
    z.strictObject({ kind: z.literal('html') }),
    z.strictObject({ kind: z.literal('latency'), latencyMs: count }),
    /** No answer before the control endpoint releases it. */
    z.strictObject({ kind: z.literal('hang') }),
  ]),
})

const lists = z.strictObject({
  routes: z.array(route).default(['managedDevices', 'userManagedDevices']),
  maxPageSize: z.int().min(1).optional(),
  oversizedTop: z.enum(['cut', 'ignore', 'refuse']).default('cut'),
  emptyPageEvery: z.int().min(2).optional(),
  /** Counted from 0. */
  loopAtPage: count.optional(),
  droppedShare: z.number().min(0).max(1).default(0),
  nextLinkOrigin: z.url().optional(),
})

const filters = z.strictObject({
  supported: z
    .array(z.string())
    .default([
      'id',
      'userId',
      'userPrincipalName',
      'emailAddress',
      'deviceName',
      'serialNumber',
      'azureADDeviceId',
      'operatingSystem',
      'complianceState',
      'managementAgent',
      'managedDeviceOwnerType',
      'lastSyncDateTime',
      'enrolledDateTime',
    ]),
  emptyUserMatchesAll: z.boolean().default(true),
})

const delta = z.strictObject({
  pageSize: z.int().min(1).default(1000),
  repeatItems: z.boolean().default(false),
  /** Graph's overview says 410, its directory answers 400 with the code syncStateNotFound. */
  expiredStatus: z.union([z.literal(410), z.literal(400)]).default(410),
})

/** How Graph behaves, with nothing left out. */
export const behaviourSchema = z.strictObject({
  token: z.strictObject({ lifetimeSeconds: z.int().min(1).default(3599) }).prefault({}),
  forbidden: z.enum(['forbidden', 'unknown-error']).default('forbidden'),
  lists: lists.prefault({}),
  filters: filters.prefault({}),
  index: z.enum(['current', 'frozen']).default('current'),
  delta: delta.prefault({}),
  throttle: throttle.prefault({}),
  faults: z.array(fault).default([]),
  latencyMs: count.default(0),
})

/** The whole file. */
export const scenarioSchema = z.strictObject({
  tenant: z
    .strictObject({ id: guid.default(defaults.tenantId), domain: z.string().default(defaults.domain) })
    .prefault({}),
  apps: z.array(appSchema).default([appSchema.parse({})]),
  generated: z
    .strictObject({
      devices: count.default(0),
      users: count.default(0),
      seed: z.int().default(1),
      asOf: z.iso.datetime().default('2026-01-01T00:00:00Z'),
    })
    .refine(({ devices, users }) => devices === 0 || users > 0, 'generated devices need generated users')
    .prefault({}),
  managedDevices: z.array(record).default([]),
  users: z.array(record.and(z.object({ userPrincipalName: z.string() }))).default([]),
  groups: z.array(group).default([]),
  directoryDevices: z.array(record).default([]),
  policyStates: z.record(z.string(), z.array(record)).default({}),
  conditionalAccessSettings: record.default({
    enabled: false,
    includedGroups: [],
    excludedGroups: [],
    overrideDefaultRule: false,
  }),
  exchangeOnPremisesPolicy: record.default({
    notificationContent: null,
    defaultAccessLevel: 'none',
    accessRules: [],
    knownDeviceClasses: [],
  }),
  behaviour: behaviourSchema.prefault({}),
})

export type Scenario = z.infer<typeof scenarioSchema>
/** As a test writes it: every key may be left out. */
export type ScenarioInput = z.input<typeof scenarioSchema>
export type Behaviour = Scenario['behaviour']
export type BehaviourInput = z.input<typeof behaviourSchema>
export type App = Scenario['apps'][number]
export type Fault = Behaviour['faults'][number]
/** One record of Graph, as JSON. */
export type Entity = z.infer<typeof record>
export type Json = Entity[string]
