import { LRUCache } from 'lru-cache'
import type { LookUpOutcome } from '#directory/facts-source.ts'
import type { Reason } from '#policy/reasons.ts'
import { atMost } from './at-most.ts'
import type { Judged } from './exchange.ts'

/** Asks the sources for one device, by way of the owner; must not reject. */
export type LookUpNow = (user: string, deviceId: string) => Promise<LookUpOutcome>

/**
 * Judges once more. `absenceProves: false`: the sources could not be asked, so that what is missing may be there all the
 * same.
 */
export type JudgeAgain = (options?: { readonly absenceProves: boolean }) => Judged

/** What is known of a refused device now that its sources were asked. */
export type SecondLook = (judged: Judged, judgeAgain: JudgeAgain) => Promise<Judged>

/** How long a request waits for the sources. design.md, The walk of a request */
const waitMs = 2000
/** A pair is asked for at most this often: it comes back every few seconds as long as it is refused. */
const pauseMs = 10_000
const rememberedPairs = 10_000

/** Refusals that a newer fact may end. What an administrator, a rule or a false name decided is not among them. */
const factsMayHelp: ReadonlySet<Reason> = new Set<Reason>([
  'not-enrolled',
  'not-registered',
  'not-activated',
  'noncompliant',
  'no-compliance-policy',
  'compliance-unknown',
  'posture-unknown',
  'jailbroken',
  'owner-mismatch',
  'device-mismatch',
  'source-unavailable',
  'facts-stale',
])

/**
 * A phone that was just put right must not wait for the next sweep: before a device with proved credentials is refused,
 * its sources are asked. Where they cannot be, a device of which nothing is known gets what the policy says of that.
 */
export function createSecondLook(lookUpNow: LookUpNow): SecondLook {
  const flights = new LRUCache<string, LookUpOutcome, { user: string; deviceId: string }>({
    max: rememberedPairs,
    ttl: pauseMs,
    fetchMethod: async (_key, _stale, { context }) => lookUpNow(context.user, context.deviceId),
  })

  return async (judged, judgeAgain) => {
    const { user, decision, request, identity } = judged
    const { deviceId } = request
    if (deviceId === undefined || user === '' || !factsMayHelp.has(decision.reason)) return judged
    const key = JSON.stringify([user, identity.deviceKey])
    const known = flights.get(key)
    const outcome = known ?? (await atMost(waitMs, flights.fetch(key, { context: { user, deviceId } })))
    switch (outcome) {
      case 'none':
        return judged
      case 'answered':
        return known === undefined ? judgeAgain() : judged
      default:
        return judgeAgain({ absenceProves: false })
    }
  }
}
