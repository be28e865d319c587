import { isOlder, type ProtocolVersion } from '#eas/versions.ts'
import { child, children, textOf, type QualifiedName, type WbxmlElement } from '#eas/wbxml/element.ts'

/** 1 plain text, 2 HTML, 4 the whole message as MIME. [MS-ASAIRS] Type */
export type BodyType = 1 | 2 | 4

/** The form of a body that the client will be given. */
export interface BodyChoice {
  readonly type: BodyType
  /** Longer bodies are cut; Infinity where the client sets no bound. */
  readonly maxBytes: number
  /** Whole or not at all. */
  readonly allOrNone: boolean
  /** Characters of preview wanted, 0 to 255; from 14.0 on. */
  readonly previewCharacters: number
}

/** What holds without Options. shared/eas/protocol.md, section 14 */
export const wholeBody: BodyChoice = { type: 1, maxBytes: Infinity, allOrNone: false, previewCharacters: 0 }

/**
 * Reads the Options of Sync or ItemOperations.
 * @param bytesOf the length of the message in each form: a body that must not be cut gives way to a form that fits
 */
export function chooseBody(
  options: WbxmlElement | undefined,
  version: ProtocolVersion,
  bytesOf: (type: BodyType) => number,
): BodyChoice {
  if (options === undefined) return wholeBody
  return isOlder(version, '12.0') ? chooseBody25(options) : chooseListed(options, bytesOf)
}

/** MIME if the client takes all mail so, else HTML as the message is written in it, else the first of the others. */
function chooseListed(options: WbxmlElement, bytesOf: (type: BodyType) => number): BodyChoice {
  const listed = children(options, 'AirSyncBase:BodyPreference').flatMap((preference) => {
    const type = numberIn(preference, 'AirSyncBase:Type')
    return type === 1 || type === 2 || type === 4 ? [choiceOf(preference, type)] : []
  })
  const order: readonly BodyType[] = numberIn(options, 'AirSync:MIMESupport') === 2 ? [4, 2, 1] : [2, 1, 4]
  const ordered = order.flatMap((type) => listed.find((choice) => choice.type === type) ?? [])
  const fitting = ordered.find(({ type, maxBytes, allOrNone }) => !allOrNone || bytesOf(type) <= maxBytes)
  return fitting ?? ordered[0] ?? wholeBody
}

function choiceOf(preference: WbxmlElement, type: BodyType): BodyChoice {
  const truncation = numberIn(preference, 'AirSyncBase:TruncationSize')
  return {
    type,
    maxBytes: truncation ?? Infinity,
    // ignored without TruncationSize. [MS-ASAIRS] 2.2.2.3.2
    allOrNone: truncation !== undefined && numberIn(preference, 'AirSyncBase:AllOrNone') === 1,
    previewCharacters: Math.min(numberIn(preference, 'AirSyncBase:Preview') ?? 0, 255),
  }
}

/** Bytes behind the codes of 2.5 and its MIME form; a code behind the list means whole. */
const textTruncation = [0, 512, 1024, 2048, 5120, 10_240, 20_480, 51_200, 102_400] as const
const mimeTruncation = [0, 4096, 5120, 7168, 10_240, 20_480, 51_200, 102_400] as const

function chooseBody25(options: WbxmlElement): BodyChoice {
  const asMime = numberIn(options, 'AirSync:MIMESupport') === 2
  const code = numberIn(options, asMime ? 'AirSync:MIMETruncation' : 'AirSync:Truncation')
  const maxBytes =
    (code === undefined ? undefined : (asMime ? mimeTruncation : textTruncation)[code]) ?? Infinity
  return { ...wholeBody, type: asMime ? 4 : 1, maxBytes }
}

/** The bounds of a BodyPartPreference for HTML, the one form that a part has; from 14.1 on, and never remembered. */
export function chooseBodyPart(
  options: WbxmlElement | undefined,
  version: ProtocolVersion,
): BodyChoice | undefined {
  if (isOlder(version, '14.1')) return undefined
  const preference = child(options, 'AirSyncBase:BodyPartPreference')
  return numberIn(preference, 'AirSyncBase:Type') === 2 && preference !== undefined
    ? choiceOf(preference, 2)
    : undefined
}

/** The whole number that a child element holds; undefined where there is none. */
export function numberIn(parent: WbxmlElement | undefined, name: QualifiedName): number | undefined {
  const digits = textOf(child(parent, name))
  return digits !== undefined && /^\d{1,10}$/.test(digits) ? Number(digits) : undefined
}
