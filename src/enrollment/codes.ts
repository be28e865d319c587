import { createHmac, randomInt } from 'node:crypto'
import type { EnrollmentCodeStore } from '#directory/enrollment-codes.ts'
import type { Logger } from '#telemetry/log.ts'
import { createRateLimit } from './rate-limit.ts'

/** What became of a code that somebody entered. */
export type EnteredCode =
  | { readonly kind: 'found'; readonly pairId: string }
  | { readonly kind: 'unknown' }
  /** Too many tries; this one was not looked at. */
  | { readonly kind: 'limited' }

/** Codes that open a device's page on another machine. */
export interface EnrollmentCodes {
  /** A new code for a pair; the one before it is good no longer. Undefined where it cannot be stored. */
  readonly make: (pairId: string) => string | undefined
  /** @param code as `readCode` gives it */
  readonly enter: (code: string, address: string) => EnteredCode
}

export interface EnrollmentCodesOptions {
  readonly store: EnrollmentCodeStore
  /** 32 bytes, the same over restarts. */
  readonly key: Uint8Array
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly log: Pick<Logger, 'error'>
  /** Monotonic clock of the limits, ms. */
  readonly clock?: { now(): number }
}

/** Crockford's base32: no letter that is taken for a digit or another letter. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const codeLength = 10
/** For the look-alikes that a person may write all the same. */
const lookAlikes: ReadonlyMap<string, string> = new Map([
  ['O', '0'],
  ['I', '1'],
  ['L', '1'],
])

const codeMinutes = 30
const triesPerMinute = 5
/** Of 2^50 codes, a year of guesses without a break meets one of a thousand that are good with a chance of 0.0002. */
const totalTriesPerMinute = 300

/** For the owner: codes are stored, and tries of all workers count together. */
export function createEnrollmentCodes({
  store,
  key,
  now,
  log,
  clock,
}: EnrollmentCodesOptions): EnrollmentCodes {
  const limit = createRateLimit({
    perMinute: triesPerMinute,
    totalPerMinute: totalTriesPerMinute,
    ...(clock === undefined ? undefined : { clock }),
  })
  const digestOf = (code: string) =>
    createHmac('sha256', key).update(`easgate enrollment code\n${code}`).digest('base64url')
  return {
    make: (pairId) => {
      const code = Array.from({ length: codeLength }, () => alphabet[randomInt(alphabet.length)]).join('')
      try {
        store.setEnrollmentCode(pairId, digestOf(code), now() + codeMinutes * 60_000)
        return code
      } catch (error) {
        log.error({ err: error }, 'a code for an enrolment page cannot be stored')
        return undefined
      }
    },
    enter: (code, address) => {
      if (!limit.take(address)) return { kind: 'limited' }
      try {
        const pairId = store.pairOfEnrollmentCode(digestOf(code))
        return pairId === undefined ? { kind: 'unknown' } : { kind: 'found', pairId }
      } catch (error) {
        log.error({ err: error }, 'a code for an enrolment page cannot be looked up')
        return { kind: 'unknown' }
      }
    },
  }
}

/** A code as a person writes it, in its one spelling; undefined for what can be none. */
export function readCode(written: string): string | undefined {
  const folded = written.replaceAll(/[\s-]/g, '').toUpperCase()
  if (folded.length !== codeLength) return undefined
  const code = Array.from(folded, (character) => lookAlikes.get(character) ?? character).join('')
  return Array.from(code).every((character) => alphabet.includes(character)) ? code : undefined
}

/** In two groups, easier to copy. */
export function shownCode(code: string): string {
  return `${code.slice(0, codeLength / 2)}-${code.slice(codeLength / 2)}`
}
