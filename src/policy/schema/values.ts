import { z } from 'zod'

/** The name in a list of groups that stands for everybody. */
export const allUsers = 'all-users'

/** Group names are compared without case. */
export const groups = z.array(z.string().min(1).toLowerCase())

/** What is done with a device that is found wanting. */
export const refusal = z.enum(['quarantine', 'redirect', 'block'])

/** Exchange's three access levels. */
export const accessLevel = z.enum(['allow', 'block', 'quarantine'])

/** A share of a whole, as `20%` or a number from 0 to 1; a number from 0 to 1 here. */
export const share = z
  .union([z.number(), z.string()], { error: 'expected a share such as 20%' })
  .transform((written, context) => {
    const [, percent] = /^(\d{1,3}(?:\.\d{1,3})?)%$/.exec(String(written)) ?? []
    const value = typeof written === 'number' ? written : Number(percent ?? NaN) / 100
    if (value >= 0 && value <= 1) return value
    context.addIssue({ code: 'custom', message: 'expected a share from 0% to 100%' })
    return z.NEVER
  })

const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A time span as `30m`, `12h` or `3d`; milliseconds here. */
export const duration = z
  .string({ error: 'expected a time span such as 12h' })
  .regex(/^[1-9]\d{0,5}[mhd]$/, 'expected a whole number of m, h or d, such as 12h')
  .transform((written) => Number(written.slice(0, -1)) * (unitMs[written.slice(-1)] ?? NaN))

const dateMessage = 'expected a date such as 2026-03-01, or a time with its zone such as 2026-03-01T08:30:00Z'

/** A date (its start in UTC) or a time with its zone; milliseconds since the epoch here. */
export const instant = z
  .string({ error: dateMessage })
  .regex(/^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2}))?$/, dateMessage)
  .transform((written, context) => {
    const at = Date.parse(written)
    const day = Number(written.slice(8, 10))
    // Date.parse turns 30 February into 2 March
    const daysInMonth = new Date(Date.UTC(Number(written.slice(0, 4)), Number(written.slice(5, 7)), 0))
    if (!Number.isNaN(at) && day <= daysInMonth.getUTCDate()) return at
    context.addIssue({ code: 'custom', message: 'there is no such day' })
    return z.NEVER
  })

/** True for a dotted version such as 17.4 and nothing more: at most 8 numbers of at most 9 digits. */
export function isVersion(text: string): boolean {
  return /^\d{1,9}(?:\.\d{1,9}){0,7}$/.test(text)
}

const versionMessage = 'expected a version such as "17.4"'

/** A dotted version such as 17.4, as text. */
export const version = z
  .union([z.string(), z.number()], { error: versionMessage })
  .transform(String)
  .refine(isVersion, { error: versionMessage })

/** For what follows from another fault, and would only be told twice. */
export const whenWithoutFault = ({ issues }: { readonly issues: readonly unknown[] }): boolean =>
  issues.length === 0
