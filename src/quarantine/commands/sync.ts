import { isOlder } from '#eas/versions.ts'
import { child, element, type WbxmlElement } from '#eas/wbxml/element.ts'
import { documentAnswer, emptyAnswer, statusAnswer, text, type Answer, type Park } from '../answer.ts'
import type { QuarantinedCommand } from '../command.ts'
import { inboxId } from '../own-ids.ts'
import { failedCollection, syncInbox, type CollectionOutcome } from '../sync-collection.ts'
import { readSync, type CollectionRequest } from '../sync-request.ts'

const top = 'AirSync:Sync'

/** Statuses under Sync and Collection. shared/eas/protocol.md, section 9 */
const syncStatus = { badKey: 3, protocol: 4, gone: 8, hierarchyChanged: 12, incomplete: 13 } as const

/**
 * Sync of the Inbox. Nothing of a request is kept, so that an empty or partial one is asked for in full (13). A folder of
 * Exchange is first taken from the client (3), then it is sent to ask for the folders (12).
 */
export function sync(command: QuarantinedCommand): Answer | Park {
  const { root, version } = command
  const canBeEmpty = !isOlder(version, '12.1')
  if (root === undefined || child(root, 'AirSync:Partial') !== undefined) {
    return statusAnswer(top, canBeEmpty ? syncStatus.incomplete : syncStatus.protocol)
  }
  const request = readSync(root, version)
  if ('status' in request) {
    const { status, limit } = request
    return statusAnswer(top, status, ...(limit === undefined ? [] : [text('AirSync:Limit', limit)]))
  }
  const { collections, waitSeconds } = request
  const hasInbox = collections.some(({ collectionId }) => collectionId === inboxId)
  if (!hasInbox && collections.some(({ syncKey }) => syncKey === '0')) {
    return statusAnswer(top, syncStatus.hierarchyChanged)
  }
  const now = answerNow(command, collections, canBeEmpty)
  if (waitSeconds === undefined || !now.quiet) return now.answer
  return {
    kind: 'park',
    seconds: waitSeconds,
    whenOver: now.answer,
    // saves the round trips over 3 and key 0; a client that does not know 12 asks again and gets them
    whenReleased: statusAnswer(top, syncStatus.hierarchyChanged),
    whenChanged: (mailbox) => {
      const later = answerNow({ ...command, mailbox }, collections, canBeEmpty)
      return later.quiet ? undefined : later.answer
    },
  }
}

interface SyncOutcome {
  /** Nothing happened in any folder. */
  readonly quiet: boolean
  readonly answer: Answer
}

function answerNow(
  command: QuarantinedCommand,
  collections: readonly CollectionRequest[],
  canBeEmpty: boolean,
): SyncOutcome {
  const outcomes = collections.map((collection) => syncCollection(command, collection))
  const told = canBeEmpty ? outcomes.filter(({ quiet }) => !quiet) : outcomes
  const quiet = outcomes.every((outcome) => outcome.quiet)
  return {
    quiet,
    answer: told.length === 0 ? emptyAnswer : collectionsAnswer(told.map((one) => one.element)),
  }
}

function syncCollection(command: QuarantinedCommand, collection: CollectionRequest): CollectionOutcome {
  if (collection.collectionId === inboxId) return syncInbox(command, collection)
  const status = collection.syncKey === '0' ? syncStatus.gone : syncStatus.badKey
  return failedCollection(command, collection, status)
}

/** The answer that holds these collections. */
export function collectionsAnswer(collections: readonly WbxmlElement[]): Answer {
  return documentAnswer(element(top, element('AirSync:Collections', ...collections)))
}
