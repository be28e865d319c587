import { element } from '#eas/wbxml/element.ts'
import type { Answer } from '../answer.ts'
import { document, emptyAnswer, statusAnswer, text } from '../answer.ts'
import type { CommandContext } from '../context.ts'
import { hold, supersede } from '../hold.ts'
import type { CollectionOutcome } from '../sync-collection.ts'
import { syncCollection } from '../sync-collection.ts'
import type { SyncRequest } from '../sync-request.ts'
import { effectiveSync, readSync, withoutCommands } from '../sync-request.ts'

/** Sync: every collection in turn, and the wait for a change where the client asks for one. */
export async function sync(context: CommandContext): Promise<Answer | undefined> {
  const { device, account, version } = context
  const whole = effectiveSync(context.document, device.storedSync)
  if (whole === undefined) return statusAnswer('Sync', 13)
  const request = readSync(whole, context)
  if ('status' in request) {
    if (request.limit === undefined) return statusAnswer('Sync', request.status)
    const limit = text('AirSync:Limit', request.limit)
    return document(element('AirSync:Sync', text('AirSync:Status', request.status), limit))
  }
  device.storedSync = withoutCommands(whole)
  const folderIds = new Set(request.collections.map(({ collectionId }) => collectionId))
  supersede(device.holds, 'Sync', folderIds)
  const until = performance.now() + (request.waitMs ?? 0)
  for (;;) {
    const outcomes = syncAll(context, request)
    const loud = outcomes.filter(({ quiet }) => !quiet)
    const timeoutMs = until - performance.now()
    if (loud.length > 0) return collectionsAnswer(version < 121 ? outcomes : loud)
    // An empty body says that nothing changed, from 12.1 (protocol.md section 14).
    const nothing = version < 121 ? collectionsAnswer(outcomes) : emptyAnswer
    if (request.waitMs === undefined || timeoutMs <= 0) return nothing
    const end = await hold({
      command: 'Sync',
      mailbox: account.mailbox,
      holds: device.holds,
      parked: context.parked,
      folderIds: folderIds,
      timeoutMs,
      gone: context.gone,
    })
    if (end === 'gone') return undefined
    if (end !== 'changed') return nothing
  }
}

function syncAll(context: CommandContext, request: SyncRequest): CollectionOutcome[] {
  let window = request.windowSize
  return request.collections.map((collection) => {
    const outcome = syncCollection(context, collection, window)
    window -= outcome.changes
    return outcome
  })
}

function collectionsAnswer(outcomes: readonly CollectionOutcome[]): Answer {
  const elements = outcomes.map((outcome) => outcome.element)
  return document(element('AirSync:Sync', element('AirSync:Collections', ...elements)))
}
