import type { Answer } from '../answer.ts'
import type { CommandContext } from '../context.ts'
import { attachmentAt } from '../item.ts'

/** GetAttachment, up to 12.1: the bytes of the file as they are, without WBXML. An unknown name is HTTP 500. */
export function getAttachment({ account, request }: CommandContext): Answer {
  const attachment = attachmentAt(account.mailbox, request.attachmentName ?? '')
  if (attachment === undefined) return { status: 500 }
  return { status: 200, contentType: 'application/octet-stream', body: attachment.content }
}
