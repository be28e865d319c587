import { z } from 'zod'
import { protocolVersions } from '#eas/versions.ts'
import { share } from '#policy/schema/values.ts'
import { languages } from './languages.ts'
import { source } from './sources.ts'
import { hostPort, link, path, seconds } from './values.ts'

const origin = z
  .url({ protocol: /^https?$/, error: 'expected an http:// or https:// URL' })
  .refine(
    (text) => /^https?:\/\/[^/?#@]+\/?$/.test(text),
    'expected scheme, host and port only, such as https://mail.example.com',
  )
  .transform((text) => new URL(text).origin)

const domain = z
  .string()
  .toLowerCase()
  .regex(/^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/, 'expected a domain such as example.com')

const tlsVersion = z.enum(['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']).default('TLSv1.2')
const days = z.int().min(1).max(3650)

const listen = z.strictObject({
  address: hostPort.default('127.0.0.1:8080'),
  /** How phones reach this proxy, for what Autodiscover and 451 hand out. Default: scheme and address of the listener. */
  publicUrl: origin.optional(),
  tls: z
    .strictObject({
      certFile: path,
      keyFile: path,
      minVersion: tlsVersion,
      /** CA of client certificates; needed unless `clientCertificates` is off. */
      clientCaFile: path.optional(),
      clientCertificates: z.enum(['off', 'optional', 'required']).default('off'),
    })
    .optional(),
  /** Peers whose X-Forwarded-For and PROXY header are believed: addresses or CIDR ranges. */
  trustedProxies: z
    .array(
      z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], {
        error: 'expected an address or a range such as 10.0.0.0/8',
      }),
    )
    .default([]),
  /** required: every connection starts with a PROXY protocol header (v1 or v2), from a trusted proxy only. */
  proxyProtocol: z.enum(['off', 'required']).default('off'),
})

const admin = z.strictObject({
  address: hostPort.default('127.0.0.1:9090'),
  /** Bearer token for /api and the console; a must off loopback. */
  tokenFile: path.optional(),
  /** Bearer token for /metrics, where scrapers shall not hold the admin token. */
  metricsTokenFile: path.optional(),
})

const limits = z.strictObject({
  /** Bodies up to this declared length are sent whole, larger ones streamed. */
  bufferedBodyBytes: z.int().min(0).max(1_048_576).default(65_536),
  /** Largest body that is forwarded at all; Exchange's own limit for EAS is below it. */
  maxBodyBytes: z.int().min(1024).default(104_857_600),
  /** A client must send its header block within this time. */
  headersSeconds: seconds.default(30),
  /** ... and its body within this. */
  requestSeconds: seconds.default(300),
  /** Wait for the backend's answer to a command that does not park. */
  upstreamSeconds: seconds.default(300),
  /** Wait for a connection to a server of the backend. */
  connectSeconds: seconds.default(5),
  /** Wait for the answer to a proof of credentials. */
  proofSeconds: seconds.default(10),
  /** Facts held in memory by each worker. */
  cachedDevices: z.int().min(100).default(100_000),
})

const backend = z.strictObject({
  kind: z.enum(['exchange-on-premises', 'exchange-online', 'simulator']),
  /** Servers of one CAS array, as origins. A simulator without servers is started by easgate itself. */
  servers: z.array(origin).default([]),
  /** The oldest EAS protocol that the servers speak. Default: 16.1 for exchange-online, else 2.5. */
  minProtocolVersion: z.enum(protocolVersions).optional(),
  /** CA that signs the servers' certificates, instead of the well-known ones. */
  caFile: path.optional(),
  tlsMinVersion: tlsVersion,
  /**
   * healthcheck: GET /Microsoft-Server-ActiveSync/healthcheck.htm answers 200 (Exchange 2013 and later).
   * options: an unauthenticated OPTIONS answers 401 (Exchange 2010, Exchange Online).
   */
  health: z.enum(['healthcheck', 'options']).optional(),
  healthSeconds: seconds.default(10),
})

const passthroughPrefix = z
  .string()
  .regex(
    /^\/[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*\/?$/,
    'expected a path such as /owa, of letters, digits, - and _',
  )
  .refine((text) => !/^\/(?:microsoft-server-activesync|autodiscover|easgate)(?:\/|$)/i.test(text), {
    error: 'this path is judged by easgate itself and cannot be passed through',
  })

/** What a phone without access finds in the place of its mail. */
const quarantine = z.strictObject({
  /** Of the built-in texts of the message. */
  language: z.enum(languages).default('en'),
  /** Texts of one's own in the place of built-in ones; read again with the policy. */
  textsFile: path.optional(),
  /** Waiting requests that are answered in a second because their device is let in; each device then syncs all anew. */
  releasePerSecond: z.int().min(1).max(10_000).default(20),
  /** Share of the devices in use that may turn refused within 10 minutes before none of them loses its mail by it. */
  alarmShare: share.default(0.2),
  /** Waiting requests of refused devices that each worker holds; beyond them a phone is asked to come back later. */
  maxParked: z.int().min(1).max(1_000_000).default(20_000),
})

const enrollmentPath = /^https?:\/\/[^/?#@]+\/easgate\/enroll\/?$/

const enrollment = z.strictObject({
  /** The enrolment page of this proxy as phones reach it: links lead there, and browsers on the EAS path are sent there. */
  publicUrl: link
    .refine(
      (text) => enrollmentPath.test(text),
      'expected the page of this proxy, such as https://mail.example.com/easgate/enroll/',
    )
    .transform((text) => (text.endsWith('/') ? text : `${text}/`))
    .optional(),
  /** The MDM's own enrolment, which the page links to. */
  url: link.optional(),
  /** The same for one system. */
  urls: z.strictObject({ iOS: link, Android: link, Windows: link }).partial().default({}),
  /** Of the pages, for a browser that wants none of the languages that there are. */
  language: z.enum(languages).default('en'),
  /** By language, files with texts of one's own in the place of built-in ones; read again with the policy. */
  textsFiles: z.partialRecord(z.enum(languages), path).default({}),
  /** How long the link in the message stays the same; a new one makes a new message on the phone. */
  linkDays: z.int().min(1).max(365).default(14),
})

/** The config file. Unknown keys are faults; every text may hold ${ENV}. */
export const configSchema = z.strictObject({
  listen: listen.prefault({}),
  admin: admin.prefault({}),
  workers: z
    .union([z.literal('auto'), z.int().min(1).max(256)], {
      error: 'expected auto, or a whole number from 1 to 256',
    })
    .default(1),
  limits: limits.prefault({}),
  store: z
    .strictObject({
      path: path.default('./data/easgate.db'),
      retention: z
        .strictObject({
          sightingsDays: days.default(400),
          tracesDays: days.default(30),
          auditDays: days.default(400),
          countersDays: days.default(90),
          outboxDays: days.default(7),
        })
        .prefault({}),
    })
    .prefault({}),
  identity: z
    .strictObject({
      /** UPN suffix of a bare user name. */
      defaultDomain: domain.optional(),
      /** NetBIOS domain, in lower case here -> UPN suffix. */
      domains: z.record(z.string().toLowerCase(), domain).default({}),
    })
    .prefault({}),
  backends: z.record(z.string(), backend),
  routing: z.strictObject({
    default: z.string(),
    rules: z
      .array(z.strictObject({ group: z.string().min(1).toLowerCase(), backend: z.string() }))
      .default([]),
    passthrough: z.array(passthroughPrefix).default([]),
  }),
  sources: z.array(source).default([]),
  policy: z.strictObject({ file: path.default('config/policy.yaml') }).prefault({}),
  quarantine: quarantine.prefault({}),
  enrollment: enrollment.prefault({}),
  log: z
    .strictObject({ level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info') })
    .prefault({}),
})

/** The config in force, checked and frozen. */
export type Config = z.infer<typeof configSchema>
export type BackendConfig = Config['backends'][string]
