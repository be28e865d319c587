import { createHash } from 'node:crypto'
import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { element } from '#eas/wbxml/element.ts'
import { text } from './answer.ts'
import type { CarryBody, ItemOptions } from './body.ts'
import { bodyElement, carryInline, nativeBodyType } from './body.ts'
import type { Mailbox } from './mailbox.ts'
import { folderIdOf, folderType } from './mailbox.ts'
import type { Attachment, Message } from './message.ts'
import type { ProtocolVersion } from './versions.ts'

/**
 * The elements of a mail, in the order of protocol.md section 14, with what each protocol version has. They stand in
 * Sync's ApplicationData and in the Properties of ItemOperations and Search.
 */
export function mailElements(
  mailbox: Mailbox,
  message: Message,
  version: ProtocolVersion,
  options: ItemOptions,
  carry: CarryBody = carryInline,
): WbxmlElement[] {
  const cc = message.cc === '' ? [] : [text('Email:Cc', message.cc)]
  return [
    text('Email:To', message.to),
    ...cc,
    text('Email:From', message.from),
    text('Email:Subject', message.subject),
    text('Email:DateReceived', new Date(message.receivedAt).toISOString()),
    text('Email:DisplayTo', message.to),
    text('Email:ThreadTopic', threadTopic(message)),
    text('Email:Importance', 1),
    text('Email:Read', message.read ? 1 : 0),
    ...(version < 120 ? bodyOf25(message) : bodyOf12(message, version, options, carry)),
    text('Email:MessageClass', 'IPM.Note'),
    text('Email:InternetCPID', 65001),
    ...(version < 120 ? [] : tailOf12(message)),
    ...(version < 140 ? [] : conversation(message)),
    ...(version >= 160 && isDraft(mailbox, message) ? [text('Email2:IsDraft', 1)] : []),
  ]
}

/** What a Change that only concerns the flags carries. */
export function flagElements(message: Message, version: ProtocolVersion): WbxmlElement[] {
  const read = text('Email:Read', message.read ? 1 : 0)
  return version < 120 ? [read] : [read, flagElement(message)]
}

/** The FileReference of an attachment: the item's id and the attachment's place, from 1. */
export function fileReference(message: Message, index: number): string {
  return `${message.serverId}:${index + 1}`
}

/** The attachment that a FileReference or AttachmentName names. */
export function attachmentAt(mailbox: Mailbox, reference: string): Attachment | undefined {
  const colon = reference.lastIndexOf(':')
  const index = Number(reference.slice(colon + 1)) - 1
  return mailbox.message(reference.slice(0, colon))?.attachments[index]
}

/** True for an item that its user may still edit (16.0 and later). */
export function isDraft(mailbox: Mailbox, message: Message): boolean {
  return mailbox.folder(folderIdOf(message.serverId))?.type === folderType.drafts
}

function bodyOf25(message: Message): WbxmlElement[] {
  const attachments = message.attachments.map((attachment, index) =>
    element(
      'Email:Attachment',
      text('Email:AttName', fileReference(message, index)),
      text('Email:AttSize', attachment.content.length),
      text('Email:AttMethod', 1),
      text('Email:DisplayName', attachment.name),
    ),
  )
  return [
    ...(attachments.length === 0 ? [] : [element('Email:Attachments', ...attachments)]),
    text('Email:BodyTruncated', 0),
    text('Email:BodySize', Buffer.byteLength(message.text)),
    text('Email:Body', message.text),
  ]
}

function bodyOf12(
  message: Message,
  version: ProtocolVersion,
  options: ItemOptions,
  carry: CarryBody,
): WbxmlElement[] {
  const body = bodyElement(message, options, version >= 140, carry)
  if (message.attachments.length === 0) return [body]
  const attachments = message.attachments.map((attachment, index) => {
    const inline = attachment.contentId !== undefined
    return element(
      'AirSyncBase:Attachment',
      text('AirSyncBase:DisplayName', attachment.name),
      text('AirSyncBase:FileReference', fileReference(message, index)),
      text('AirSyncBase:Method', 1),
      text('AirSyncBase:EstimatedDataSize', attachment.content.length),
      ...(inline ? [text('AirSyncBase:ContentId', attachment.contentId)] : []),
      text('AirSyncBase:IsInline', inline ? 1 : 0),
    )
  })
  return [body, element('AirSyncBase:Attachments', ...attachments)]
}

function tailOf12(message: Message): WbxmlElement[] {
  return [
    flagElement(message),
    text('Email:ContentClass', 'urn:content-classes:message'),
    text('AirSyncBase:NativeBodyType', nativeBodyType(message)),
  ]
}

/** An empty Flag is no flag. */
function flagElement(message: Message): WbxmlElement {
  return message.flagged ? element('Email:Flag', text('Email:Status', 2)) : element('Email:Flag')
}

/** 16 bytes that all mail of one topic shares, and 5 of the time of a first message; both must be OPAQUE. */
function conversation(message: Message): WbxmlElement[] {
  const id = createHash('sha256').update(threadTopic(message).toLowerCase()).digest().subarray(0, 16)
  const index = Buffer.alloc(5)
  index.writeUInt8(1)
  index.writeUInt32BE(Math.floor(message.receivedAt / 1000) >>> 0, 1)
  return [element('Email2:ConversationId', id), element('Email2:ConversationIndex', index)]
}

function threadTopic(message: Message): string {
  return message.subject.replace(/^(?:(?:re|fwd?|aw|wg):\s*)+/i, '')
}
