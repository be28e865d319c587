import type { Language } from '#config/languages.ts'
import type { Config } from '#config/schema.ts'
import { createClientIdentifier } from '#eas/client/identify-client.ts'
import { createQueryParser } from '#eas/query.ts'
import type { LoginRules } from '#eas/login.ts'
import type { Change } from '#directory/changes.ts'
import type { Lookup } from '#directory/lookup.ts'
import type { SeenPair } from '#directory/seen-pairs.ts'
import type { Sighting } from '#directory/sightings.ts'
import type { EnteredCode } from '#enrollment/codes.ts'
import { createEnrollment } from '#enrollment/enrollment.ts'
import { createEnrollmentLinks } from '#enrollment/links.ts'
import type { AllPageTexts } from '#enrollment/texts.ts'
import { compilePolicy } from '#policy/compile.ts'
import type { PolicyVersion } from '#policy/explanation.ts'
import type { Policy } from '#policy/schema.ts'
import { whyOf } from '#quarantine/notice.ts'
import type { NoticeTexts } from '#quarantine/notice-texts.ts'
import { logOutcome, type Logger } from '#telemetry/log.ts'
import type { Metrics } from '#telemetry/metrics.ts'
import type { Outcome } from '#telemetry/outcome.ts'
import { createAuthenticator } from './authenticate.ts'
import { createAutodiscover } from './autodiscover/autodiscover.ts'
import { certificateUser } from './edge/certificate.ts'
import { createAddressBook } from './edge/client-address.ts'
import { atMost } from './at-most.ts'
import { createEnrollRoute, createStanding } from './enroll.ts'
import { createListener } from './edge/listener.ts'
import type { CurrentPolicy } from './exchange.ts'
import { createMailbox } from './mailbox.ts'
import { createParked } from './parked.ts'
import { createPassthrough } from './passthrough/passthrough.ts'
import { createPipeline } from './pipeline.ts'
import { createProvisionAsks } from './refuse.ts'
import { createBackendRouter } from './routing.ts'
import { createSecondLook, type LookUpNow } from './second-look.ts'
import type { Tracing } from './trace.ts'
import { createUpstreams, type Upstreams } from './upstreams.ts'

/** A policy as it was read, before it is compiled. */
export interface PolicyInForce extends PolicyVersion {
  readonly value: Policy
}

/** What may change of the quarantine mailbox while it is served. */
export interface QuarantineInForce {
  readonly texts: NoticeTexts
  /** Since when pairs that have mail are kept from it, as too many turned refused at once; ms since the epoch. */
  readonly heldSince?: number
}

/** What may change of the pages that lead to enrolment while they are served. */
export interface EnrollmentInForce {
  readonly texts: AllPageTexts
  /** Of the message on the phone, for the same words why a device gets no mail. */
  readonly notices: Readonly<Record<Language, NoticeTexts>>
}

/** What those pages need of the store, and of its owner. */
export interface EnrollmentDeps {
  /** Of the store: 32 bytes. */
  readonly key: Uint8Array
  /** Finds a pair by its id. */
  readonly seenPair: (pairId: string) => SeenPair | undefined
  readonly makeCode: (pairId: string) => Promise<string | undefined>
  readonly enterCode: (code: string, address: string) => Promise<EnteredCode>
}

export interface ProxyOptions {
  readonly config: Config
  readonly policy: PolicyInForce
  readonly lookup: Lookup
  readonly metrics: Metrics
  readonly log: Logger
  readonly lookUpNow: LookUpNow
  readonly tracing: Tracing
  readonly quarantine: QuarantineInForce
  readonly enrollment: EnrollmentInForce
  readonly enrollmentDeps: EnrollmentDeps
  /** Of the store, for the quarantine mailbox: 32 bytes. */
  readonly signingKey: Uint8Array
  /** How many workers there are, this one included: they share what the whole node may do in a second. */
  readonly workers: number
  /** Every finished request, beside log and metrics. */
  readonly onOutcome?: (outcome: Outcome, sighting: Sighting | undefined) => void
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

/** One worker's proxy: listener, pools, caches, parked requests. */
export interface Proxy {
  readonly upstreams: Upstreams
  /** Resolves with the port of the listener. */
  readonly start: () => Promise<number>
  /** From this call on, the next decision sees the changes; what is open is re-decided. */
  readonly apply: (changes: readonly Change[]) => void
  readonly setPolicy: (policy: PolicyInForce) => void
  /** What waits in quarantine is told of it. */
  readonly setQuarantine: (quarantine: QuarantineInForce) => void
  readonly setEnrollment: (enrollment: EnrollmentInForce) => void
  readonly close: () => Promise<void>
}

/** How long a person waits for a check of a device. */
const checkWaitMs = 8000

/** Puts the parts together; nothing listens before `start`. */
export function createProxy(options: ProxyOptions): Proxy {
  const { config, lookup, metrics, log } = options
  const now = options.now ?? Date.now
  let policy = inForce(options.policy)
  let { quarantine, enrollment } = options
  metrics.policyRevision.set(policy.revision)

  const upstreams = createUpstreams({
    backends: config.backends,
    connectSeconds: config.limits.connectSeconds,
    metrics,
    log,
  })
  const addresses = createAddressBook(config.listen.trustedProxies)
  const parked = createParked({
    metrics,
    maxWaiting: config.quarantine.maxParked,
    releasePerSecond: config.quarantine.releasePerSecond / options.workers,
    now,
  })
  const authenticator = createAuthenticator(upstreams, config.limits)
  const backendOf = createBackendRouter(upstreams.backends, config.routing)
  const secure = config.listen.tls !== undefined
  let port = 0
  const publicUrl = () => config.listen.publicUrl ?? ownUrl(config.listen.address, port, secure)

  const enrollmentUrl = () => config.enrollment.publicUrl ?? `${publicUrl()}/easgate/enroll/`
  const { key, seenPair, makeCode, enterCode } = options.enrollmentDeps
  const links = createEnrollmentLinks({
    key,
    publicUrl: enrollmentUrl,
    linkDays: config.enrollment.linkDays,
    seenPair,
  })

  const passthrough = createPassthrough({
    prefixes: config.routing.passthrough,
    backend: backendOf(undefined),
    limits: config.limits,
    upstreams,
    addresses,
    secure,
    publicUrl,
  })
  const observe = (outcome: Outcome, sighting: Sighting | undefined) => {
    metrics.observe(outcome)
    logOutcome(log, outcome)
    options.onOutcome?.(outcome, sighting)
  }
  const judging = { lookup, identifyClient: createClientIdentifier(), backendOf, policy: () => policy, now }
  const pages = createEnrollment({
    ...config.enrollment,
    texts: () => enrollment.texts,
    why: (language, reason) => whyOf(enrollment.notices[language], reason),
    links,
    publicUrl: enrollmentUrl,
    standing: createStanding(judging),
    lookUp: async ({ user, deviceId }) =>
      (await atMost(checkWaitMs, options.lookUpNow(user, deviceId))) ?? 'failed',
    makeCode,
    enterCode,
    now,
  })
  const walk = createPipeline({
    ...judging,
    quarantineHeldSince: () => quarantine.heldSince,
    readQuery: createQueryParser(),
    loginRules: loginRulesOf(config.identity),
    certificateOf: ({ req }) => certificateUser(req.socket),
    passthroughPrefixes: config.routing.passthrough,
    addresses,
    act: {
      forward: { upstreams, parked, authenticator, addresses, limits: config.limits, publicUrl, secure },
      refuse: {
        authenticator,
        provisionAsks: createProvisionAsks(now),
        secondLook: createSecondLook(options.lookUpNow),
        mailbox: createMailbox({
          parked,
          signingKey: options.signingKey,
          texts: () => quarantine.texts,
          linkFor: links.linkFor,
          now,
        }),
      },
      autodiscover: createAutodiscover({ upstreams, addresses, publicUrl, secure, limits: config.limits }),
      enroll: createEnrollRoute(pages),
      passthrough: passthrough.handle,
      enrollmentUrl: config.enrollment.publicUrl,
    },
    observe,
    tracing: options.tracing,
    log,
  })
  const listener = createListener({
    listen: config.listen,
    limits: config.limits,
    walk,
    observe: (outcome) => observe(outcome, undefined),
    policyRevision: () => policy.revision,
    upgrade: passthrough.upgrade,
  })

  return {
    upstreams,
    start: async () => {
      port = await listener.start()
      return port
    },
    apply: (changes) => {
      for (const change of changes) lookup.apply(change)
      parked.apply(changes)
    },
    setPolicy: (next) => {
      policy = inForce(next)
      metrics.policyRevision.set(next.revision)
      parked.apply([{ kind: 'policy', revision: next.revision }])
    },
    setEnrollment: (next) => {
      enrollment = next
    },
    setQuarantine: (next) => {
      quarantine = next
      parked.apply([{ kind: 'policy', revision: policy.revision }])
    },
    close: async () => {
      parked.close()
      passthrough.close()
      await listener.close()
      await upstreams.close()
    },
  }
}

/** Compiled once per load, not per request. */
function inForce(policy: PolicyInForce): CurrentPolicy {
  return { ...policy, value: compilePolicy(policy.value) }
}

/** The config section as `eas/` reads it. NetBIOS names compare without case. */
export function loginRulesOf({ defaultDomain, domains }: Config['identity']): LoginRules {
  return {
    defaultDomain,
    domains: new Map(Object.entries(domains).map(([name, suffix]) => [name.toLowerCase(), suffix])),
  }
}

/** Where no `publicUrl` is configured, phones are told the address that we listen on. */
function ownUrl(address: string, port: number, secure: boolean): string {
  return `${secure ? 'https' : 'http'}://${address.slice(0, address.lastIndexOf(':'))}:${port}`
}
