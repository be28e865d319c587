import {
  child,
  children,
  element,
  textOf,
  type QualifiedName,
  type WbxmlElement,
} from '#eas/wbxml/element.ts'
import { documentAnswer, statusAnswer, text, type Answer } from '../answer.ts'
import { chooseBodyPart } from '../body-choice.ts'
import type { QuarantinedCommand } from '../command.ts'
import { itemOfServerId } from '../inbox-state.ts'
import { chosenBody, itemElements } from '../item.ts'
import { inboxId } from '../own-ids.ts'

const top = 'ItemOperations:ItemOperations'
const maxOperations = 100

/** What each status of an operation says here. shared/eas/protocol.md, section 9 */
const operationStatus = { protocol: 2, notFound: 6, noAttachment: 15, denied: 16, badTarget: 156 } as const

/**
 * ItemOperations: the message can be fetched, always inline, which a client that asks for several parts must take too.
 * Nothing else is there, and nothing is done.
 */
export function itemOperations(command: QuarantinedCommand): Answer {
  const operations = children(command.root)
  if (operations.length === 0) return statusAnswer(top, 2)
  if (operations.length > maxOperations) return statusAnswer(top, 11)
  return itemOperationsAnswer(operations.map((operation) => answerOperation(command, operation)))
}

/** One Response that holds what became of each operation. */
export function itemOperationsAnswer(results: readonly WbxmlElement[]): Answer {
  return documentAnswer(
    element(top, text('ItemOperations:Status', 1), element('ItemOperations:Response', ...results)),
  )
}

/** An operation that failed, with the names that the client gave. */
export function failedOperation(operation: WbxmlElement, status: number): WbxmlElement {
  return element(operation.name, text('ItemOperations:Status', status), ...namesIn(operation))
}

function answerOperation(command: QuarantinedCommand, operation: WbxmlElement): WbxmlElement {
  switch (operation.name) {
    case 'ItemOperations:Fetch':
      return fetchItem(command, operation)
    case 'ItemOperations:EmptyFolderContents':
      return failedOperation(operation, operationStatus.denied)
    case 'ItemOperations:Move':
      return failedOperation(operation, operationStatus.badTarget)
    default:
      return failedOperation(operation, operationStatus.protocol)
  }
}

function fetchItem({ version, mailbox }: QuarantinedCommand, fetch: WbxmlElement): WbxmlElement {
  if (child(fetch, 'AirSyncBase:FileReference') !== undefined) {
    return failedOperation(fetch, operationStatus.noAttachment)
  }
  const inInbox = textOf(child(fetch, 'AirSync:CollectionId')) === inboxId
  const serverId = textOf(child(fetch, 'AirSync:ServerId')) ?? ''
  const id = inInbox ? itemOfServerId(serverId, mailbox.notice) : undefined
  if (id === undefined) return failedOperation(fetch, operationStatus.notFound)
  const options = child(fetch, 'ItemOperations:Options')
  const form = {
    version,
    // no key says here whether it was read; the client knows
    read: false,
    body: chosenBody(mailbox, options, version),
    bodyPart: chooseBodyPart(options, version),
  }
  return element(
    fetch.name,
    text('ItemOperations:Status', 1),
    ...namesIn(fetch),
    text('AirSync:Class', 'Email'),
    element('ItemOperations:Properties', ...itemElements(mailbox, id, form)),
  )
}

const names: ReadonlySet<QualifiedName> = new Set([
  'AirSync:CollectionId',
  'AirSync:ServerId',
  'Search:LongId',
  'DocumentLibrary:LinkId',
  'AirSyncBase:FileReference',
  'ItemOperations:ConversationId',
])

/** A ConversationId is bytes and goes back as bytes. */
function namesIn(operation: WbxmlElement): readonly WbxmlElement[] {
  return children(operation)
    .filter(({ name }) => names.has(name))
    .map((named) =>
      named.name === 'ItemOperations:ConversationId' ? named : text(named.name, textOf(named) ?? ''),
    )
}
