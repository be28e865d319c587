import {
  bytesOf,
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
const operationStatus = { notFound: 6, noAttachment: 15, denied: 16, badTarget: 156 } as const

/**
 * ItemOperations: the message can be fetched, always inline, which a client that asks for several parts must take too.
 * Nothing else is there, and nothing is done.
 */
export function itemOperations(command: QuarantinedCommand): Answer {
  const operations = readOperations(command.root)
  if (operations === undefined) return statusAnswer(top, 2)
  if (operations.length > maxOperations) return statusAnswer(top, 11)
  return itemOperationsAnswer(operations.map((operation) => answerOperation(command, operation)))
}

const operationNames: ReadonlySet<QualifiedName> = new Set([
  'ItemOperations:Fetch',
  'ItemOperations:EmptyFolderContents',
  'ItemOperations:Move',
])

/** The operations of a request; undefined where there is none, or something else: no other name comes back. */
export function readOperations(root: WbxmlElement | undefined): readonly WbxmlElement[] | undefined {
  const operations = children(root)
  const areKnown = operations.length > 0 && operations.every(({ name }) => operationNames.has(name))
  return areKnown ? operations : undefined
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
  if (operation.name === 'ItemOperations:Fetch') return fetchItem(command, operation)
  const isMove = operation.name === 'ItemOperations:Move'
  return failedOperation(operation, isMove ? operationStatus.badTarget : operationStatus.denied)
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

const idNames: ReadonlySet<QualifiedName> = new Set([
  'AirSync:CollectionId',
  'AirSync:ServerId',
  'Search:LongId',
  'DocumentLibrary:LinkId',
  'AirSyncBase:FileReference',
])

/** What the client named, by which it knows the answer again. A conversation is named by bytes. */
function namesIn(operation: WbxmlElement): readonly WbxmlElement[] {
  return children(operation).flatMap((named) => {
    if (idNames.has(named.name)) return [text(named.name, textOf(named) ?? '')]
    return named.name === 'ItemOperations:ConversationId' ? [element(named.name, bytesOf(named) ?? '')] : []
  })
}
