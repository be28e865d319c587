import { bytesOf, child, textOf } from '#eas/wbxml/element.ts'
import type { Answer, CommandName } from '../answer.ts'
import { commonStatus, emptyAnswer } from '../answer.ts'
import type { CommandContext } from '../context.ts'
import { folderType } from '../mailbox.ts'
import type { Message, MessageContent } from '../message.ts'
import type { ParsedMail } from '../mime-parse.ts'
import { addressesIn, parseMail } from '../mime-parse.ts'

/** What a client hands in, whichever way the version has for it. */
interface Composition {
  readonly mime: Uint8Array
  readonly saveInSent: boolean
  /** The item that is replied to or forwarded. */
  readonly sourceId: string | undefined
  /** The client wrote the source into its text already. */
  readonly replaceMime: boolean
  readonly clientId: string | undefined
}

/**
 * SendMail, SmartReply, SmartForward. Success is an empty 200; a Status is only sent on failure (protocol.md section 8):
 * 107 no mail, 118 sent before, 119 no recipient, 150 no such source.
 */
export function sendMail(context: CommandContext): Answer {
  const { account, device, organization, request, version } = context
  const composition = readComposition(context)
  const failed = (status: number): Answer => commonStatus(request.command, version, status)
  const { clientId } = composition
  if (clientId !== undefined && device.sentClientIds.has(clientId)) return failed(118)
  const mail = parseMail(composition.mime)
  if (mail === undefined) return failed(107)
  const recipients = [mail.to, mail.cc, mail.bcc].flatMap((list) => addressesIn(list))
  if (recipients.length === 0) return failed(119)
  const source = account.mailbox.message(composition.sourceId ?? '')
  if (source === undefined && request.command !== 'SendMail') return failed(150)
  const written = source === undefined || composition.replaceMime ? mail : quoting(mail, source)
  const content: MessageContent = {
    from: mail.from === '' ? account.upn : mail.from,
    to: mail.to,
    cc: mail.cc,
    subject: mail.subject,
    text: written.text,
    html: written.html,
    attachments: [...mail.attachments, ...forwarded(request.command, source)],
    receivedAt: organization.now(),
    read: true,
  }
  organization.submit(content, recipients)
  if (composition.saveInSent) account.mailbox.add(account.mailbox.folderOfType(folderType.sent), content)
  if (clientId !== undefined) device.sentClientIds.add(clientId)
  return emptyAnswer
}

/** Up to 12.1 the body is the mail and the rest stands in the query; from 14.0 all is in the document. */
function readComposition({ request, document, body, version }: CommandContext): Composition {
  if (version < 140) {
    return {
      mime: body,
      saveInSent: request.saveInSent,
      sourceId: request.longId ?? request.itemId,
      replaceMime: false,
      clientId: undefined,
    }
  }
  const source = child(document, 'ComposeMail:Source')
  return {
    mime: bytesOf(child(document, 'ComposeMail:Mime')) ?? new Uint8Array(0),
    saveInSent: child(document, 'ComposeMail:SaveInSentItems') !== undefined,
    sourceId: textOf(child(source, 'ComposeMail:LongId') ?? child(source, 'ComposeMail:ItemId')),
    replaceMime: child(document, 'ComposeMail:ReplaceMime') !== undefined,
    clientId: textOf(child(document, 'ComposeMail:ClientId')),
  }
}

/** The server puts the source's text under the client's. */
function quoting(mail: ParsedMail, source: Message): Pick<MessageContent, 'text' | 'html'> {
  const head = `From: ${source.from}\r\nTo: ${source.to}\r\nSubject: ${source.subject}`
  const quoted = `-----Original Message-----\r\n${head}\r\n\r\n${source.text}`
  const escaped = quoted.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return {
    text: `${mail.text}\r\n\r\n${quoted}`,
    html: mail.html === undefined ? undefined : `${mail.html}<pre>${escaped}</pre>`,
  }
}

function forwarded(command: CommandName, source: Message | undefined): Message['attachments'] {
  return command === 'SmartForward' && source !== undefined ? source.attachments : []
}
