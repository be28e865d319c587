import { child, children, element, textOf, type WbxmlElement } from '#eas/wbxml/element.ts'
import { commonStatus, documentAnswer, statusAnswer, text, type Answer } from '../answer.ts'
import type { QuarantinedCommand } from '../command.ts'
import { inboxId } from '../own-ids.ts'
import { invalidContent } from '../refusal.ts'

/** Per item, so that a client takes back what it showed as done. shared/eas/protocol.md, section 9 */
const moveStatus = { badSource: 1, badTarget: 2 } as const
const invalidMeeting = 2
const searchStatus = { protocol: 2, accessDenied: 5 } as const

/** MoveItems: there is no other folder, so each move fails by itself. A client takes no answer for "try again". */
export function moveItems({ root, version }: QuarantinedCommand): Answer {
  const moves = children(root, 'Move:Move')
  if (moves.length === 0) return commonStatus('Move:MoveItems', version, invalidContent)
  return moveItemsAnswer(
    moves.map((move) => {
      const isOurs = textOf(child(move, 'Move:SrcFldId')) === inboxId
      return failedMove(move, isOurs ? moveStatus.badTarget : moveStatus.badSource)
    }),
  )
}

/** What became of each Move. */
export function moveItemsAnswer(responses: readonly WbxmlElement[]): Answer {
  return documentAnswer(element('Move:MoveItems', ...responses))
}

/** A move that was not done. */
export function failedMove(move: WbxmlElement, status: number): WbxmlElement {
  const source = text('Move:SrcMsgId', textOf(child(move, 'Move:SrcMsgId')) ?? '')
  return element('Move:Response', source, text('Move:Status', status))
}

/** MeetingResponse: no meeting is here to be answered. */
export function meetingResponse({ root, version }: QuarantinedCommand): Answer {
  const requests = children(root, 'MeetingResponse:Request')
  if (requests.length === 0) return commonStatus('MeetingResponse:MeetingResponse', version, invalidContent)
  return meetingResponseAnswer(requests.map((request) => failedMeeting(request, invalidMeeting)))
}

/** What became of each Request. */
export function meetingResponseAnswer(results: readonly WbxmlElement[]): Answer {
  return documentAnswer(element('MeetingResponse:MeetingResponse', ...results))
}

/** A meeting that was not answered. */
export function failedMeeting(request: WbxmlElement, status: number): WbxmlElement {
  const id = child(request, 'MeetingResponse:RequestId')
  return element(
    'MeetingResponse:Result',
    ...(id === undefined ? [] : [text('MeetingResponse:RequestId', textOf(id) ?? '')]),
    text('MeetingResponse:Status', status),
  )
}

/** Search: the store denies access, whichever it is. "Nothing found" would be told as the truth. */
export function search({ root }: QuarantinedCommand): Answer {
  if (child(root, 'Search:Store') === undefined) return statusAnswer('Search:Search', searchStatus.protocol)
  return failedSearch(searchStatus.accessDenied)
}

/** The Status of the store that was searched. */
export function failedSearch(status: number): Answer {
  const store = element('Search:Store', text('Search:Status', status))
  return statusAnswer('Search:Search', 1, element('Search:Response', store))
}
