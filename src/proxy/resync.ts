import { answerAfterRelease } from '#quarantine/after-release.ts'
import type { Answer } from '#quarantine/answer.ts'
import type { Authenticator } from './authenticate.ts'
import type { ForwardBody } from './body.ts'
import type { ActResult, Exchange, Judged } from './exchange.ts'
import { answerUnproved } from './refuse.ts'
import { sendAnswer } from './respond.ts'

/**
 * What a device that has left quarantine gets for keys and ids of its time there: what leads it to a sync with Exchange
 * from the start. Undefined for everything else.
 */
export function resyncOf({ request }: Judged, body: ForwardBody): Answer | undefined {
  if (request.kind !== 'command') return undefined
  // what streams holds no key of ours, but the query may
  return answerAfterRelease(request, body.kind === 'whole' ? body.bytes : noBytes)
}

/** Sends it. To who cannot log in it would tell that the device is let in. T-20 */
export async function answerResync(
  authenticator: Authenticator,
  exchange: Exchange,
  judged: Judged,
  resync: Answer,
): Promise<ActResult> {
  const unproved = await answerUnproved({ authenticator }, exchange, judged)
  return unproved ?? { status: sendAnswer(exchange.res, resync), proved: true }
}

const noBytes = Buffer.alloc(0)
