import type { EnrollmentPages } from '#enrollment/page.ts'
import type { RouteHandler } from './act.ts'
import { sendAnswer } from './send-answer.ts'

/** Serves the pages under `/easgate/enroll`. */
export function createEnrollRoute(pages: EnrollmentPages): RouteHandler {
  return ({ res }, { request }) => {
    const status = sendAnswer(res, pages(request.method, request.path))
    return status === 200 ? { status } : { status, action: 'reject', reason: 'route-closed' }
  }
}
