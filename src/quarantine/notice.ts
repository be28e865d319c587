import type { Reason } from '#policy/reasons.ts'
import type { Notice } from './mailbox.ts'
import { fillHtml, fillText } from './notice-template.ts'
import type { NoticeTexts } from './notice-texts.ts'

/** What a notice tells beside the reason. Texts of a client or a directory: nothing of them is trusted. */
export interface NoticeFacts {
  /** To the enrolment page. */
  readonly link: string
  /** The device as its user knows it: model, system. */
  readonly device: string
  readonly user: string
}

/** The longest value of a fact, the link apart, in characters: the body is to stay small. */
const maxFactCharacters = 40

/** The one message for a reason. The same input gives the same message, and so the same item on the phone. */
export function renderNotice(texts: NoticeTexts, reason: Reason, facts: NoticeFacts): Notice {
  const words = texts.reasons[reason] ?? texts.otherReasons
  const own = { device: shortText(facts.device), user: shortText(facts.user) }
  const values = {
    ...own,
    link: oneLine(facts.link),
    why: fillText(words.why, own),
    todo: fillText(words.todo, own),
  }
  return {
    senderName: oneLine(fillText(texts.senderName, values)),
    subject: oneLine(fillText(texts.subject, values)),
    text: fillText(texts.text, values),
    html: fillHtml(texts.html, values),
  }
}

/** Why, in the words of the message, for a page that anybody may read who has the link: without the user's name. */
export function whyOf({ reasons, otherReasons }: NoticeTexts, reason: Reason): string {
  return fillText((reasons[reason] ?? otherReasons).why, nobody)
}

const nobody = { user: '…', device: '…' }

function shortText(value: string): string {
  return Array.from(oneLine(value)).slice(0, maxFactCharacters).join('')
}

/** Without what could break out of a line or a header. T-39 */
function oneLine(value: string): string {
  return value
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .toWellFormed()
}
