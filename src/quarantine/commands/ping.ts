import { child, children, element, textOf, type WbxmlElement } from '#eas/wbxml/element.ts'
import { statusAnswer, text, type Answer, type Park } from '../answer.ts'
import { numberIn } from '../body-choice.ts'
import type { QuarantinedCommand } from '../command.ts'
import { noticeDigest } from '../inbox-state.ts'
import { heartbeatBounds } from '../heartbeat-bounds.ts'
import { inboxId } from '../own-ids.ts'

const maxFolders = 200

/**
 * Ping waits for its heartbeat. What an earlier Ping said is not kept: a request that leaves a part out, or has no body,
 * is asked for all of it (3). At release the answer is 7 in all versions: the client asks for its folders with our key
 * and is sent to key 0, while 2 (changes) would have it sync a folder that Exchange does not have. A Ping
 * does not say what the client holds: a message that became another while nothing waited comes with the next Sync.
 * [MS-ASCMD] Ping
 */
export function ping({ root, mailbox }: QuarantinedCommand): Answer | Park {
  const heartbeat = child(root, 'Ping:HeartbeatInterval')
  const folders = children(child(root, 'Ping:Folders'), 'Ping:Folder').map((folder) =>
    textOf(child(folder, 'Ping:Id')),
  )
  if (heartbeat === undefined || folders.length === 0) return pingAnswer(3)
  const seconds = numberIn(root, 'Ping:HeartbeatInterval')
  if (seconds === undefined || folders.some((id) => id === undefined || id === '')) return pingAnswer(4)
  const { min, max } = heartbeatBounds
  const nearest = Math.min(Math.max(seconds, min), max)
  if (nearest !== seconds) return pingAnswer(5, text('Ping:HeartbeatInterval', nearest))
  if (folders.length > maxFolders) return pingAnswer(6, text('Ping:MaxFolders', maxFolders))
  if (folders.some((id) => id !== inboxId)) return pingAnswer(7)
  const digest = noticeDigest(mailbox.notice)
  return {
    kind: 'park',
    seconds,
    whenOver: pingAnswer(1),
    whenReleased: pingAnswer(7),
    whenChanged: ({ notice }) =>
      noticeDigest(notice) === digest
        ? undefined
        : pingAnswer(2, element('Ping:Folders', text('Ping:Folder', inboxId))),
  }
}

function pingAnswer(status: number, ...rest: readonly WbxmlElement[]): Answer {
  return statusAnswer('Ping:Ping', status, ...rest)
}
