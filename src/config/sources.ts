import { z } from 'zod'
import { share } from '#policy/schema/values.ts'
import { fieldPath, httpMapping } from './http-mapping.ts'
import { intuneSource } from './intune-source.ts'
import { hostPort, interval, link, path, seconds } from './values.ts'

/** An http:// or https:// URL with {user} or {deviceId} behind the host. */
const lookupUrl = z
  .string()
  .regex(/^https?:\/\/[^/?#{}\s]+[/?]\S*$/, 'expected an http:// or https:// URL')
  .refine((text) => /\{(?:user|deviceId)\}/.test(text), { error: 'expected {user} or {deviceId} in it' })
  .refine((text) => !/[{}#]/.test(text.replaceAll(/\{(?:user|deviceId)\}/g, '')), {
    error: 'expected no other placeholders than {user} and {deviceId}, and no #',
  })

const headerName = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'expected the name of a header')
const headerValue = z.string().regex(/^[\x20-\x7e]*$/, 'expected printable ASCII characters')

const httpSource = z.strictObject({
  kind: z.literal('http'),
  /** Asked for one device, when a refused one comes back. */
  lookupUrl: lookupUrl.optional(),
  /** Asked for all devices, page by page. */
  bulkUrl: link.optional(),
  /** From one reading of all devices to the next. */
  interval: interval.prefault('15m'),
  /** Where the list of records, or the one record, stands in an answer; `.` is the answer itself. */
  records: fieldPath.default('.'),
  /** ... in the answer to a look-up, where that differs. */
  lookupRecords: fieldPath.optional(),
  /** Where the URL of the next page stands. Without it, that of the Link header is followed. */
  nextPath: fieldPath.optional(),
  mapping: httpMapping,
  headers: z.record(headerName, headerValue).default({}),
  /** Holds a token, sent as `Authorization: Bearer`, or as the value of `tokenHeader`. Read for each request. */
  tokenFile: path.optional(),
  tokenHeader: headerName.optional(),
  basic: z.strictObject({ user: z.string().min(1), passwordFile: path }).optional(),
  /** Client certificate and its key, PEM. */
  certFile: path.optional(),
  keyFile: path.optional(),
  /** CA of the server's certificate, instead of the well-known ones. */
  caFile: path.optional(),
  /** Wait for a connection, and for a whole answer. */
  timeoutSeconds: seconds.default(10),
  lookupsPerSecond: z.int().min(1).max(1000).default(10),
  /** A reading that lists fewer devices than before by more than this share removes none. */
  maxDrop: share.prefault('20%'),
})

const pushSource = z.strictObject({
  kind: z.literal('push'),
  /** A listener of its own, that has POST /facts and nothing else. */
  address: hostPort,
  tls: z.strictObject({ certFile: path, keyFile: path }).optional(),
  /** Secrets of the senders, one a line: two while one is exchanged for another. Read for each push. */
  hmacSecretFile: path,
})

/** Where facts of users and devices come from. */
export const source = z.discriminatedUnion('kind', [
  /** Device facts from a CSV or JSON file, re-read when it changes. */
  z.strictObject({ kind: z.literal('file'), path }),
  /** Microsoft Intune, through Microsoft Graph. */
  intuneSource,
  /** Any MDM that answers JSON over HTTP. */
  httpSource,
  /** Signed webhooks of an MDM that reaches us, where we cannot or shall not reach it. */
  pushSource,
])

export type SourceConfig = z.infer<typeof source>
export type HttpSourceConfig = z.infer<typeof httpSource>
export type PushSourceConfig = z.infer<typeof pushSource>
