import { z } from 'zod'
import { compareVersions, parseVersion, type Version } from '#eas/client/os-version.ts'
import { platformOf, type Platform } from '#eas/client/platform.ts'
import { isVersion, whenWithoutFault } from './values.ts'

const maxPatternLength = 256
const maxStars = 4
const patternsMessage = 'expected a text, or a list of texts'

/**
 * One pattern or several, of which one must fit; an empty list fits nothing. A pattern is compared without case, and
 * `*` in it stands for any text.
 */
export const patterns = z
  .union([z.string(), z.array(z.string())], { error: patternsMessage })
  .transform((written, context) => {
    const list = (typeof written === 'string' ? [written] : written).map((pattern) => pattern.trim())
    for (const [index, pattern] of list.entries()) {
      const message = faultOfPattern(pattern)
      const path = typeof written === 'string' ? [] : [index]
      if (message !== undefined) context.addIssue({ code: 'custom', path, message })
    }
    return list
  })

function faultOfPattern(pattern: string): string | undefined {
  if (pattern === '') return 'expected a text that is not empty'
  if (pattern.length > maxPatternLength) return `expected at most ${maxPatternLength} characters`
  return pattern.split('*').length > maxStars + 1 ? `expected at most ${maxStars} of *` : undefined
}

/** The same for a rule, which an empty list would keep from ever matching. */
export const somePatterns = patterns.refine((list) => list.length > 0, { error: patternsMessage })

/** A platform by our name or an MDM's. */
export const platformWord = z
  .string()
  .transform(platformOf)
  .refine((platform) => platform !== 'unknown', {
    error: 'expected a platform such as iOS, Android, Windows, WindowsPhone',
  })

/** One end of a range. */
export interface VersionBound {
  readonly version: Version
  readonly inclusive: boolean
}

/** Versions from `min` to `max`; an end that is absent is open. */
export interface VersionRange {
  /** Where the text names it, as `ios < 17.4` does. */
  readonly os?: Platform
  readonly min?: VersionBound
  readonly max?: VersionBound
}

const rangeMessage = 'expected a range such as "< 17.4", ">= 16 < 17.4" or "ios < 17.4"'
const maxRangeLength = 80
/** A platform, then one version or two; that the second must have an operator leaves one way to read a text. T-52 */
const rangeText =
  /^(?:([A-Za-z]+(?: [A-Za-z]+)*) ?)?(<=|>=|<|>|=)? ?(\d[\d.]*)(?: ?(<=|>=|<|>|=) ?(\d[\d.]*))?$/

/** A range of OS versions as text; a bare version is that version alone. */
export const versionRange = z
  .union([z.string(), z.number()], { error: rangeMessage })
  .transform((written, context): VersionRange => {
    const parsed = parseRange(String(written).trim().replaceAll(/\s+/g, ' '))
    if (typeof parsed !== 'string') return parsed
    context.addIssue({ code: 'custom', message: parsed })
    return z.NEVER
  })

/** @returns what is wrong with it, where something is */
function parseRange(text: string): VersionRange | string {
  const found = text.length > maxRangeLength ? null : rangeText.exec(text)
  if (found === null) return rangeMessage
  const [, word, firstOperator = '=', first = '', secondOperator, second = ''] = found
  const os = word === undefined ? undefined : platformOf(word)
  if (os === 'unknown') return `${word} is no platform; ${rangeMessage}`
  let min: VersionBound | undefined
  let max: VersionBound | undefined
  for (const [operator, digits] of [
    [firstOperator, first],
    [secondOperator, second],
  ] as const) {
    if (operator === undefined) continue
    if (!isVersion(digits)) return rangeMessage
    const bound = { version: parseVersion(digits) ?? [], inclusive: operator.includes('=') }
    if (operator !== '<' && operator !== '<=') {
      if (min !== undefined) return 'the range has two lower ends'
      min = bound
    }
    if (operator !== '>' && operator !== '>=') {
      if (max !== undefined) return 'the range has two upper ends'
      max = bound
    }
  }
  if (min !== undefined && max !== undefined && isEmptyRange(min, max)) return 'no version is in this range'
  return { ...(os && { os }), ...(min && { min }), ...(max && { max }) }
}

function isEmptyRange(min: VersionBound, max: VersionBound): boolean {
  const order = compareVersions(min.version, max.version)
  return order > 0 || (order === 0 && !(min.inclusive && max.inclusive))
}

const platformsMessage = 'expected a platform such as iOS, or a list of platforms'

/** What a device rule looks at; every key that stands must fit. */
export const deviceMatch = z
  .strictObject({
    deviceType: somePatterns,
    model: somePatterns,
    os: z.union([platformWord.transform((one) => [one]), z.array(platformWord).min(1, platformsMessage)], {
      error: platformsMessage,
    }),
    osVersion: versionRange,
    userAgent: somePatterns,
    client: somePatterns,
  })
  .partial()
  .refine((match) => Object.keys(match).length > 0, {
    error: 'expected at least one key: it would match everything',
    when: whenWithoutFault,
  })
  .refine(({ os, osVersion }) => os === undefined || osVersion?.os === undefined, {
    error: 'the platform is named twice, in os and in osVersion',
  })
