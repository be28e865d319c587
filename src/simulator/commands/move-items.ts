import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { child, children, element, textOf } from '#eas/wbxml/element.ts'
import type { Answer } from '../answer.ts'
import { commonStatus, document, text } from '../answer.ts'
import type { CommandContext } from '../context.ts'
import { classOf, folderIdOf } from '../mailbox.ts'

/** MoveItems. 3 is success; 1 bad source, 2 bad target, 4 the same folder (protocol.md section 9). */
export function moveItems(context: CommandContext): Answer {
  const moves = children(context.document, 'Move:Move')
  if (moves.length === 0) return commonStatus('MoveItems', context.version, 103)
  return document(element('Move:MoveItems', ...moves.map((move) => moveOne(context, move))))
}

function moveOne({ account }: CommandContext, move: WbxmlElement): WbxmlElement {
  const { mailbox } = account
  const messageId = textOf(child(move, 'Move:SrcMsgId')) ?? ''
  const sourceId = textOf(child(move, 'Move:SrcFldId'))
  const target = mailbox.folder(textOf(child(move, 'Move:DstFldId')) ?? '')
  const reply = (status: number, ...rest: readonly WbxmlElement[]): WbxmlElement =>
    element('Move:Response', text('Move:SrcMsgId', messageId), text('Move:Status', status), ...rest)
  const message = mailbox.message(messageId)
  if (message === undefined || folderIdOf(messageId) !== sourceId) return reply(1)
  if (target === undefined || classOf(target) !== 'Email') return reply(2)
  if (target.serverId === sourceId) return reply(4)
  return reply(3, text('Move:DstMsgId', mailbox.move(message, target).serverId))
}
