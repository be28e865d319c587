import { isOlder, type ProtocolVersion } from '#eas/versions.ts'
import { element, type WbxmlElement } from '#eas/wbxml/element.ts'
import { text } from './answer.ts'
import type { BodyChoice, BodyType } from './body-choice.ts'

/** The message in the three forms that a client may ask for. */
export type Bodies = Readonly<Record<BodyType, string>>

/** The elements that carry the body up to 2.5: text, or the whole mail. shared/eas/protocol.md, section 14 */
export function bodyElements25(bodies: Bodies, choice: BodyChoice): readonly WbxmlElement[] {
  const { whole, part, truncated } = cut(bodies, choice)
  const size = Buffer.byteLength(whole)
  return choice.type === 4
    ? [
        text('Email:MIMETruncated', truncated ? 1 : 0),
        text('Email:MIMEData', part),
        text('Email:MIMESize', size),
      ]
    : [text('Email:BodyTruncated', truncated ? 1 : 0), text('Email:BodySize', size), text('Email:Body', part)]
}

/** `Body`, from 12.0 on. [MS-ASAIRS] 2.2.2.9 */
export function bodyElement(bodies: Bodies, choice: BodyChoice, version: ProtocolVersion): WbxmlElement {
  return element(
    'AirSyncBase:Body',
    text('AirSyncBase:Type', choice.type),
    ...contentElements(bodies, choice, !isOlder(version, '14.0')),
  )
}

/** `BodyPart`, from 14.1 on: the message itself, which quotes no other one. [MS-ASAIRS] 2.2.2.10 */
export function bodyPartElement(bodies: Bodies, choice: BodyChoice): WbxmlElement {
  return element(
    'AirSyncBase:BodyPart',
    text('AirSyncBase:Status', 1),
    text('AirSyncBase:Type', choice.type),
    ...contentElements(bodies, choice, true),
  )
}

function contentElements(bodies: Bodies, choice: BodyChoice, hasPreview: boolean): readonly WbxmlElement[] {
  const { whole, part, truncated } = cut(bodies, choice)
  const preview = hasPreview ? previewOf(bodies[1], choice.previewCharacters) : ''
  return [
    text('AirSyncBase:EstimatedDataSize', Buffer.byteLength(whole)),
    ...(truncated ? [text('AirSyncBase:Truncated', 1)] : []),
    ...(part === '' ? [] : [text('AirSyncBase:Data', part)]),
    ...(preview === '' ? [] : [text('AirSyncBase:Preview', preview)]),
  ]
}

function previewOf(plain: string, characters: number): string {
  return plain.replaceAll(/\s+/g, ' ').slice(0, characters).toWellFormed()
}

interface Cut {
  readonly whole: string
  readonly part: string
  readonly truncated: boolean
}

function cut(bodies: Bodies, { type, maxBytes, allOrNone }: BodyChoice): Cut {
  const whole = bodies[type]
  const bytes = Buffer.from(whole)
  if (bytes.length <= maxBytes) return { whole, part: whole, truncated: false }
  if (allOrNone) return { whole, part: '', truncated: true }
  // as a stream: the broken end of a character is left off
  const start = new TextDecoder().decode(bytes.subarray(0, maxBytes), { stream: true })
  return { whole, part: cleanEnd[type](start, whole), truncated: true }
}

/** Half a link leads nowhere, and half a tag or entity shows as text: neither is left at the end. */
const cleanEnd: Readonly<Record<BodyType, (start: string, whole: string) => string>> = {
  1: (start, whole) => (/^[!-~]/.test(whole.slice(start.length)) ? start.replace(/[!-~]+$/, '') : start),
  2: (start) => start.replace(/<[^>]*$|&[^;\s]*$/, ''),
  4: (start) => start,
}
