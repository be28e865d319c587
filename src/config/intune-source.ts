import { z } from 'zod'
import { share } from '#policy/schema/values.ts'
import { interval, isLoopback, path } from './values.ts'

/** The ids of a managed device that a phone may present as its EAS device id. */
export const matchKeys = ['easDeviceId', 'managedDeviceId', 'azureADDeviceId', 'serialNumber'] as const

export type MatchKey = (typeof matchKeys)[number]

/** Scheme and host of a cloud service. The app's secret goes there, so in plain text only within this machine. */
const serviceUrl = z
  .url({ protocol: /^https?$/, error: 'expected an https:// URL' })
  .refine((text) => /^https?:\/\/[^/?#@]+\/?$/.test(text), {
    error: 'expected scheme and host only, such as https://graph.microsoft.com',
    abort: true,
  })
  .transform((text) => new URL(text))
  .refine(({ protocol, hostname }) => protocol === 'https:' || isLoopback(`${hostname}:80`), {
    error: 'expected https: a secret goes there',
  })
  .transform(({ origin }) => origin)

/** Microsoft Intune, read through Microsoft Graph as an app of the tenant. */
export const intuneSource = z
  .strictObject({
    kind: z.literal('intune'),
    /** Id or domain of the tenant. */
    tenantId: z
      .string()
      .regex(
        /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/,
        'expected the id of the tenant, or a domain such as contoso.onmicrosoft.com',
      ),
    clientId: z.guid({ error: 'expected the application (client) id: a GUID' }).toLowerCase(),
    /** A file with the app's secret; or certificate and key, PEM. Read anew for each token. */
    clientSecretFile: path.optional(),
    clientCertificateFile: path.optional(),
    clientKeyFile: path.optional(),
    graphUrl: serviceUrl.prefault('https://graph.microsoft.com'),
    authorityUrl: serviceUrl.prefault('https://login.microsoftonline.com'),
    /** Between two readings of what has changed. */
    interval: interval.prefault('1m'),
    /** Between two readings of everything. */
    sweepInterval: interval.prefault('15m'),
    /** Which of its ids a phone may present, in order. */
    matchBy: z
      .array(z.enum(matchKeys))
      .min(1)
      .refine((keys) => new Set(keys).size === keys.length, 'expected each id once')
      .default([...matchKeys]),
    /** Records a page. */
    pageSize: z.int().min(1).max(1000).default(500),
    /** A reading that lists fewer than before by more than this share removes nothing. */
    maxDrop: share.prefault('20%'),
  })
  .superRefine(({ clientSecretFile, clientCertificateFile, clientKeyFile }, context) => {
    const needed = 'needed: clientSecretFile, or clientCertificateFile and clientKeyFile'
    const both = 'expected a secret or a certificate, not both'
    const fault = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message })
    if (clientSecretFile !== undefined) {
      if (clientCertificateFile !== undefined) fault('clientCertificateFile', both)
      if (clientKeyFile !== undefined) fault('clientKeyFile', both)
      return
    }
    if (clientCertificateFile === undefined && clientKeyFile === undefined) fault('clientSecretFile', needed)
    else if (clientCertificateFile === undefined)
      fault('clientCertificateFile', 'needed beside clientKeyFile')
    else if (clientKeyFile === undefined) fault('clientKeyFile', 'needed beside clientCertificateFile')
  })

export type IntuneSourceConfig = z.infer<typeof intuneSource>
