import { child, element, textOf } from '#eas/wbxml/element.ts'
import { commonStatus, documentAnswer, statusAnswer, text, type Answer } from '../answer.ts'
import type { QuarantinedCommand } from '../command.ts'
import type { QuarantineMailbox } from '../mailbox.ts'
import { inboxId } from '../own-ids.ts'
import { accessDenied } from '../refusal.ts'
import { openKey, sealKey } from '../sync-key.ts'

/** The hierarchy's id in its keys: the parent of all folders. */
const hierarchyId = '0'
/** There is one hierarchy, so that its key has nothing to tell but its form. */
const hierarchyState = Uint8Array.of(1)
const inboxType = 2

/**
 * FolderSync: one Inbox. Any key but ours is 9: the client starts at 0 and drops the folders it has. [MS-ASCMD]
 * FolderSync
 */
export function folderSync({ root, mailbox }: QuarantinedCommand): Answer {
  const syncKey = textOf(child(root, 'FolderHierarchy:SyncKey'))
  if (syncKey === undefined || syncKey === '') return statusAnswer('FolderHierarchy:FolderSync', 10)
  const isFirst = syncKey === '0'
  if (!isFirst && !isHierarchyKey(mailbox, syncKey)) return statusAnswer('FolderHierarchy:FolderSync', 9)
  const inbox = element(
    'FolderHierarchy:Add',
    text('FolderHierarchy:ServerId', inboxId),
    text('FolderHierarchy:ParentId', hierarchyId),
    text('FolderHierarchy:DisplayName', 'Inbox'),
    text('FolderHierarchy:Type', inboxType),
  )
  return documentAnswer(
    element(
      'FolderHierarchy:FolderSync',
      text('FolderHierarchy:Status', 1),
      text('FolderHierarchy:SyncKey', sealKey(mailbox, hierarchyId, hierarchyState)),
      element(
        'FolderHierarchy:Changes',
        text('FolderHierarchy:Count', isFirst ? 1 : 0),
        ...(isFirst ? [inbox] : []),
      ),
    ),
  )
}

/** FolderCreate: denied, so that the client tells the user. */
export function folderCreate({ root, version, mailbox }: QuarantinedCommand): Answer {
  const top = 'FolderHierarchy:FolderCreate'
  return hasKey(root, mailbox) ? commonStatus(top, version, accessDenied) : statusAnswer(top, 9)
}

/** FolderDelete and FolderUpdate: the Inbox is a special folder (3), and there is no other (4). */
export function folderChange(
  top: 'FolderHierarchy:FolderDelete' | 'FolderHierarchy:FolderUpdate',
  { root, mailbox }: QuarantinedCommand,
): Answer {
  if (!hasKey(root, mailbox)) return statusAnswer(top, 9)
  return statusAnswer(top, textOf(child(root, 'FolderHierarchy:ServerId')) === inboxId ? 3 : 4)
}

function hasKey(root: QuarantinedCommand['root'], mailbox: QuarantineMailbox): boolean {
  return isHierarchyKey(mailbox, textOf(child(root, 'FolderHierarchy:SyncKey')) ?? '')
}

function isHierarchyKey(mailbox: QuarantineMailbox, syncKey: string): boolean {
  return openKey(mailbox, hierarchyId, syncKey)?.equals(hierarchyState) === true
}
