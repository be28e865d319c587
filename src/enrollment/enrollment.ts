import type { Language } from '#config/languages.ts'
import type { LookUpOutcome } from '#directory/facts-source.ts'
import { pairId } from '#directory/pair-id.ts'
import type { SeenPair } from '#directory/seen-pairs.ts'
import type { Platform } from '#eas/client/platform.ts'
import type { Setting } from '#policy/compliance/checks.ts'
import type { Reason } from '#policy/reasons.ts'
import { readCode, type EnteredCode } from './codes.ts'
import { pageAnswer, plainAnswer, type PageAnswer, type PageContent } from './document.ts'
import { readFormFields } from './form.ts'
import type { HeldDevice } from './held-device.ts'
import type { EnrollmentLinks } from './links.ts'
import {
  devicePage,
  releasedPage,
  standingText,
  startPage,
  type DeviceExtras,
  type StartNotice,
} from './pages.ts'
import { pickLanguage } from './pick-language.ts'
import { createRateLimit } from './rate-limit.ts'
import type { AllPageTexts, PageTexts } from './texts.ts'

/** One request under `/easgate/enroll`. */
export interface EnrollmentRequest {
  readonly method: string
  readonly path: string
  /** What follows `?`; undefined where there is none. */
  readonly query: string | undefined
  readonly acceptLanguage: string | undefined
  /** Where it comes from, for the limits. */
  readonly address: string
  /** The body of a POST; undefined where it is no form. May throw what the caller answers itself. */
  readonly readForm: () => Promise<Buffer | undefined>
}

/** What is served under `/easgate/enroll`. */
export type Enrollment = (request: EnrollmentRequest) => Promise<PageAnswer>

/** The device management's own enrolment, by system, and for all others. */
export interface EnrollmentUrls {
  readonly url?: string | undefined
  readonly urls?: Partial<Readonly<Record<Platform, string | undefined>>> | undefined
}

export interface EnrollmentOptions extends EnrollmentUrls {
  readonly texts: () => AllPageTexts
  /** Of who wants none that we have. */
  readonly language: Language
  /** Why a device gets no mail, in the words of the message on the phone. */
  readonly why: (language: Language, reason: Reason) => string
  readonly links: Pick<EnrollmentLinks, 'read' | 'tokenFor'>
  /** Where browsers find the page without a link. */
  readonly publicUrl: () => string
  /** How the pair stands now; undefined where it gets mail. */
  readonly standing: (pair: SeenPair) => HeldDevice | undefined
  /** Asks the sources for the pair; what they say counts for `standing` once this settles, within some seconds. */
  readonly lookUp: (pair: SeenPair) => Promise<LookUpOutcome>
  /** A new code for a pair; undefined where none can be made. */
  readonly makeCode: (pairId: string) => Promise<string | undefined>
  readonly enterCode: (code: string, address: string) => Promise<EnteredCode>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Monotonic clock of the limits, ms. */
  readonly clock?: { now(): number }
}

const home = '/easgate/enroll'
const tokenPath = /^\/easgate\/enroll\/([A-Za-z0-9_-]{1,64})$/

/** A company may have one address for all its phones; what all addresses may do is for each worker. */
const viewLimits = { perMinute: 120, totalPerMinute: 12_000 }
/** A check asks the sources, a code writes to the store. */
const actionLimits = { perMinute: 20, totalPerMinute: 600 }
const limitSeconds = 60

/**
 * The pages that lead to enrolment. Without a link they are one page for everybody; a link that is forged, too old, or
 * of a device that has its mail again gives that page too, always the same.
 */
export function createEnrollment(options: EnrollmentOptions): Enrollment {
  const { clock } = options
  const limits = (numbers: typeof viewLimits) =>
    createRateLimit({ ...numbers, ...(clock === undefined ? undefined : { clock }) })
  const views = limits(viewLimits)
  const actions = limits(actionLimits)

  return async (request) => {
    const { method, path, query, address } = request
    const token = tokenPath.exec(path)?.[1]
    const isKnown = token !== undefined || path === home || path === `${home}/`
    if (!isKnown || query !== undefined) return plainAnswer(404, 'not found\n')
    if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') {
      return plainAnswer(405, 'expected GET, HEAD or POST\n', ['Allow', 'GET, HEAD, POST'])
    }
    const visit = visitOf(options, request)
    if (!(method === 'POST' ? actions : views).take(address)) return visit.start(429, 'tooMany')
    if (method !== 'POST') return token === undefined ? visit.start(200) : visit.device(token)
    const body = await request.readForm()
    if (body === undefined) return plainAnswer(415, 'expected application/x-www-form-urlencoded\n')
    const fields = readFormFields(body)
    if (fields === undefined) return plainAnswer(400, 'expected fields, each once\n')
    return token === undefined ? visit.enterCode(fields) : visit.act(token, fields)
  }
}

type Fields = ReadonlyMap<string, string>

/** The answers to one request, in its language. */
function visitOf(options: EnrollmentOptions, { acceptLanguage, address }: EnrollmentRequest) {
  const { links, now } = options
  const language = pickLanguage(acceptLanguage, options.language)
  const texts = options.texts()[language]
  const answer = (status: number, content: PageContent, more: readonly string[] = []) =>
    pageAnswer(status, language, content, more)

  const start = (status: number, notice?: StartNotice) => {
    const content = startPage(texts, { url: options.url, ...(notice === undefined ? undefined : { notice }) })
    return answer(status, content, status === 429 ? ['Retry-After', String(limitSeconds)] : [])
  }
  const show = (held: HeldDevice, extras: Pick<DeviceExtras, 'checked' | 'asked'> = {}) =>
    answer(
      200,
      devicePage(texts, held, {
        ...extras,
        why: options.why(language, held.reason),
        url: options.urls?.[held.platform] ?? options.url,
        publicUrl: options.publicUrl(),
      }),
    )

  const check = async (pair: SeenPair, was: string) => {
    const outcome = await options.lookUp(pair)
    const held = options.standing(pair)
    if (held === undefined) return answer(200, releasedPage(texts))
    const changed = standingText(held) !== was
    const kind = changed ? 'changed' : outcome === 'failed' ? 'failed' : 'unchanged'
    return show(held, { checked: { kind, corrected: correctedOf(was, held, texts) } })
  }

  return {
    start,
    device: (token: string) => {
      const pair = links.read(token, now())
      const held = pair && options.standing(pair)
      return held === undefined ? start(404, 'badLink') : show(held)
    },
    act: async (token: string, fields: Fields) => {
      const pair = links.read(token, now())
      if (pair === undefined) return start(404, 'badLink')
      const held = options.standing(pair)
      switch (fields.get('do')) {
        case 'check':
          // it may have been let in while the page was read: whoever asks is to be told
          return held === undefined
            ? answer(200, releasedPage(texts))
            : check(pair, fields.get('was') ?? standingText(held))
        case 'code':
          return held === undefined
            ? start(404, 'badLink')
            : show(held, { asked: { code: await options.makeCode(pairId(pair.user, pair.deviceKey)) } })
        default:
          return plainAnswer(400, 'expected do=check or do=code\n')
      }
    },
    enterCode: async (fields: Fields) => {
      const code = readCode(fields.get('code') ?? '')
      if (code === undefined) return start(404, 'badCode')
      const entered = await options.enterCode(code, address)
      switch (entered.kind) {
        case 'found':
          return plainAnswer(303, '', ['Location', `${home}/${links.tokenFor(entered.pairId, now())}`])
        case 'limited':
          return start(429, 'tooMany')
        case 'unknown':
          return start(404, 'badCode')
      }
    },
  }
}

/** What was wanting when the page was shown, by its own account, and is not any more. */
function correctedOf(was: string, { wanting }: HeldDevice, { settings }: PageTexts): readonly Setting[] {
  const before = was.split(' ')
  return (Object.keys(settings) as Setting[]).filter(
    (setting) => before.includes(setting) && !wanting.includes(setting),
  )
}
