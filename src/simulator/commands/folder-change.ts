import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { child, element, textOf } from '#eas/wbxml/element.ts'
import type { Answer } from '../answer.ts'
import { document, statusAnswer, text } from '../answer.ts'
import { numberIn } from '../body.ts'
import type { CommandContext } from '../context.ts'
import type { HierarchyState } from '../device.ts'
import { isSpecial } from '../mailbox.ts'
import { signature } from './folder-sync.ts'

type FolderCommand = 'FolderCreate' | 'FolderDelete' | 'FolderUpdate'

/** FolderCreate: 2 the name is taken, 5 no such parent, 9 wrong key, 10 malformed (protocol.md section 9). */
export function folderCreate(context: CommandContext): Answer {
  const { account, device } = context
  const state = stateFor(context)
  if (state === undefined) return statusAnswer('FolderCreate', 9)
  const parentId = textOf(child(context.document, 'FolderHierarchy:ParentId')) ?? '0'
  const displayName = textOf(child(context.document, 'FolderHierarchy:DisplayName')) ?? ''
  const type = numberIn(context.document, 'FolderHierarchy:Type') ?? 0
  if (displayName === '' || !isUserType(type)) return statusAnswer('FolderCreate', 10)
  if (!isParent(context, parentId)) return statusAnswer('FolderCreate', 5)
  if (isTaken(context, parentId, displayName)) return statusAnswer('FolderCreate', 2)
  const folder = account.mailbox.addFolder(parentId, displayName, type)
  const key = context.nextKey()
  const known = new Map([...state.known, [folder.serverId, signature(folder)]])
  device.hierarchy = { key, known, previous: undefined }
  return changed('FolderCreate', key, text('FolderHierarchy:ServerId', folder.serverId))
}

/** FolderDelete: 3 a special folder, 4 none of that id, 9 wrong key. */
export function folderDelete(context: CommandContext): Answer {
  const { account, device } = context
  const state = stateFor(context)
  if (state === undefined) return statusAnswer('FolderDelete', 9)
  const folder = account.mailbox.folder(textOf(child(context.document, 'FolderHierarchy:ServerId')) ?? '')
  if (folder === undefined) return statusAnswer('FolderDelete', 4)
  if (isSpecial(folder)) return statusAnswer('FolderDelete', 3)
  account.mailbox.removeFolder(folder)
  const key = context.nextKey()
  const known = new Map(state.known)
  known.delete(folder.serverId)
  device.hierarchy = { key, known, previous: undefined }
  return changed('FolderDelete', key)
}

/** FolderUpdate: 2 the name is taken, 3 a special folder, 4 none of that id, 5 no such parent, 9 wrong key. */
export function folderUpdate(context: CommandContext): Answer {
  const { account, device } = context
  const state = stateFor(context)
  if (state === undefined) return statusAnswer('FolderUpdate', 9)
  const folder = account.mailbox.folder(textOf(child(context.document, 'FolderHierarchy:ServerId')) ?? '')
  if (folder === undefined) return statusAnswer('FolderUpdate', 4)
  if (isSpecial(folder)) return statusAnswer('FolderUpdate', 3)
  const parentId = textOf(child(context.document, 'FolderHierarchy:ParentId')) ?? folder.parentId
  const displayName = textOf(child(context.document, 'FolderHierarchy:DisplayName')) ?? folder.displayName
  if (!isParent(context, parentId)) return statusAnswer('FolderUpdate', 5)
  if (isTaken(context, parentId, displayName)) return statusAnswer('FolderUpdate', 2)
  const updated = account.mailbox.updateFolder(folder, parentId, displayName)
  const key = context.nextKey()
  const known = new Map([...state.known, [folder.serverId, signature(updated)]])
  device.hierarchy = { key, known, previous: undefined }
  return changed('FolderUpdate', key)
}

/** The folder tree of the device, if the request has its key. */
function stateFor({ device, document: request }: CommandContext): HierarchyState | undefined {
  const key = textOf(child(request, 'FolderHierarchy:SyncKey'))
  return device.hierarchy?.key === key ? device.hierarchy : undefined
}

function changed(command: FolderCommand, key: string, ...rest: readonly WbxmlElement[]): Answer {
  const status = text('FolderHierarchy:Status', 1)
  return document(
    element(`FolderHierarchy:${command}`, status, text('FolderHierarchy:SyncKey', key), ...rest),
  )
}

function isParent({ account }: CommandContext, parentId: string): boolean {
  return parentId === '0' || account.mailbox.folder(parentId) !== undefined
}

function isTaken({ account }: CommandContext, parentId: string, displayName: string): boolean {
  const siblings = account.mailbox.folders().filter((folder) => folder.parentId === parentId)
  return siblings.some((folder) => folder.displayName === displayName)
}

/** Types that a user may make: 1 and 12 to 17 (protocol.md section 14). */
function isUserType(type: number): boolean {
  return type === 1 || (type >= 12 && type <= 17)
}
