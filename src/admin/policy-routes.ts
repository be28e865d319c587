import { z } from 'zod'
import { checkPolicy, type LoadedPolicy } from '#config/load.ts'
import { ConfigError } from '#config/yaml.ts'
import { compilePolicy } from '#policy/compile.ts'
import { duration } from '#policy/schema/values.ts'
import type { HeldChange, HeldChanges } from './held-changes.ts'
import { checkWord, parametersOf } from './parameters.ts'
import type { CurrentPolicy } from './policy-keeper.ts'
import { Problem } from './problem.ts'
import { StreamedAnswer, type ApiHandler, type ApiRequest, type ApiRoutes } from './server.ts'
import type { Turn } from './what-if/compare.ts'
import type { Evaluator } from './what-if/evaluate.ts'
import { turnCsv } from './what-if/turn-csv.ts'

export interface PolicyRoutesDeps {
  readonly policy: () => CurrentPolicy
  readonly evaluator: Evaluator
  readonly held: HeldChanges
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** The policy in force, drafts of another, and what waits for an operator's word. */
export function createPolicyRoutes(deps: PolicyRoutesDeps): ApiRoutes {
  return new Map<string, ApiHandler>([
    ['GET /api/policy', () => showPolicy(deps)],
    ['POST /api/policy/evaluate', (request) => evaluate(deps, request)],
    ['POST /api/policy/confirm', (request) => confirm(deps, request)],
  ])
}

function showPolicy({ policy, held }: PolicyRoutesDeps) {
  const { digest, revision, since, actor, value } = policy()
  return {
    digest,
    revision,
    since: isoTime(since),
    actor,
    maxNewRefusals: value.maxNewRefusals,
    held: held.list().map(shownChange),
  }
}

function shownChange({ kind, name, digest, heldAt, weight, tally }: HeldChange) {
  const { byReason, byPlatform, byGroup } = tally
  return { kind, name, digest, heldAt: isoTime(heldAt), ...weight, byReason, byPlatform, byGroup }
}

const parameterNames = ['since', 'limit', 'format'] as const
const defaultSince = '30d'
const defaultLimit = '100'
const maxLimit = 10_000

/** Runs a draft against the policy in force. JSON tells how many and lists the first; CSV lists all. */
async function evaluate({ policy, evaluator, now }: PolicyRoutesDeps, { query, json, signal }: ApiRequest) {
  const {
    since: sinceText = defaultSince,
    limit = defaultLimit,
    format = 'json',
  } = parametersOf(query, parameterNames)
  checkWord('format', format, ['json', 'csv'])
  const span = duration.safeParse(sinceText)
  if (!span.success) throw new Problem(400, 'Bad Request', 'since must be a time span such as 12h or 30d')
  if (!/^\d{1,5}$/.test(limit) || Number(limit) > maxLimit) {
    throw new Problem(400, 'Bad Request', `limit must be 0 to ${maxLimit}`)
  }
  const current = policy()
  const draft = draftOf(await json(), current)
  const since = now() - span.data
  const compiled = compilePolicy(draft.value)
  if (format === 'csv') {
    return new StreamedAnswer(
      'text/csv; charset=utf-8',
      turnCsv(evaluator.turns(compiled, { since, signal })),
    )
  }
  const maxChanges = Number(limit)
  const { changes, ...counted } = await evaluator.evaluate(compiled, { since, signal, maxChanges })
  return {
    digest: draft.digest,
    inForce: { digest: current.digest, revision: current.revision },
    since: isoTime(since),
    ...counted,
    changes: changes.map(shownTurn),
  }
}

function shownTurn({ pair, to, platform, groups, before, after }: Turn) {
  const { user, deviceId, lastAt } = pair
  return { user, deviceId, to, platform, groups, lastSeenAt: isoTime(lastAt), before, after }
}

/** A policy is some screens of text; a text of megabytes would hold the thread while it is parsed. T-52 */
const maxPolicyLength = 262_144

const draftSchema = z.strictObject({ policy: z.string().max(maxPolicyLength) })

/** @throws {Problem} 400, with every fault by line and path */
function draftOf(body: unknown, current: CurrentPolicy): LoadedPolicy {
  const parsed = draftSchema.safeParse(body)
  if (!parsed.success) {
    const expected = `expected {"policy": TEXT}, the text of a policy file of at most ${maxPolicyLength} characters`
    throw new Problem(400, 'Bad Request', expected)
  }
  try {
    return checkPolicy(parsed.data.policy, 'draft', variablesOf(current.text))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const errors = error.faults.map(({ line, path, message }) => ({ line, path, message }))
    throw new Problem(
      400,
      'Bad Request',
      `the draft has ${errors.length} fault${errors.length === 1 ? '' : 's'}`,
      errors,
    )
  }
}

/**
 * The variables that a draft may hold: those of the policy in force. Any other would let a caller read the environment
 * of this process by what is answered.
 */
function variablesOf(text: string): Readonly<Record<string, string | undefined>> {
  const names = [...text.matchAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g)].map(([, name = '']) => name)
  return Object.fromEntries(names.map((name) => [name, process.env[name]]))
}

const confirmSchema = z.strictObject({ digest: z.string().min(1).max(64) })

/** Lets a held change take place: that of the digest, which the caller was shown, and no other. */
async function confirm({ held }: PolicyRoutesDeps, { json }: ApiRequest) {
  const parsed = confirmSchema.safeParse(await json())
  if (!parsed.success) {
    throw new Problem(400, 'Bad Request', 'expected {"digest": DIGEST} of what GET /api/policy shows as held')
  }
  const { digest } = parsed.data
  const confirmed = await held.confirm(digest, 'api')
  if (confirmed !== undefined) return { kind: confirmed.kind, name: confirmed.name, digest }
  const others = held.list().map((change) => `${change.kind} ${change.name} (${change.digest})`)
  const detail = others.length === 0 ? 'nothing is' : `what is: ${others.join(', ')}`
  throw new Problem(409, 'Conflict', `no change with the digest ${digest} is held; ${detail}`)
}

function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
