import { child, children, element, textOf } from '#eas/wbxml/element.ts'
import type { Answer } from '../answer.ts'
import { commonStatus, document, text } from '../answer.ts'
import type { CommandContext } from '../context.ts'

/** MeetingResponse: this server has no meeting requests, so each answer is 2, invalid request. */
export function meetingResponse(context: CommandContext): Answer {
  const requests = children(context.document, 'MeetingResponse:Request')
  if (requests.length === 0) return commonStatus('MeetingResponse', context.version, 103)
  const results = requests.map((request) => {
    const requestId = textOf(child(request, 'MeetingResponse:RequestId')) ?? ''
    return element(
      'MeetingResponse:Result',
      text('MeetingResponse:RequestId', requestId),
      text('MeetingResponse:Status', 2),
    )
  })
  return document(element('MeetingResponse:MeetingResponse', ...results))
}
