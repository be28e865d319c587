import { isOlder, type ProtocolVersion } from '#eas/versions.ts'
import { element, type WbxmlElement } from '#eas/wbxml/element.ts'
import { text } from './answer.ts'
import { bodyElement, bodyElements25, bodyPartElement, type Bodies } from './body.ts'
import { chooseBody, type BodyChoice, type BodyType } from './body-choice.ts'
import { serverIdOf, type ItemId } from './inbox-state.ts'
import type { QuarantineMailbox } from './mailbox.ts'
import { composeMime, quoted } from './mime.ts'

/** How an item is given. */
export interface ItemForm {
  readonly version: ProtocolVersion
  readonly read: boolean
  readonly body: BodyChoice
  /** Undefined: no BodyPart was asked for. */
  readonly bodyPart: BodyChoice | undefined
}

/**
 * The elements of the message, each version with its own, in the order of Microsoft's schema. They stand in Sync's
 * ApplicationData and in the Properties of ItemOperations. shared/eas/protocol.md, section 14
 */
export function itemElements(
  mailbox: QuarantineMailbox,
  id: ItemId,
  form: ItemForm,
): readonly WbxmlElement[] {
  const { version, read, body, bodyPart } = form
  const { subject, senderName } = mailbox.notice
  const recipient = printable(mailbox.user)
  const bodies = bodiesOf(mailbox, id)
  const is25 = isOlder(version, '12.0')
  return [
    text('Email:To', recipient),
    text('Email:From', `${quoted(senderName)} <${senderAddress(recipient)}>`),
    text('Email:Subject', subject),
    text('Email:DateReceived', new Date(id.receivedSeconds * 1000).toISOString()),
    text('Email:DisplayTo', recipient),
    text('Email:ThreadTopic', subject),
    text('Email:Importance', 1),
    text('Email:Read', read ? 1 : 0),
    ...(is25 ? bodyElements25(bodies, body) : [bodyElement(bodies, body, version)]),
    ...(bodyPart === undefined ? [] : [bodyPartElement(bodies, bodyPart)]),
    text('Email:MessageClass', 'IPM.Note'),
    text('Email:InternetCPID', 65_001),
    ...(is25 ? [] : elementsOf12),
    ...(isOlder(version, '14.0') ? [] : conversationElements(id)),
  ]
}

/** The body that the Options of a client choose. */
export function chosenBody(
  mailbox: QuarantineMailbox,
  options: WbxmlElement | undefined,
  version: ProtocolVersion,
): BodyChoice {
  // the length is asked for rarely, and any date is as long as another
  const bytesOf = (type: BodyType) => Buffer.byteLength(bodiesOf(mailbox, lengthOnly)[type])
  return chooseBody(options, version, bytesOf)
}

const lengthOnly: ItemId = { receivedSeconds: 0, digest: '' }

const elementsOf12: readonly WbxmlElement[] = [
  element('Email:Flag'),
  text('Email:ContentClass', 'urn:content-classes:message'),
  text('AirSyncBase:NativeBodyType', 2),
]

function bodiesOf(mailbox: QuarantineMailbox, id: ItemId): Bodies {
  const { notice } = mailbox
  const recipient = printable(mailbox.user)
  return {
    1: notice.text,
    2: notice.html,
    get 4() {
      return composeMime({
        ...notice,
        recipient,
        senderAddress: senderAddress(recipient),
        messageId: `${serverIdOf(id)}@${domainOf(recipient)}`,
        sentAt: id.receivedSeconds * 1000,
      })
    },
  }
}

/** Nobody reads what is sent there; the proxy refuses it anyway. */
function senderAddress(recipient: string): string {
  return `no-reply@${domainOf(recipient)}`
}

/** Of an address, else one that never exists. RFC 2606 */
function domainOf(address: string): string {
  const [, domain = 'easgate.invalid'] = /@([A-Za-z0-9.-]+)$/.exec(address) ?? []
  return domain
}

/** A name that nobody has checked may hold anything. T-39 */
function printable(name: string): string {
  return name.replaceAll(/\p{Cc}/gu, '').toWellFormed()
}

/**
 * 16 bytes that name the conversation and 5 of the time it began, both OPAQUE: without them a client of 14.0 does not
 * show the message. [MS-ASEMAIL] ConversationId, ConversationIndex
 */
function conversationElements({ receivedSeconds, digest }: ItemId): readonly WbxmlElement[] {
  const index = Buffer.alloc(8)
  // 100 ns since 1601, of which the upper five bytes count
  index.writeBigUInt64BE((BigInt(receivedSeconds) + 11_644_473_600n) * 10_000_000n)
  return [
    element('Email2:ConversationId', Buffer.from(digest + digest, 'hex')),
    element('Email2:ConversationIndex', index.subarray(0, 5)),
  ]
}
