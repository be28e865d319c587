import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { child, element, textOf } from '#eas/wbxml/element.ts'
import type { Answer } from '../answer.ts'
import { document, statusAnswer, text } from '../answer.ts'
import type { CommandContext } from '../context.ts'
import type { Folder } from '../mailbox.ts'
import { negotiationHeaders } from '../versions.ts'

/** FolderSync with state: a wrong key is 9, the key before the current one gets its answer again. */
export function folderSync(context: CommandContext): Answer {
  const { device, account } = context
  const key = textOf(child(context.document, 'FolderHierarchy:SyncKey'))
  if (key === undefined) return statusAnswer('FolderSync', 10)
  const state = device.hierarchy
  if (key !== '0' && key === state?.previous?.key) return document(state.previous.answer)
  if (key !== '0' && key !== state?.key) return statusAnswer('FolderSync', 9)
  const known = key === '0' ? new Map<string, string>() : (state?.known ?? new Map<string, string>())
  const current = new Map(account.mailbox.folders().map((folder) => [folder.serverId, signature(folder)]))
  const changes = hierarchyChanges(account.mailbox.folders(), known)
  // Nothing changed: the key stays, so that clients may ask as often as they like.
  const nextKey = key !== '0' && changes.length === 0 ? key : context.nextKey()
  const answer = element(
    'FolderHierarchy:FolderSync',
    text('FolderHierarchy:Status', 1),
    text('FolderHierarchy:SyncKey', nextKey),
    element('FolderHierarchy:Changes', text('FolderHierarchy:Count', changes.length), ...changes),
  )
  if (nextKey !== key) {
    const previous = key === '0' ? undefined : { key, answer }
    device.hierarchy = { key: nextKey, known: current, previous }
  }
  return key === '0'
    ? { ...document(answer), headers: negotiationHeaders(context.behaviour.protocolVersions) }
    : document(answer)
}

/** A text that differs when the folder was renamed or moved. */
export function signature(folder: Folder): string {
  return JSON.stringify([folder.parentId, folder.displayName])
}

function hierarchyChanges(folders: readonly Folder[], known: ReadonlyMap<string, string>): WbxmlElement[] {
  const changes: WbxmlElement[] = []
  for (const folder of folders) {
    const before = known.get(folder.serverId)
    if (before === undefined) changes.push(folderElement('FolderHierarchy:Add', folder))
    else if (before !== signature(folder)) changes.push(folderElement('FolderHierarchy:Update', folder))
  }
  const present = new Set(folders.map((folder) => folder.serverId))
  for (const serverId of known.keys()) {
    if (present.has(serverId)) continue
    changes.push(element('FolderHierarchy:Delete', text('FolderHierarchy:ServerId', serverId)))
  }
  return changes
}

function folderElement(name: 'FolderHierarchy:Add' | 'FolderHierarchy:Update', folder: Folder): WbxmlElement {
  return element(
    name,
    text('FolderHierarchy:ServerId', folder.serverId),
    text('FolderHierarchy:ParentId', folder.parentId),
    text('FolderHierarchy:DisplayName', folder.displayName),
    text('FolderHierarchy:Type', folder.type),
  )
}
