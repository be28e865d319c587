import { LRUCache } from 'lru-cache'
import type { Decision } from '#policy/decide.ts'
import type { Facts } from '#policy/facts.ts'
import type { Authenticator, ProofRequest } from './authenticate.ts'
import type { Acted, ActResult, Exchange, Judged } from './exchange.ts'
import { hasMailbox, type Mailbox } from './mailbox.ts'
import type { JudgeAgain, SecondLook } from './second-look.ts'
import { bodyStatus, sendBodyStatus, sendChallenges, sendRefusal, sendUnavailable } from './respond.ts'

/** How often a refused pair that holds real mail is asked to provision, so that a wipe ordered in Exchange reaches it. */
const provisionAgainMs = 24 * 60 * 60 * 1000

/** What the refusal path needs; one value for the life of a worker. */
export interface RefuseDeps {
  readonly authenticator: Authenticator
  readonly provisionAsks: ProvisionAsks
  readonly secondLook: SecondLook
  readonly mailbox: Mailbox
}

/** Which pairs were asked to provision. The store learns of it a second later, and from other workers. */
export interface ProvisionAsks {
  /** True where the pair is to be asked now; then it counts as asked. */
  readonly takeTurn: (judged: Judged) => boolean
}

const rememberedAsks = 10_000

/** @param now milliseconds since the epoch */
export function createProvisionAsks(now: () => number): ProvisionAsks {
  const asked = new LRUCache<string, number>({ max: rememberedAsks })
  return {
    takeTurn: ({ request, identity, facts, user, decision }) => {
      if (request.kind !== 'command' || !refusesDevice(decision) || !mayHoldMail(facts)) return false
      const key = JSON.stringify([user, identity.deviceKey])
      const askedAt = Math.max(asked.get(key) ?? 0, facts.history.provisionAskedAt ?? 0)
      if (now() - askedAt < provisionAgainMs) return false
      asked.set(key, now())
      return true
    },
  }
}

/**
 * A refusal tells nothing of any device before the credentials are proved: unknown and blocked look alike to who
 * cannot log in. T-20
 * @returns what was answered where they are not proved; undefined where they are, and nothing is answered yet
 */
export async function answerUnproved(
  deps: Pick<RefuseDeps, 'authenticator'>,
  { res }: Exchange,
  judged: Judged,
): Promise<ActResult | undefined> {
  const proof = await deps.authenticator.prove(proofRequest(judged))
  switch (proof.kind) {
    case 'refused':
      return {
        status: sendChallenges(res, proof.challenges),
        action: 'reject',
        reason: 'credentials-refused',
      }
    case 'unknown':
      return { status: sendUnavailable(res), action: 'unavailable', reason: 'upstream-unavailable' }
    case 'proved':
      return undefined
  }
}

/** The refusal itself, to who has proved to be the user. */
export async function sendRefused(
  deps: RefuseDeps,
  exchange: Exchange,
  judged: Judged,
  judgeAgain: JudgeAgain,
): Promise<Acted> {
  const { request, decision } = judged
  const { res } = exchange
  if (deps.provisionAsks.takeTurn(judged)) {
    const status = sendBodyStatus(res, request, bodyStatus.deviceNotProvisioned)
    return { status, proved: true, provisionAsked: true }
  }
  if (request.kind === 'command' && hasMailbox(decision)) return deps.mailbox(exchange, judged, judgeAgain)
  return { status: sendRefusal(res, request, decision.action), proved: true }
}

/**
 * No usable credential came: the backend is asked as the client would ask it, and its challenges are relayed. Whatever
 * else it answers, nobody is let in by it.
 */
export async function relayChallenges(
  deps: RefuseDeps,
  exchange: Exchange,
  judged: Judged,
): Promise<ActResult> {
  const proof = await deps.authenticator.probe(proofRequest(judged))
  if (proof.kind === 'refused') return { status: sendChallenges(exchange.res, proof.challenges) }
  return { status: sendUnavailable(exchange.res), action: 'unavailable', reason: 'upstream-unavailable' }
}

/**
 * Provision of a refused pair reaches Exchange only where a wipe may wait there for it: the pair was served mail
 * before, or its record says so. design.md, What a refused device gets
 */
export function provisionMayPass({ request, facts, decision }: Judged): boolean {
  return request.command === 'Provision' && decision.action !== 'reject' && mayHoldMail(facts)
}

function mayHoldMail({ history, device }: Facts): boolean {
  return history.allowedBefore || device?.wipePending === true
}

function refusesDevice({ action }: Decision): boolean {
  return action === 'block' || action === 'quarantine' || action === 'redirect'
}

function proofRequest({ request, backend, user }: Judged): ProofRequest {
  const { credentials, headers } = request
  return { backend, user, authorization: credentials.authorization, userAgent: headers.userAgent }
}
