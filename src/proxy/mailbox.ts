import type { Identity } from '#eas/identify.ts'
import { isEnforcedRefusal, type Decision } from '#policy/decide.ts'
import { modelName, namedDevice, systemName } from '#enrollment/held-device.ts'
import { viewDevice } from '#policy/device-view.ts'
import { answerQuarantined, readsBody } from '#quarantine/answer-quarantined.ts'
import type { Answer, Park } from '#quarantine/answer.ts'
import type { QuarantineMailbox } from '#quarantine/mailbox.ts'
import { renderNotice } from '#quarantine/notice.ts'
import type { NoticeTexts } from '#quarantine/notice-texts.ts'
import { readBody } from './body.ts'
import type { Acted, Exchange, Judged } from './exchange.ts'
import type { Fate, OpenRequest, Parked } from './parked.ts'
import { sendAnswer, sendRevocation, sendUnavailable } from './respond.ts'
import type { JudgeAgain } from './second-look.ts'

/**
 * Where the message leads. With another link it is another message to the phone, so that a link stays the same for as
 * long as it is good.
 * @param now milliseconds since the epoch
 */
export type LinkFor = (user: string, deviceKey: string, now: number) => string

export interface MailboxDeps {
  readonly parked: Parked
  /** 32 bytes, of the store. */
  readonly signingKey: Uint8Array
  readonly texts: () => NoticeTexts
  readonly linkFor: LinkFor
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Answers a command of a quarantined device, whose credentials are proved. */
export type Mailbox = (exchange: Exchange, judged: Judged, judgeAgain: JudgeAgain) => Promise<Acted>

/** What is read of a body at most: requests to a mailbox of one message are small, and decoded at once. T-47 */
const maxBodyBytes = 262_144

/** True where the quarantine mailbox is what a device gets. A redirect is one: an EAS client must not be sent elsewhere. */
export function hasMailbox({ action }: Pick<Decision, 'action'>): boolean {
  return action === 'quarantine' || action === 'redirect'
}

/** Serves the quarantine mailbox: nothing of the request reaches Exchange. */
export function createMailbox(deps: MailboxDeps): Mailbox {
  const mailboxOf = (judged: Judged): QuarantineMailbox => {
    const { user, decision } = judged
    const deviceKey = deviceKeyOf(judged.identity)
    const now = deps.now()
    const link = deps.linkFor(user, deviceKey, now)
    const notice = renderNotice(deps.texts(), decision.reason, { link, device: deviceName(judged), user })
    return { user, deviceKey, notice, signingKey: deps.signingKey, now }
  }
  const mayHaveChanged = ({ whenChanged }: Park, judged: Judged) => whenChanged(mailboxOf(judged))

  return async (exchange, judged, judgeAgain) => {
    const { request } = judged
    const body = readsBody(request.command) ? await bodyOf(exchange, judged) : noBytes
    const answer = answerQuarantined(request, body, mailboxOf(judged))
    if (answer.kind === 'park') {
      return hold(deps.parked, exchange, judged, { park: answer, judgeAgain, mayHaveChanged })
    }
    const status = sendAnswer(exchange.res, answer)
    const { information } = answer
    return { status, proved: true, ...(information && { information }) }
  }
}

interface Held {
  readonly park: Park
  readonly judgeAgain: JudgeAgain
  readonly mayHaveChanged: (park: Park, judged: Judged) => Answer | undefined
}

/** Holds a Ping or Sync until its time is over, the device is let in, or there is something else to tell. */
async function hold(
  parked: Parked,
  exchange: Exchange,
  judged: Judged,
  { park, judgeAgain, mayHaveChanged }: Held,
): Promise<Acted> {
  const { res } = exchange
  const { request, user, identity } = judged
  const { promise, resolve } = Promise.withResolvers<number>()
  const answer = (chosen: Answer) => resolve(sendAnswer(exchange.res, chosen))
  // a source that could not be asked before makes no other message of it now
  const absenceProves = judged.facts.sourcesComplete
  // as what it is told in the end; of a release there is nothing to tell before Exchange has served the device
  let told = judged
  const judge = (): Fate => {
    const latest = judgeAgain({ absenceProves })
    const { decision } = latest
    if (!isEnforcedRefusal(decision)) return { kind: 'released', end: () => answer(park.whenReleased) }
    told = latest
    if (!hasMailbox(decision)) {
      return {
        kind: 'answered',
        end: () => resolve(sendRevocation(res, request, decision.action, true)),
      }
    }
    const changed = mayHaveChanged(park, latest)
    return changed === undefined
      ? { kind: 'stays', validUntil: decision.validUntil }
      : { kind: 'answered', end: () => answer(changed) }
  }
  const open: OpenRequest = {
    user,
    deviceKey: identity.deviceKey,
    validUntil: judged.decision.validUntil,
    judge,
    wait: {
      name: JSON.stringify([user, identity.deviceKey, request.command]),
      seconds: park.seconds,
      over: () => answer(park.whenOver),
    },
  }
  // a client that left while its credentials were proved is told by no event any more
  if (res.destroyed) return { status: 499, proved: true }
  res.once('close', () => {
    if (!res.writableFinished) resolve(499)
  })
  try {
    if (!parked.enter(open)) return { status: sendUnavailable(res), ...overloaded, proved: true }
    return { status: await promise, proved: true, judged: told }
  } finally {
    parked.leave(open)
  }
}

const overloaded = { action: 'unavailable', reason: 'overloaded' } as const
const noBytes = Buffer.alloc(0)

function bodyOf({ req, res, expectsContinue }: Exchange, { request }: Judged): Promise<Buffer> {
  if (expectsContinue) res.writeContinue()
  return readBody(req, request.headers, maxBodyBytes)
}

function deviceKeyOf({ deviceKey }: Identity): string {
  if (deviceKey === undefined) throw new TypeError('a mailbox belongs to a device')
  return deviceKey
}

/** As its user knows it, and as the page behind the link names it: `iPhone 15, iOS 17.5.1`. */
function deviceName({ facts, client, request }: Judged): string {
  const device = namedDevice(viewDevice(facts.device, client))
  const name = [modelName(device), systemName(device)].filter((text) => text !== undefined).join(', ')
  return name === '' ? (request.deviceType ?? request.deviceId ?? '') : name
}
