import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { child, children, element, textOf } from '#eas/wbxml/element.ts'
import type { Answer } from '../answer.ts'
import { document, statusAnswer, text } from '../answer.ts'
import { numberIn } from '../body.ts'
import type { CommandContext } from '../context.ts'
import type { PingParameters } from '../device.ts'
import { hold, supersede } from '../hold.ts'
import { differences } from '../sync-state.ts'

/** More folders than this are Status 6. */
const maxFolders = 200

/** Ping: answered when mail comes to one of the folders or the heartbeat is over (protocol.md section 10). */
export async function ping(context: CommandContext): Promise<Answer | undefined> {
  const { device, account, behaviour } = context
  const parameters = readParameters(context.document, device.storedPing)
  if (parameters === 'malformed') return statusAnswer('Ping', 4)
  const { heartbeatSeconds, folderIds } = parameters
  if (heartbeatSeconds === undefined || folderIds === undefined) return statusAnswer('Ping', 3)
  const { minHeartbeatSeconds, maxHeartbeatSeconds } = behaviour
  const nearest = Math.min(Math.max(heartbeatSeconds, minHeartbeatSeconds), maxHeartbeatSeconds)
  if (nearest !== heartbeatSeconds) return pingAnswer(5, text('Ping:HeartbeatInterval', nearest))
  if (folderIds.length > maxFolders) return pingAnswer(6, text('Ping:MaxFolders', maxFolders))
  if (folderIds.some((id) => account.mailbox.folder(id) === undefined)) return pingAnswer(7)
  device.storedPing = parameters
  const watched = new Set(folderIds)
  supersede(device.holds, 'Ping', watched)
  const arrived = new Set<string>()
  const unwatch = account.mailbox.watch((folderId) => {
    arrived.add(folderId)
  })
  try {
    const until = performance.now() + heartbeatSeconds * 1000
    for (;;) {
      const changed = folderIds.filter((id) => hasChanges(context, id, arrived))
      if (changed.length > 0) {
        return pingAnswer(2, element('Ping:Folders', ...changed.map((id) => text('Ping:Folder', id))))
      }
      const timeoutMs = until - performance.now()
      if (timeoutMs <= 0) return pingAnswer(1)
      const end = await hold({
        command: 'Ping',
        mailbox: account.mailbox,
        holds: device.holds,
        parked: context.parked,
        folderIds: watched,
        timeoutMs,
        gone: context.gone,
      })
      if (end === 'gone') return undefined
      if (end !== 'changed') return pingAnswer(1)
    }
  } finally {
    unwatch()
  }
}

/**
 * A folder that the device syncs has changes if the device lacks something of it, so that mail that came between Sync
 * and Ping is not missed; of another folder only what happens during the Ping counts.
 */
function hasChanges(context: CommandContext, folderId: string, arrived: ReadonlySet<string>): boolean {
  const state = context.device.collections.get(folderId)
  if (state === undefined) return arrived.has(folderId)
  return differences(context.account.mailbox, folderId, state, context.organization.now()).length > 0
}

function pingAnswer(status: number, ...rest: readonly WbxmlElement[]): Answer {
  return document(element('Ping:Ping', text('Ping:Status', status), ...rest))
}

/** What the request leaves out is as the last Ping had it. */
function readParameters(
  request: WbxmlElement | undefined,
  stored: PingParameters,
): PingParameters | 'malformed' {
  const heartbeat = child(request, 'Ping:HeartbeatInterval')
  const heartbeatSeconds = numberIn(request, 'Ping:HeartbeatInterval')
  if (heartbeat !== undefined && heartbeatSeconds === undefined) return 'malformed'
  const folders = children(child(request, 'Ping:Folders'), 'Ping:Folder')
  const ids = folders.map((folder) => textOf(child(folder, 'Ping:Id')))
  const folderIds = ids.filter((id) => id !== undefined)
  if (folderIds.length < ids.length) return 'malformed'
  return {
    heartbeatSeconds: heartbeatSeconds ?? stored.heartbeatSeconds,
    folderIds: folderIds.length > 0 ? folderIds : stored.folderIds,
  }
}
