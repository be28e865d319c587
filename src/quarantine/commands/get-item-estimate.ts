import { isOlder } from '#eas/versions.ts'
import { child, children, element, textOf, type WbxmlElement } from '#eas/wbxml/element.ts'
import { commonStatus, documentAnswer, text, type Answer } from '../answer.ts'
import type { QuarantinedCommand } from '../command.ts'
import { openInboxKey, pendingChanges } from '../inbox-state.ts'
import { inboxId } from '../own-ids.ts'
import { invalidContent } from '../refusal.ts'

const top = 'GetItemEstimate:GetItemEstimate'
const maxCollections = 1000

/** GetItemEstimate: 2 no such folder, 3 not synced yet, 4 not our key. shared/eas/protocol.md, section 9 */
export function getItemEstimate(command: QuarantinedCommand): Answer {
  const collections = children(
    child(command.root, 'GetItemEstimate:Collections'),
    'GetItemEstimate:Collection',
  )
  if (collections.length === 0 || collections.length > maxCollections) {
    return commonStatus(top, command.version, invalidContent)
  }
  return documentAnswer(element(top, ...collections.map((collection) => estimate(command, collection))))
}

function estimate({ version, mailbox }: QuarantinedCommand, asked: WbxmlElement): WbxmlElement {
  const collectionId = textOf(child(asked, 'GetItemEstimate:CollectionId')) ?? ''
  const syncKey = textOf(child(asked, 'AirSync:SyncKey')) ?? '0'
  if (collectionId !== inboxId) return estimateFailure(2, collectionId)
  if (syncKey === '0') return estimateFailure(3, collectionId)
  const state = openInboxKey(mailbox, syncKey)
  if (state === undefined) return estimateFailure(4, collectionId)
  return element(
    'GetItemEstimate:Response',
    text('GetItemEstimate:Status', 1),
    element(
      'GetItemEstimate:Collection',
      ...(isOlder(version, '12.1') ? [text('GetItemEstimate:Class', 'Email')] : []),
      text('GetItemEstimate:CollectionId', collectionId),
      text('GetItemEstimate:Estimate', pendingChanges(state, mailbox)),
    ),
  )
}

/** The Response for a collection of which nothing can be said. */
export function estimateFailure(status: number, collectionId: string): WbxmlElement {
  return element(
    'GetItemEstimate:Response',
    text('GetItemEstimate:Status', status),
    element('GetItemEstimate:Collection', text('GetItemEstimate:CollectionId', collectionId)),
  )
}
