import { z } from 'zod'

/** An address to listen on, such as 127.0.0.1:8080 or [::1]:8080. */
export const hostPort = z
  .string()
  .regex(/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/, 'expected host:port, such as 127.0.0.1:8080')
  .refine(
    (text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65535,
    'expected a port of at most 65535',
  )

/** True for a host:port that only this machine reaches. */
export function isLoopback(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(':'))
  return host === 'localhost' || host === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}

/** An http:// or https:// URL. */
export const link = z.url({ protocol: /^https?$/, error: 'expected an http:// or https:// URL' })

/** The path of a file; who reads it tells where it cannot be read. */
export const path = z.string().min(1, 'expected a file path')

/** At most a day: a timer longer than 24 days would end at once. */
export const seconds = z.int().min(1).max(86_400)

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 }
const intervalMessage = 'expected a time span from 1s to 24h, such as 5m'

/** A time span as `30s`, `5m` or `1h`, at most a day; milliseconds here. */
export const interval = z
  .string({ error: intervalMessage })
  .regex(/^[1-9]\d{0,4}[smh]$/, intervalMessage)
  .transform((written) => Number(written.slice(0, -1)) * (unitMs[written.slice(-1)] ?? NaN))
  .refine((spanMs) => spanMs <= 86_400_000, { error: intervalMessage })
