import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { child, children, element, textOf } from '#eas/wbxml/element.ts'
import type { Answer } from '../answer.ts'
import { document, statusAnswer, text } from '../answer.ts'
import { carryInline, readItemOptions } from '../body.ts'
import type { CommandContext } from '../context.ts'
import { attachmentAt, mailElements } from '../item.ts'
import { classOf, folderIdOf } from '../mailbox.ts'
import { multipartAnswer } from '../multipart.ts'

/** More operations than this are Status 11 (protocol.md section 10). */
const maxOperations = 100

/** What is carried beside the document in a multipart answer. Undefined: everything inline. */
type Parts = Buffer[] | undefined

/** ItemOperations: Fetch of mail and files, EmptyFolderContents; inline or multipart as the client asks. */
export function itemOperations(context: CommandContext): Answer {
  const operations = children(context.document)
  if (operations.length === 0) return statusAnswer('ItemOperations', 2)
  if (operations.length > maxOperations) return statusAnswer('ItemOperations', 11)
  const parts: Parts = context.request.acceptMultiPart ? [] : undefined
  const answers = operations.map((operation) => answerOperation(context, operation, parts))
  const root = element(
    'ItemOperations:ItemOperations',
    text('ItemOperations:Status', 1),
    element('ItemOperations:Response', ...answers),
  )
  return parts === undefined ? document(root) : multipartAnswer(root, parts)
}

function answerOperation(context: CommandContext, operation: WbxmlElement, parts: Parts): WbxmlElement {
  if (operation.name === 'ItemOperations:Fetch') return fetchItem(context, operation, parts)
  if (operation.name === 'ItemOperations:EmptyFolderContents') return emptyFolder(context, operation)
  // 155: this server has no conversations that a Move could hold on to. Others are no operations: 2.
  const status = operation.name === 'ItemOperations:Move' ? 155 : 2
  return element(operation.name, text('ItemOperations:Status', status))
}

/** 6 not found, 15 no such file (protocol.md section 9). */
function fetchItem(context: CommandContext, fetch: WbxmlElement, parts: Parts): WbxmlElement {
  const { mailbox } = context.account
  const reference = child(fetch, 'AirSyncBase:FileReference')
  if (reference !== undefined) return fetchFile(context, fetch, reference, parts)
  const longId = child(fetch, 'Search:LongId')
  const serverId = longId ?? child(fetch, 'AirSync:ServerId')
  const collectionId = child(fetch, 'AirSync:CollectionId')
  const named = longId === undefined && collectionId !== undefined ? [collectionId] : []
  if (serverId !== undefined) named.push(serverId)
  const message = mailbox.message(textOf(serverId) ?? '')
  const folder = mailbox.folder(folderIdOf(message?.serverId ?? ''))
  if (message === undefined || folder === undefined) {
    return element('ItemOperations:Fetch', text('ItemOperations:Status', 6), ...named)
  }
  const options = readItemOptions(child(fetch, 'ItemOperations:Options'))
  const carry = parts === undefined ? carryInline : (content: Buffer) => partElement(parts, content)
  const elements = mailElements(mailbox, message, context.version, options, carry)
  return element(
    'ItemOperations:Fetch',
    text('ItemOperations:Status', 1),
    ...named,
    text('AirSync:Class', classOf(folder)),
    element('ItemOperations:Properties', ...elements),
  )
}

/** A file, or the Range of it that is asked. Inline it is base64, as a part it is its bytes. */
function fetchFile(
  context: CommandContext,
  fetch: WbxmlElement,
  reference: WbxmlElement,
  parts: Parts,
): WbxmlElement {
  const attachment = attachmentAt(context.account.mailbox, textOf(reference) ?? '')
  if (attachment === undefined) {
    return element('ItemOperations:Fetch', text('ItemOperations:Status', 15), reference)
  }
  const whole = Buffer.from(attachment.content)
  const range = /^(\d{1,9})-(\d{1,9})$/.exec(
    textOf(child(child(fetch, 'ItemOperations:Options'), 'ItemOperations:Range')) ?? '',
  )
  const content = range === null ? whole : whole.subarray(Number(range[1]), Number(range[2]) + 1)
  const rangeElements = [
    text('ItemOperations:Range', range?.[0] ?? ''),
    text('ItemOperations:Total', whole.length),
  ]
  return element(
    'ItemOperations:Fetch',
    text('ItemOperations:Status', 1),
    reference,
    element(
      'ItemOperations:Properties',
      ...(range === null ? [] : rangeElements),
      text('AirSyncBase:ContentType', attachment.contentType),
      parts === undefined
        ? text('ItemOperations:Data', content.toString('base64'))
        : partElement(parts, content),
    ),
  )
}

function partElement(parts: Buffer[], content: Buffer): WbxmlElement {
  // Part 0 is the document itself.
  return text('ItemOperations:Part', parts.push(content))
}

function emptyFolder({ account }: CommandContext, operation: WbxmlElement): WbxmlElement {
  const collectionId = text('AirSync:CollectionId', textOf(child(operation, 'AirSync:CollectionId')) ?? '')
  const folder = account.mailbox.folder(textOf(collectionId) ?? '')
  for (const message of account.mailbox.messages(folder?.serverId ?? '')) account.mailbox.remove(message)
  const status = text('ItemOperations:Status', folder === undefined ? 6 : 1)
  return element('ItemOperations:EmptyFolderContents', status, collectionId)
}
