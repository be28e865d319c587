import type { DeviceInformation } from '#eas/device-information.ts'
import { hasBodyStatus, type ProtocolVersion } from '#eas/versions.ts'
import { element, type QualifiedName, type WbxmlElement } from '#eas/wbxml/element.ts'
import { encodeWbxml } from '#eas/wbxml/encode.ts'
import type { QuarantineMailbox } from './mailbox.ts'

/** A whole answer, for whoever holds the connection. */
export interface Answer {
  readonly kind: 'answer'
  /** HTTP status. */
  readonly status: number
  /** Name, value, name, value ... */
  readonly headers: readonly string[]
  /** Empty is a valid answer: a Sync without changes. */
  readonly body: Buffer
  /** What the client said of its device, to be remembered: it may be said only once. */
  readonly information?: DeviceInformation
}

/**
 * A Ping or Sync that waits, since there is nothing to tell. The caller holds it and sends exactly one of the answers.
 */
export interface Park {
  readonly kind: 'park'
  /** Asked by the client, within the bounds of the protocol. */
  readonly seconds: number
  /** When the time is over. */
  readonly whenOver: Answer
  /** When the device is let in: leads the client to a resync with Exchange. */
  readonly whenReleased: Answer
  /**
   * When the mailbox may have become another, as when the reason changed. Undefined: nothing is new for this client, it
   * waits on.
   */
  readonly whenChanged: (mailbox: QuarantineMailbox) => Answer | undefined
}

const wbxmlHeaders = ['Content-Type', 'application/vnd.ms-sync.wbxml'] as const

/** 200 with a document. */
export function documentAnswer(root: WbxmlElement): Answer {
  return { kind: 'answer', status: 200, headers: wbxmlHeaders, body: encodeWbxml(root) }
}

/** 200 with no body: nothing changed in any folder, from 12.1 on. shared/eas/protocol.md, section 10 */
export const emptyAnswer: Answer = {
  kind: 'answer',
  status: 200,
  headers: wbxmlHeaders,
  body: Buffer.alloc(0),
}

/** An HTTP status and no body. */
export function httpAnswer(status: number): Answer {
  return { kind: 'answer', status, headers: [], body: Buffer.alloc(0) }
}

/** The top element of a command with nothing but its Status: `statusAnswer('Ping:Ping', 7)`. */
export function statusAnswer(top: QualifiedName, status: number, ...rest: readonly WbxmlElement[]): Answer {
  const namespace = top.slice(0, top.indexOf(':'))
  return documentAnswer(element(top, text(`${namespace}:Status`, status), ...rest))
}

/** A common status: in the top element from 14.0 on, as an HTTP status before. [MS-ASCMD] 2.2.2 */
export function commonStatus(
  top: QualifiedName,
  version: ProtocolVersion,
  { status, httpStatus }: { readonly status: number; readonly httpStatus: number },
): Answer {
  return hasBodyStatus(version) ? statusAnswer(top, status) : httpAnswer(httpStatus)
}

/** An element with text; the tag alone where the text is empty. A NUL of a client, which would end it, is left out. */
export function text(name: QualifiedName, value: string | number): WbxmlElement {
  const content = String(value).replaceAll('\0', '')
  return content === '' ? element(name) : element(name, content)
}
