import { child, children, element, textOf } from '#eas/wbxml/element.ts'
import type { Answer } from '../answer.ts'
import { document, statusAnswer, text } from '../answer.ts'
import type { CommandContext } from '../context.ts'
import { folderIdOf } from '../mailbox.ts'
import { findMail, rangeOf } from '../search-index.ts'

/** Characters of text in a hit. */
const previewLength = 255

/** Find (16.1) in the mailbox. Statuses: 1, 2 protocol, 4 range (protocol.md section 9). */
export function find({ document: request, account }: CommandContext): Answer {
  const criterion = child(child(request, 'Find:ExecuteSearch'), 'Find:MailBoxSearchCriterion')
  const query = child(criterion, 'Find:Query')
  if (query === undefined) return statusAnswer('Find', 2)
  const folderIds = children(query, 'AirSync:CollectionId').map((id) => textOf(id) ?? '')
  const hits = findMail(account.mailbox, textOf(child(query, 'Find:FreeText')) ?? '', folderIds)
  const found = rangeOf(hits, textOf(child(child(criterion, 'Find:Options'), 'Find:Range')))
  if (found.results.length === 0 && hits.length > 0) return statusAnswer('Find', 4)
  const results = found.results.map((message) =>
    element(
      'Find:Result',
      text('AirSync:Class', 'Email'),
      text('AirSync:ServerId', message.serverId),
      text('AirSync:CollectionId', folderIdOf(message.serverId)),
      element(
        'Find:Properties',
        text('Email:Subject', message.subject),
        text('Email:DateReceived', new Date(message.receivedAt).toISOString()),
        text('Email:DisplayTo', message.to),
        text('Email:Importance', 1),
        text('Email:Read', message.read ? 1 : 0),
        text('Find:Preview', message.text.slice(0, previewLength)),
        text('Find:HasAttachments', message.attachments.length > 0 ? 1 : 0),
        text('Email:From', message.from),
      ),
    ),
  )
  return document(
    element(
      'Find:Find',
      text('Find:Status', 1),
      element(
        'Find:Response',
        text('ItemOperations:Store', 'Mailbox'),
        text('Find:Status', 1),
        ...results,
        ...(results.length > 0 ? [text('Find:Range', found.range)] : []),
        text('Find:Total', found.total),
      ),
    ),
  )
}
