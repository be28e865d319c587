import { isEnforcedRefusal } from '#policy/decide.ts'
import { isRefusal } from '#policy/reasons.ts'
import type { Acted, ActResult, Exchange, Judged } from './exchange.ts'
import { forwardCommand, type ForwardDeps } from './forward-command.ts'
import { answerUnproved, provisionMayPass, relayChallenges, sendRefused, type RefuseDeps } from './refuse.ts'
import { sendNotFound, sendRedirect } from './respond.ts'
import type { JudgeAgain } from './second-look.ts'

/** A route with an own way to Exchange or to a page: Autodiscover, enrolment, passthrough. */
export type RouteHandler = (exchange: Exchange, judged: Judged) => Promise<ActResult> | ActResult

export interface ActDeps {
  readonly forward: ForwardDeps
  readonly refuse: RefuseDeps
  readonly autodiscover: RouteHandler
  readonly enroll: RouteHandler
  readonly passthrough: RouteHandler
  /** Where a browser on the EAS path is sent; undefined where no page is configured. */
  readonly enrollmentUrl: string | undefined
}

/** The fifth step: does what the decision says. Report-only is the one branch that does not. */
export async function act(
  deps: ActDeps,
  exchange: Exchange,
  judged: Judged,
  judgeAgain: JudgeAgain,
): Promise<Acted> {
  const { request, decision } = judged
  switch (request.kind) {
    case 'closed':
      return decision.action === 'allow'
        ? deps.passthrough(exchange, judged)
        : { status: sendNotFound(exchange.res) }
    case 'browser':
      return sendBrowser(deps, exchange)
    case 'enroll':
      return deps.enroll(exchange, judged)
    case 'autodiscover-json':
      return deps.autodiscover(exchange, judged)
    case 'command':
    case 'options':
    case 'autodiscover-xml':
  }
  if (request.credentials.kind === 'probe') return relayChallenges(deps.refuse, exchange, judged)
  if (!isEnforcedRefusal(decision) || provisionMayPass(judged)) {
    return letThrough(deps, exchange, judged, judgeAgain)
  }
  const unproved = await answerUnproved(deps.refuse, exchange, judged)
  if (unproved !== undefined) return unproved
  const looked = await deps.refuse.secondLook(judged, judgeAgain)
  const result = isEnforcedRefusal(looked.decision)
    ? await sendRefused(deps.refuse, exchange, looked, judgeAgain)
    : await letThrough(deps, exchange, looked, judgeAgain)
  return { judged: looked, ...result }
}

async function letThrough(
  deps: ActDeps,
  exchange: Exchange,
  judged: Judged,
  judgeAgain: JudgeAgain,
): Promise<Acted> {
  const { decision } = judged
  let latest = judged
  const decideLater = () => {
    latest = judgeAgain()
    return latest.decision
  }
  const decideAgain = provisionMayPass(judged) ? undefined : decideLater
  const result =
    judged.request.kind === 'autodiscover-xml'
      ? await deps.autodiscover(exchange, judged)
      : await forwardCommand(deps.forward, exchange, judged, decideAgain)
  // what was ended meanwhile was ended by the last judgement, and is told with its rule and its facts
  const told = latest === judged ? result : { ...result, judged: latest }
  return isRefusal(decision.action) && decision.mode === 'report-only' ? asReported(told) : told
}

/**
 * A refusal that was only reported, as it would have come to had it been enforced: what Exchange refuses the credentials
 * of, or does not answer, would have ended at the proof, and is no refusal of the policy.
 */
function asReported(result: Acted): Acted {
  if (result.action !== undefined) return result
  if (result.status === 401) return { ...result, action: 'reject', reason: 'credentials-refused' }
  return { ...result, reportOnly: true }
}

function sendBrowser({ enrollmentUrl }: ActDeps, { res }: Exchange): ActResult {
  if (enrollmentUrl === undefined) return { status: sendNotFound(res), action: 'reject' }
  return { status: sendRedirect(res, enrollmentUrl) }
}
