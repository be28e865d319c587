import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { child, children, element, textOf } from '#eas/wbxml/element.ts'
import { text } from './answer.ts'
import type { Message } from './message.ts'
import { composeMail } from './mime-compose.ts'

/** One BodyPreference of a client. */
export interface BodyPreference {
  /** 1 text, 2 HTML, 4 MIME. */
  readonly type: number
  /** Bytes; undefined: whole. */
  readonly truncationSize: number | undefined
  /** Give the body whole or not at all. */
  readonly allOrNone: boolean
  /** Characters of preview wanted (14.0 and later), 0 for none. */
  readonly previewLength: number
}

/** The part of a client's Options that shapes an item. */
export interface ItemOptions {
  /** Age filter, 0 for all. */
  readonly filterType: number
  /** 0 never MIME, 1 for S/MIME only, 2 for all. */
  readonly mimeSupport: number
  readonly bodyPreferences: readonly BodyPreference[]
}

/** What holds without Options: everything, as plain text (protocol.md section 14). */
export const defaultItemOptions: ItemOptions = { filterType: 0, mimeSupport: 0, bodyPreferences: [] }

/** Reads the Options of Sync, ItemOperations, Search or GetItemEstimate. */
export function readItemOptions(options: WbxmlElement | undefined): ItemOptions {
  return {
    filterType: numberIn(options, 'AirSync:FilterType') ?? 0,
    mimeSupport: numberIn(options, 'AirSync:MIMESupport') ?? 0,
    bodyPreferences: children(options, 'AirSyncBase:BodyPreference').map((preference) => ({
      type: numberIn(preference, 'AirSyncBase:Type') ?? 1,
      truncationSize: numberIn(preference, 'AirSyncBase:TruncationSize'),
      allOrNone: numberIn(preference, 'AirSyncBase:AllOrNone') === 1,
      previewLength: numberIn(preference, 'AirSyncBase:Preview') ?? 0,
    })),
  }
}

/** The number that a child element holds; undefined where there is none. */
export function numberIn(parent: WbxmlElement | undefined, name: WbxmlElement['name']): number | undefined {
  const digits = textOf(child(parent, name))
  return digits !== undefined && /^\d{1,10}$/.test(digits) ? Number(digits) : undefined
}

/** Turns body bytes into the element that carries them: Data, or Part in a multipart answer. */
export type CarryBody = (content: Buffer) => WbxmlElement

/** Carries a body inline. */
export const carryInline: CarryBody = (content) => text('AirSyncBase:Data', wholeCharacters(content))

/** The AirSyncBase:Body of a message: Type, EstimatedDataSize, Truncated, Data, Preview (protocol.md section 14). */
export function bodyElement(
  message: Message,
  options: ItemOptions,
  preview: boolean,
  carry: CarryBody,
): WbxmlElement {
  const preference = chosenPreference(message, options)
  const whole = bodyAs(message, preference.type)
  const limit = preference.truncationSize ?? whole.length
  const truncated = whole.length > limit
  const parts = [
    text('AirSyncBase:Type', preference.type),
    text('AirSyncBase:EstimatedDataSize', whole.length),
    text('AirSyncBase:Truncated', truncated ? 1 : 0),
  ]
  if (!truncated || !preference.allOrNone) parts.push(carry(whole.subarray(0, limit)))
  if (preview && preference.previewLength > 0) {
    parts.push(text('AirSyncBase:Preview', message.text.slice(0, preference.previewLength)))
  }
  return element('AirSyncBase:Body', ...parts)
}

/** The type that the message was written in: 2 where it has HTML. */
export function nativeBodyType(message: Message): 1 | 2 {
  return message.html === undefined ? 1 : 2
}

/** A type that the client listed: MIME where it asks for all mail as MIME, else the message's own, else the first. */
function chosenPreference(message: Message, options: ItemOptions): BodyPreference {
  const { bodyPreferences, mimeSupport } = options
  const ofType = (type: number): BodyPreference | undefined =>
    bodyPreferences.find((preference) => preference.type === type)
  return (
    (mimeSupport === 2 ? ofType(4) : undefined) ??
    ofType(nativeBodyType(message)) ??
    bodyPreferences.find((preference) => preference.type === 1 || preference.type === 2) ??
    ofType(4) ?? { type: 1, truncationSize: undefined, allOrNone: false, previewLength: 0 }
  )
}

function bodyAs(message: Message, type: number): Buffer {
  if (type === 4) return composeMail(message)
  if (type === 2) return Buffer.from(message.html ?? htmlOfText(message.text))
  return Buffer.from(message.text)
}

function htmlOfText(plain: string): string {
  const escaped = plain.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  return `<html><body>${escaped.replaceAll(/\r?\n/g, '<br>')}</body></html>`
}

/** Text of bytes that may have been cut inside a character: the broken end is left off. */
function wholeCharacters(bytes: Buffer): string {
  return new TextDecoder().decode(bytes, { stream: true })
}
