import type { Config } from '#config/schema.ts'
import { createClientIdentifier } from '#eas/client/identify-client.ts'
import type { Platform } from '#eas/client/platform.ts'
import { createLookup, type LookupOptions } from '#directory/lookup.ts'
import type { SeenPair } from '#directory/seen-pairs.ts'
import type { CompiledPolicy } from '#policy/compile.ts'
import { decide, isEnforcedRefusal, type Decision } from '#policy/decide.ts'
import { viewDevice } from '#policy/device-view.ts'
import { createBackendRouter, minProtocolVersionOf, serviceOf } from '#proxy/routing.ts'
import { seenRequest } from '#proxy/seen-request.ts'

/** What a pair's next request would get. */
export interface Standing extends Pick<Decision, 'action' | 'reason' | 'rule' | 'mode'> {
  /** False also for a refusal that is only reported. */
  readonly refused: boolean
}

/** A pair as it is judged: what it would get, and whose device it is. */
export interface JudgedPair {
  readonly standing: Standing
  readonly platform: Platform
  /** In lower case; empty where no directory entry resolves the user. */
  readonly groups: readonly string[]
}

/** Judges a pair that was seen as its next request would be. */
export type SeenJudge = (pair: SeenPair) => JudgedPair

/**
 * Makes judges by what is known and by a policy. Judges over the same facts share what they read of a pair. They are
 * made for one walk: what they hold of the directory as a whole is that of the start.
 */
export type SeenJudges = (store: LookupOptions['store']) => (policy: CompiledPolicy) => SeenJudge

export interface SeenJudgesDeps {
  readonly config: Pick<Config, 'backends' | 'routing'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** The same code as a request meets: the claims are those of the pair's last one, facts, routing and clock those of now. */
export function createSeenJudges({ config, now }: SeenJudgesDeps): SeenJudges {
  const identifyClient = createClientIdentifier()
  const backendOf = createBackendRouter(
    new Map(
      Object.entries(config.backends).map(([name, backend]) => [
        name,
        { service: serviceOf(backend.kind), minProtocolVersion: minProtocolVersionOf(backend) },
      ]),
    ),
    config.routing,
  )
  return (store) => {
    // pairs come one after the other, each once
    const facts = createLookup({ store, max: 1 })
    return (policy) => (pair) => {
      const known = facts.lookup([pair.user], pair.deviceKey)
      const request = seenRequest(pair, known, identifyClient, backendOf(known.user))
      const decision = decide(request, known, policy, now())
      const { action, reason, rule, mode } = decision
      return {
        standing: { action, reason, rule, mode, refused: isEnforcedRefusal(decision) },
        platform: viewDevice(known.device, request.client).platform,
        groups: known.user?.groups ?? [],
      }
    }
  }
}
