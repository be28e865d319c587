import { isOlder, type ProtocolVersion } from '#eas/versions.ts'
import { child, children, element, textOf, type WbxmlElement } from '#eas/wbxml/element.ts'
import { text } from './answer.ts'
import { chooseBodyPart, type BodyChoice } from './body-choice.ts'
import type { QuarantinedCommand } from './command.ts'
import {
  advance,
  inboxKey,
  nextStep,
  noticeDigest,
  openInboxKey,
  primedState,
  serverIdOf,
  type InboxState,
  type ItemId,
  type ServerChange,
} from './inbox-state.ts'
import { chosenBody, itemElements } from './item.ts'
import type { CollectionRequest } from './sync-request.ts'

/** What one collection of a Sync came to. `quiet`: nothing happened, the key stays. */
export interface CollectionOutcome {
  readonly quiet: boolean
  readonly element: WbxmlElement
}

/** Statuses of a Collection. shared/eas/protocol.md, section 9 */
const collectionStatus = { done: 1, badKey: 3, protocol: 4 } as const
/** Statuses of one item: not to be sent again as it is, and not here. */
const itemStatus = { done: 1, conversion: 6, gone: 8 } as const

/** Does a Sync of the Inbox. [MS-ASCMD] Sync */
export function syncInbox(command: QuarantinedCommand, request: CollectionRequest): CollectionOutcome {
  const { version, mailbox } = command
  const { syncKey, options, commands } = request
  if (syncKey === '0') {
    if (commands.length > 0) return failedCollection(command, request, collectionStatus.protocol)
    const primed = primedState(mailbox, chosenBody(mailbox, options, version))
    return {
      quiet: false,
      element: collectionElement(command, request, inboxKey(mailbox, primed), collectionStatus.done),
    }
  }
  const opened = openInboxKey(mailbox, syncKey)
  if (opened === undefined) return failedCollection(command, request, collectionStatus.badKey)
  const before = options === undefined ? opened : { ...opened, choice: chosenBody(mailbox, options, version) }
  const ran = runCommands(command, before, commands)
  const next = request.getChanges ? advance(ran.state, mailbox) : undefined
  if (commands.length === 0 && next === undefined) {
    return { quiet: true, element: collectionElement(command, request, syncKey, collectionStatus.done) }
  }
  const after = next?.state ?? ran.state
  const changes = next === undefined ? [] : changeElements(command, request, next.change, before.choice)
  const rest = [
    ...(next?.moreAvailable === true ? [element('AirSync:MoreAvailable')] : []),
    ...(ran.responses.length > 0 ? [element('AirSync:Responses', ...ran.responses)] : []),
    ...(changes.length > 0 ? [element('AirSync:Commands', ...changes)] : []),
  ]
  const key = inboxKey(mailbox, nextStep(after))
  return { quiet: false, element: collectionElement(command, request, key, collectionStatus.done, rest) }
}

/** A collection of which nothing was done. Its key is 0, the one to begin with again, unless the client's own stays good. */
export function failedCollection(
  command: { readonly version: ProtocolVersion },
  request: CollectionRequest,
  status: number,
  syncKey = '0',
): CollectionOutcome {
  return { quiet: false, element: collectionElement(command, request, syncKey, status) }
}

/** Class stands first below 12.1 and nowhere later. shared/eas/protocol.md, section 14 */
function collectionElement(
  { version }: { readonly version: ProtocolVersion },
  { className = 'Email', collectionId }: CollectionRequest,
  syncKey: string,
  status: number,
  rest: readonly WbxmlElement[] = [],
): WbxmlElement {
  return element(
    'AirSync:Collection',
    ...(isOlder(version, '12.1') ? [text('AirSync:Class', className)] : []),
    text('AirSync:SyncKey', syncKey),
    text('AirSync:CollectionId', collectionId),
    text('AirSync:Status', status),
    ...rest,
  )
}

function changeElements(
  command: QuarantinedCommand,
  { options }: CollectionRequest,
  change: ServerChange,
  body: BodyChoice,
): readonly WbxmlElement[] {
  switch (change.kind) {
    case 'none':
      return []
    case 'delete':
      return [element('AirSync:Delete', text('AirSync:ServerId', serverIdOf(change.id)))]
    case 'add':
      return [
        element(
          'AirSync:Add',
          text('AirSync:ServerId', serverIdOf(change.id)),
          applicationData(command, change.id, false, body, options),
        ),
      ]
  }
}

function applicationData(
  { version, mailbox }: QuarantinedCommand,
  id: ItemId,
  read: boolean,
  body: BodyChoice,
  options: WbxmlElement | undefined,
): WbxmlElement {
  const form = { version, read, body, bodyPart: chooseBodyPart(options, version) }
  return element('AirSync:ApplicationData', ...itemElements(mailbox, id, form))
}

interface CommandsRun {
  readonly state: InboxState
  /** For what failed and what was fetched: a change or delete that worked has none. */
  readonly responses: readonly WbxmlElement[]
}

/**
 * Does what the client did: it may read, delete and fetch our own message. Everything else fails by itself, so that the
 * client keeps what it made and knows that it was not taken.
 */
function runCommands(
  command: QuarantinedCommand,
  before: InboxState,
  commands: readonly WbxmlElement[],
): CommandsRun {
  let state = before
  const responses: WbxmlElement[] = []
  for (const asked of commands) {
    const held = state.item === 'unread' || state.item === 'read' ? state : undefined
    const serverId = textOf(child(asked, 'AirSync:ServerId')) ?? ''
    const fail = (status: number) => {
      responses.push(element(asked.name, text('AirSync:ServerId', serverId), text('AirSync:Status', status)))
    }
    if (asked.name === 'AirSync:Add') responses.push(refusedAdd(asked))
    else if (held === undefined || serverId !== serverIdOf(held)) fail(itemStatus.gone)
    else if (asked.name === 'AirSync:Delete') state = { ...state, item: 'deleted' }
    else if (asked.name === 'AirSync:Fetch') {
      // a message that became another is not here any more: its Delete is on the way
      if (held.digest === noticeDigest(command.mailbox.notice))
        responses.push(fetchedItem(command, held, serverId))
      else fail(itemStatus.gone)
    } else {
      const read = readFlag(asked)
      if (read === undefined) fail(itemStatus.conversion)
      else state = { ...state, item: read ? 'read' : 'unread' }
    }
  }
  return { state, responses }
}

/** The new read flag of a Change that has nothing else; undefined for any other. */
function readFlag(change: WbxmlElement): boolean | undefined {
  const [only, ...others] = children(child(change, 'AirSync:ApplicationData'))
  if (only?.name !== 'Email:Read' || others.length > 0) return undefined
  const flag = textOf(only)
  return flag === '1' ? true : flag === '0' ? false : undefined
}

/** A draft, or a text message: the client keeps it. */
function refusedAdd(add: WbxmlElement): WbxmlElement {
  return element(
    'AirSync:Add',
    text('AirSync:ClientId', textOf(child(add, 'AirSync:ClientId')) ?? ''),
    text('AirSync:Status', itemStatus.conversion),
  )
}

/** Whole: a client fetches what it was given only a part of. */
function fetchedItem(command: QuarantinedCommand, held: InboxState, serverId: string): WbxmlElement {
  const whole = { ...held.choice, maxBytes: Infinity }
  return element(
    'AirSync:Fetch',
    text('AirSync:ServerId', serverId),
    text('AirSync:Status', itemStatus.done),
    applicationData(command, held, held.item === 'read', whole, undefined),
  )
}
