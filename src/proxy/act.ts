import type { DeviceInformation } from '#eas/device-information.ts'
import type { Decision } from '#policy/decide.ts'
import { isRefusal } from '#policy/reasons.ts'
import type { ActResult, Exchange, Judged } from './exchange.ts'
import { forwardCommand, type ForwardDeps } from './forward-command.ts'
import { provisionMayPass, refuse, relayChallenges, type RefuseDeps } from './refuse.ts'
import { sendNotFound, sendRedirect } from './respond.ts'

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
  decideAgain: () => Decision,
): Promise<ActResult & { readonly information?: DeviceInformation }> {
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
  const refused = isRefusal(decision.action)
  const reportOnly = refused && decision.mode === 'report-only'
  const mayBringWipe = provisionMayPass(judged)
  if (refused && !reportOnly && !mayBringWipe) return refuse(deps.refuse, exchange, judged)
  const result =
    request.kind === 'autodiscover-xml'
      ? await deps.autodiscover(exchange, judged)
      : await forwardCommand(deps.forward, exchange, judged, mayBringWipe ? undefined : decideAgain)
  return reportOnly ? { ...result, reportOnly } : result
}

function sendBrowser({ enrollmentUrl }: ActDeps, { res }: Exchange): ActResult {
  if (enrollmentUrl === undefined) return { status: sendNotFound(res), action: 'reject' }
  return { status: sendRedirect(res, enrollmentUrl) }
}
