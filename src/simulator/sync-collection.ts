import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { element } from '#eas/wbxml/element.ts'
import { encodeWbxml } from '#eas/wbxml/encode.ts'
import { text } from './answer.ts'
import type { ItemOptions } from './body.ts'
import { defaultItemOptions } from './body.ts'
import type { CommandContext } from './context.ts'
import { flagElements, mailElements } from './item.ts'
import type { Folder } from './mailbox.ts'
import { classOf } from './mailbox.ts'
import { runCommands } from './sync-commands.ts'
import type { CollectionRequest } from './sync-request.ts'
import type { CollectionState, Difference } from './sync-state.ts'
import { differences, mark } from './sync-state.ts'

/** What one collection of a Sync came to. `quiet`: nothing happened, the key stays. */
export interface CollectionOutcome {
  readonly quiet: boolean
  readonly element: WbxmlElement
  /** Server changes in it, for the window of the whole answer. */
  readonly changes: number
}

/**
 * Does one collection of a Sync. Key 0 starts anew, a wrong key is Status 3, and the key before the current one gives
 * the same answer again; if the client asks something else with it, the step is undone and done anew.
 */
export function syncCollection(
  context: CommandContext,
  request: CollectionRequest,
  window: number,
): CollectionOutcome {
  const { device, account } = context
  const folder = account.mailbox.folder(request.collectionId)
  const said = (status: number, key: string, ...rest: readonly WbxmlElement[]): WbxmlElement =>
    collectionElement(context, request, folder, key, status, rest)
  const failed = (status: number): CollectionOutcome => ({
    quiet: false,
    element: said(status, '0'),
    changes: 0,
  })
  // The folder tree is not what the client thinks: FolderSync first.
  if (folder === undefined) return failed(12)
  if (request.syncKey === '0') {
    if (request.commands.length > 0) return failed(4)
    const options = request.options ?? defaultItemOptions
    const key = context.nextKey()
    device.collections.set(folder.serverId, { key, known: new Map(), options, previous: undefined })
    return { quiet: false, element: said(1, key), changes: 0 }
  }
  const stored = device.collections.get(folder.serverId)
  const asked = encodeWbxml(request.element).toString('base64')
  const { previous } = stored ?? {}
  const repeated = previous?.state.key === request.syncKey
  if (previous !== undefined && repeated && previous.request === asked) {
    return { quiet: false, element: previous.answer, changes: 0 }
  }
  const state = repeated ? previous?.state : stored
  if (state === undefined || state.key !== request.syncKey) return failed(3)
  const options = request.options ?? state.options
  const known = new Map(state.known)
  const responses = runCommands(context, folder, request, options, known)
  const found = request.getChanges
    ? differences(account.mailbox, folder.serverId, { known, options }, context.organization.now())
    : []
  if (request.commands.length === 0 && found.length === 0) {
    device.collections.set(folder.serverId, { ...state, options })
    return { quiet: true, element: said(1, state.key), changes: 0 }
  }
  const sent = found.slice(0, Math.min(window, request.windowSize))
  const commands = sent.map((difference) => changeElement(context, options, known, difference))
  const key = context.nextKey()
  const answer = said(
    1,
    key,
    ...(sent.length < found.length ? [element('AirSync:MoreAvailable')] : []),
    ...(responses.length > 0 ? [element('AirSync:Responses', ...responses)] : []),
    ...(commands.length > 0 ? [element('AirSync:Commands', ...commands)] : []),
  )
  const before: CollectionState = { ...state, previous: undefined }
  const next = { key, known, options, previous: { state: before, request: asked, answer } }
  device.collections.set(folder.serverId, next)
  return { quiet: false, element: answer, changes: sent.length }
}

/** Class stands first below 12.1 and nowhere later (protocol.md section 14). */
function collectionElement(
  { version }: CommandContext,
  request: CollectionRequest,
  folder: Folder | undefined,
  key: string,
  status: number,
  rest: readonly WbxmlElement[],
): WbxmlElement {
  const className = request.className ?? (folder === undefined ? 'Email' : classOf(folder))
  return element(
    'AirSync:Collection',
    ...(version < 121 ? [text('AirSync:Class', className)] : []),
    text('AirSync:SyncKey', key),
    text('AirSync:CollectionId', request.collectionId),
    text('AirSync:Status', status),
    ...rest,
  )
}

/** One entry of Commands; `known` follows. */
function changeElement(
  { account, version }: CommandContext,
  options: ItemOptions,
  known: Map<string, string>,
  difference: Difference,
): WbxmlElement {
  if ('serverId' in difference) {
    known.delete(difference.serverId)
    const name = difference.kind === 'delete' ? 'AirSync:Delete' : 'AirSync:SoftDelete'
    return element(name, text('AirSync:ServerId', difference.serverId))
  }
  const { message, kind } = difference
  known.set(message.serverId, mark(message))
  const elements =
    kind === 'flags'
      ? flagElements(message, version)
      : mailElements(account.mailbox, message, version, options)
  return element(
    kind === 'add' ? 'AirSync:Add' : 'AirSync:Change',
    text('AirSync:ServerId', message.serverId),
    element('AirSync:ApplicationData', ...elements),
  )
}
