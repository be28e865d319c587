import type { CommandName } from '#eas/commands.ts'
import { EasError } from '#eas/errors.ts'
import type { EasRequest } from '#eas/parse.ts'
import type { ProtocolVersion } from '#eas/versions.ts'
import { decodeWbxml } from '#eas/wbxml/decode.ts'
import {
  child,
  children,
  element,
  textOf,
  type QualifiedName,
  type WbxmlElement,
} from '#eas/wbxml/element.ts'
import { commonStatus, documentAnswer, statusAnswer, type Answer } from './answer.ts'
import { versionOf } from './command.ts'
import { estimateFailure } from './commands/get-item-estimate.ts'
import { failedOperation, itemOperationsAnswer, readOperations } from './commands/item-operations.ts'
import {
  failedMeeting,
  failedMove,
  failedSearch,
  meetingResponseAnswer,
  moveItemsAnswer,
} from './commands/items.ts'
import { collectionsAnswer } from './commands/sync.ts'
import { isOwn, ownPrefix } from './own-ids.ts'
import { failedCollection } from './sync-collection.ts'
import { readCollections } from './sync-request.ts'

/**
 * The answer to a command that names what only the quarantine mailbox had, from a device that is let in by now: it leads
 * the client to key 0 with Exchange. Undefined for every other request: that one goes to Exchange. Costs a search through
 * the body where nothing of ours is in it, which is nearly always. shared/eas/protocol.md, section 15
 * @param body as far as it is at hand; what is not complete names nothing
 */
export function answerAfterRelease(request: EasRequest, body: Buffer): Answer | undefined {
  const { command } = request
  const version = versionOf(request)
  if (isSmart(command) && namesOwnInQuery(request)) {
    return commonStatus(`ComposeMail:${command}`, version, itemNotFound)
  }
  const reader = readers.get(command)
  if (reader === undefined || !body.includes(ownPrefix)) return undefined
  const root = readable(body)
  return root === undefined ? undefined : reader(root, version)
}

/** The original is not there: a client then sends its reply as a mail of its own. 500 is what it knows below 14.0. */
const itemNotFound = { status: 150, httpStatus: 500 } as const

/** Statuses by what they make a client do. shared/eas/protocol.md, section 9 */
const folderSyncFirst = { ping: 7, sync: 12, hierarchy: 9, search: 11, find: 3, estimate: 2 } as const
const keyIsBad = { sync: 3, estimate: 4 } as const
const notFound = { operation: 6, moveSource: 1, moveTarget: 2, meeting: 2 } as const
/** For the other items of such a request, which Exchange has not seen. */
const tryAgain = { sync: 16, operation: 3, move: 7, meeting: 4 } as const

type Reader = (root: WbxmlElement, version: ProtocolVersion) => Answer | undefined

/** The commands that name folders, items or keys; each gives undefined where none of them is ours. */
const readers: ReadonlyMap<EasRequest['command'], Reader> = new Map<CommandName, Reader>([
  ['Sync', afterSync],
  ['FolderSync', hierarchyReader('FolderHierarchy:FolderSync')],
  ['FolderCreate', hierarchyReader('FolderHierarchy:FolderCreate')],
  ['FolderDelete', hierarchyReader('FolderHierarchy:FolderDelete')],
  ['FolderUpdate', hierarchyReader('FolderHierarchy:FolderUpdate')],
  ['Ping', (root) => (namesOwn(root) ? statusAnswer('Ping:Ping', folderSyncFirst.ping) : undefined)],
  ['GetItemEstimate', afterGetItemEstimate],
  ['ItemOperations', afterItemOperations],
  ['MoveItems', afterMoveItems],
  ['MeetingResponse', afterMeetingResponse],
  ['Search', (root) => (namesOwn(root) ? failedSearch(folderSyncFirst.search) : undefined)],
  ['Find', (root) => (namesOwn(root) ? statusAnswer('Find:Find', folderSyncFirst.find) : undefined)],
  ['SmartForward', smartReader('ComposeMail:SmartForward')],
  ['SmartReply', smartReader('ComposeMail:SmartReply')],
])

/**
 * A folder with our key starts at 0 (3). Our folder at key 0 is one that Exchange does not have (12). Folders of Exchange
 * beside ours are to be asked for again (16): what they carry was not seen.
 */
function afterSync(root: WbxmlElement, version: ProtocolVersion): Answer | undefined {
  const collections = readCollections(root)
  const own = collections.filter(({ syncKey, collectionId }) => isOwn(syncKey) || isOwn(collectionId))
  if (own.length === 0) return undefined
  if (own.length === collections.length && own.some(({ syncKey }) => syncKey === '0')) {
    return statusAnswer('AirSync:Sync', folderSyncFirst.sync)
  }
  const outcomes = collections.map((collection) => {
    if (!own.includes(collection)) {
      return failedCollection({ version }, collection, tryAgain.sync, collection.syncKey)
    }
    const status = collection.syncKey === '0' ? folderSyncFirst.sync : keyIsBad.sync
    return failedCollection({ version }, collection, status)
  })
  return collectionsAnswer(outcomes.map((outcome) => outcome.element))
}

function hierarchyReader(top: QualifiedName): Reader {
  return (root) => (namesOwn(root) ? statusAnswer(top, folderSyncFirst.hierarchy) : undefined)
}

/** Folders of Exchange beside ours are left out: nothing is known of them, and the client asks again. */
function afterGetItemEstimate(root: WbxmlElement): Answer | undefined {
  const own = children(child(root, 'GetItemEstimate:Collections')).filter((collection) =>
    namesOwn(collection),
  )
  if (own.length === 0) return undefined
  const responses = own.map((collection) => {
    const status = isOwn(textOf(child(collection, 'AirSync:SyncKey')))
      ? keyIsBad.estimate
      : folderSyncFirst.estimate
    return estimateFailure(status, textOf(child(collection, 'GetItemEstimate:CollectionId')) ?? '')
  })
  return documentAnswer(element('GetItemEstimate:GetItemEstimate', ...responses))
}

function afterItemOperations(root: WbxmlElement): Answer | undefined {
  const operations = readOperations(root)
  if (operations === undefined || !namesOwn(root)) return undefined
  const results = operations.map((operation) =>
    failedOperation(operation, namesOwn(operation) ? notFound.operation : tryAgain.operation),
  )
  return itemOperationsAnswer(results)
}

function afterMoveItems(root: WbxmlElement): Answer | undefined {
  if (!namesOwn(root)) return undefined
  const responses = children(root, 'Move:Move').map((move) => {
    if (!namesOwn(move)) return failedMove(move, tryAgain.move)
    const toOurs = isOwn(textOf(child(move, 'Move:DstFldId'))) && !isOwn(textOf(child(move, 'Move:SrcMsgId')))
    return failedMove(move, toOurs ? notFound.moveTarget : notFound.moveSource)
  })
  return moveItemsAnswer(responses)
}

function afterMeetingResponse(root: WbxmlElement): Answer | undefined {
  if (!namesOwn(root)) return undefined
  const results = children(root, 'MeetingResponse:Request').map((request) =>
    failedMeeting(request, namesOwn(request) ? notFound.meeting : tryAgain.meeting),
  )
  return meetingResponseAnswer(results)
}

/** From 14.0 on the original is named in the body. */
function smartReader(top: 'ComposeMail:SmartForward' | 'ComposeMail:SmartReply'): Reader {
  return (root, version) => (namesOwn(root) ? commonStatus(top, version, itemNotFound) : undefined)
}

function isSmart(command: EasRequest['command']): command is 'SmartForward' | 'SmartReply' {
  return command === 'SmartForward' || command === 'SmartReply'
}

/** Up to 12.1 the original is named in the query. [MS-ASHTTP] 2.2.1.1 */
function namesOwnInQuery({ query = '', queryForm }: EasRequest): boolean {
  if (queryForm === 'plain') return ownInPlainQuery.test(query)
  return Buffer.from(query, 'base64').includes(ownPrefix)
}

const ownInPlainQuery = new RegExp(`(?:^|&)(?:CollectionId|ItemId|LongId)=${ownPrefix}`, 'i')

/** The elements that hold a key or id; others hold what people write. */
const idNames: ReadonlySet<QualifiedName> = new Set([
  'AirSync:SyncKey',
  'AirSync:CollectionId',
  'AirSync:ServerId',
  'FolderHierarchy:SyncKey',
  'FolderHierarchy:ServerId',
  'FolderHierarchy:ParentId',
  'GetItemEstimate:CollectionId',
  'Ping:Id',
  'Move:SrcMsgId',
  'Move:SrcFldId',
  'Move:DstFldId',
  'MeetingResponse:CollectionId',
  'MeetingResponse:RequestId',
  'ItemOperations:DstFldId',
  'Search:LongId',
  'AirSyncBase:FileReference',
  'ComposeMail:FolderId',
  'ComposeMail:ItemId',
  'ComposeMail:LongId',
])

/** True where a key or id inside of an element is ours; the decoder has bounded the depth. */
function namesOwn(parent: WbxmlElement): boolean {
  return children(parent).some(
    (inner) => (idNames.has(inner.name) && isOwn(textOf(inner))) || namesOwn(inner),
  )
}

/** What cannot be read is for Exchange to refuse. */
function readable(body: Buffer): WbxmlElement | undefined {
  try {
    return decodeWbxml(body)
  } catch (error) {
    if (error instanceof EasError) return undefined
    throw error
  }
}
