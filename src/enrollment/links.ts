import { pairId } from '#directory/pair-id.ts'
import type { SeenPair } from '#directory/seen-pairs.ts'
import { openToken, sealToken } from './token.ts'

/** Links that lead one pair of user and device to its page. */
export interface EnrollmentLinks {
  /**
   * The link for the message on the phone. It stays the same for `linkDays`, since with another link it would be
   * another message.
   *
   * @param now milliseconds since the epoch
   */
  readonly linkFor: (user: string, deviceKey: string, now: number) => string
  /** The token at the end of that link, for a pair by its id. */
  readonly tokenFor: (pairId: string, now: number) => string
  /** The pair of a token; undefined where it is not ours, no longer good, or nothing was seen of the pair. */
  readonly read: (token: string, now: number) => SeenPair | undefined
}

export interface EnrollmentLinksOptions {
  /** 32 bytes, the same on every node and over restarts. */
  readonly key: Uint8Array
  /** Where phones find the page `/easgate/enroll/`. */
  readonly publicUrl: () => string
  readonly linkDays: number
  /** Finds a pair by its id. */
  readonly seenPair: (pairId: string) => SeenPair | undefined
}

const dayMs = 86_400_000
/** A link that was read just before the message changed is good for this long at least. */
const overlapDays = 1

/** Stateless: any process with the key and the store makes and reads the same links. */
export function createEnrollmentLinks(options: EnrollmentLinksOptions): EnrollmentLinks {
  const { key, publicUrl, linkDays, seenPair } = options
  const tokenFor = (id: string, now: number) =>
    sealToken(key, { pairId: id, lastDay: lastDayOf(id, linkDays, now) })
  return {
    linkFor: (user, deviceKey, now) => publicUrl() + tokenFor(pairId(user, deviceKey), now),
    tokenFor,
    read: (token, now) => {
      const content = openToken(key, token)
      if (content === undefined || Math.floor(now / dayMs) > content.lastDay) return undefined
      return seenPair(content.pairId)
    },
  }
}

/** Each pair has days of its own on which its link changes: not every phone gets a new message at once. */
function lastDayOf(id: string, linkDays: number, now: number): number {
  const offset = Buffer.from(id, 'base64url').readUInt16BE() % linkDays
  const period = Math.floor((Math.floor(now / dayMs) + offset) / linkDays)
  return (period + 1) * linkDays - offset - 1 + overlapDays
}
