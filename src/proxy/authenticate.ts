import { createHmac, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { easPath } from '#eas/route.ts'
import { ask } from './ask.ts'
import { passableChallenges } from './challenges.ts'
import type { Backend, Upstreams } from './upstreams.ts'

/** What the backend says of a credential. */
export type Proof =
  | { readonly kind: 'proved' }
  /** A 401, with the challenges that the client may see. */
  | { readonly kind: 'refused'; readonly challenges: readonly string[] }
  /** No answer, or one that proves nothing: the client gets 503, never a refusal text. */
  | { readonly kind: 'unknown' }

/** One credential as it came, and the name that picks the server. */
export interface ProofRequest {
  readonly backend: Backend
  readonly user: string
  readonly authorization: string | undefined
  readonly userAgent: string | undefined
}

/** Proves credentials before anything is told of a device. design.md, What a refused device gets; T-20 */
export interface Authenticator {
  /** A proof is remembered for at most 10 minutes; one flight per credential, different ones in parallel. */
  readonly prove: (request: ProofRequest) => Promise<Proof>
  /** Asks once, remembers nothing: for requests that carry no credential. */
  readonly probe: (request: ProofRequest) => Promise<Proof>
}

const rememberMs = 10 * 60 * 1000

export interface AuthenticatorOptions {
  /** Wait for the answer of one server. */
  readonly proofSeconds: number
  /** Proofs held in memory. */
  readonly max?: number
  /** Monotonic clock of the proofs' ages, ms. T-55 */
  readonly clock?: { now(): number }
}

/** Proofs live in this process only, under a key that dies with it. */
export function createAuthenticator(
  upstreams: Pick<Upstreams, 'serversFor' | 'dialFailed'>,
  { proofSeconds, max = 50_000, clock }: AuthenticatorOptions,
): Authenticator {
  const secret = randomBytes(32)
  const probe = (request: ProofRequest) => question(upstreams, request, proofSeconds * 1000)
  const proofs = new LRUCache<string, Proof, ProofRequest>({
    max,
    ttl: rememberMs,
    ttlResolution: 0,
    ...(clock === undefined ? undefined : { perf: clock }),
    // a flood that pushes out a question under way does not take its answer from who waits for it
    ignoreFetchAbort: true,
    fetchMethod: (_key, _stale, { context }) => probe(context),
  })
  return {
    probe,
    prove: async (request) => {
      const { backend, user, authorization } = request
      const key = createHmac('sha256', secret)
        .update(JSON.stringify([backend.name, user, authorization]))
        .digest('base64')
      const proof = await proofs.forceFetch(key, { context: request })
      // only a success is remembered: a corrected password must pass at once
      if (proof.kind !== 'proved') proofs.delete(key)
      return proof
    },
  }
}

/** The answer to OPTIONS has no body worth the name. */
const maxAnswerBytes = 65_536

/** OPTIONS with only Host, Authorization and User-Agent: it proves a login and touches no mail. */
async function question(
  upstreams: Pick<Upstreams, 'serversFor' | 'dialFailed'>,
  { backend, user, authorization, userAgent }: ProofRequest,
  answerTimeoutMs: number,
): Promise<Proof> {
  // no signal: a proof serves every request that waits for it, so no single client's leaving ends it
  const result = await ask(upstreams, {
    backend,
    user,
    method: 'OPTIONS',
    path: easPath,
    headers: [
      ...(authorization === undefined ? [] : ['Authorization', authorization]),
      ...(userAgent === undefined ? [] : ['User-Agent', userAgent]),
    ],
    body: null,
    answerTimeoutMs,
    maxAnswerBytes,
  })
  if (result.kind !== 'answered') return { kind: 'unknown' }
  const { status, headers } = result
  if (status >= 200 && status < 300) return { kind: 'proved' }
  if (status !== 401) return { kind: 'unknown' }
  return { kind: 'refused', challenges: passableChallenges(headers['www-authenticate']) }
}
