import type { EnrollmentPages } from '#enrollment/page.ts'
import type { RouteHandler } from './act.ts'
import { send } from './respond.ts'

/** Serves the pages under `/easgate/enroll`. */
export function createEnrollRoute(pages: EnrollmentPages): RouteHandler {
  return ({ res }, { request }) => {
    const { status, headers, body } = pages(request.method, request.path)
    send(res, status, headers, Buffer.from(body))
    return status === 200 ? { status } : { status, action: 'reject', reason: 'route-closed' }
  }
}
