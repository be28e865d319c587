import type { CommandName } from '#eas/commands.ts'
import { readDeviceInformation } from '#eas/device-information.ts'
import { EasError } from '#eas/errors.ts'
import type { EasRequest } from '#eas/parse.ts'
import { decodeWbxml } from '#eas/wbxml/decode.ts'
import type { QualifiedName, WbxmlElement } from '#eas/wbxml/element.ts'
import { commonStatus, httpAnswer, type Answer, type Park } from './answer.ts'
import { versionOf, type QuarantinedCommand } from './command.ts'
import { folderChange, folderCreate, folderSync } from './commands/folder-sync.ts'
import { getItemEstimate } from './commands/get-item-estimate.ts'
import { itemOperations } from './commands/item-operations.ts'
import { meetingResponse, moveItems, search } from './commands/items.ts'
import { ping } from './commands/ping.ts'
import { provision } from './commands/provision.ts'
import { settings } from './commands/settings.ts'
import { sync } from './commands/sync.ts'
import type { QuarantineMailbox } from './mailbox.ts'
import { accessDenied } from './refusal.ts'

/** How a command is answered. */
interface Handler {
  readonly top: QualifiedName
  /** Absent: denied, whatever the body says; it is not read. */
  readonly answer?: (command: QuarantinedCommand) => Answer | Park
}

const handlers: Readonly<Partial<Record<CommandName, Handler>>> = {
  Sync: { top: 'AirSync:Sync', answer: sync },
  SendMail: { top: 'ComposeMail:SendMail' },
  SmartForward: { top: 'ComposeMail:SmartForward' },
  SmartReply: { top: 'ComposeMail:SmartReply' },
  FolderSync: { top: 'FolderHierarchy:FolderSync', answer: folderSync },
  FolderCreate: { top: 'FolderHierarchy:FolderCreate', answer: folderCreate },
  FolderDelete: {
    top: 'FolderHierarchy:FolderDelete',
    answer: (command) => folderChange('FolderHierarchy:FolderDelete', command),
  },
  FolderUpdate: {
    top: 'FolderHierarchy:FolderUpdate',
    answer: (command) => folderChange('FolderHierarchy:FolderUpdate', command),
  },
  MoveItems: { top: 'Move:MoveItems', answer: moveItems },
  GetItemEstimate: { top: 'GetItemEstimate:GetItemEstimate', answer: getItemEstimate },
  MeetingResponse: { top: 'MeetingResponse:MeetingResponse', answer: meetingResponse },
  Search: { top: 'Search:Search', answer: search },
  Settings: { top: 'Settings:Settings', answer: settings },
  Ping: { top: 'Ping:Ping', answer: ping },
  ItemOperations: { top: 'ItemOperations:ItemOperations', answer: itemOperations },
  Provision: { top: 'Provision:Provision', answer: provision },
  ResolveRecipients: { top: 'ResolveRecipients:ResolveRecipients' },
  ValidateCert: { top: 'ValidateCert:ValidateCert' },
  Find: { top: 'Find:Find' },
}

/** False where the answer is the same whatever the body says: it may be a large mail, and need not be read at all. */
export function readsBody(command: EasRequest['command']): boolean {
  return handlerOf(command)?.answer !== undefined
}

/**
 * Answers a command of a quarantined pair as a mailbox would that holds one message. Pure: what has to be remembered is
 * in the keys that the client brings back, so that any worker and node gives the same answer, also after a restart.
 * GetAttachment and the folder commands of the first versions have no document to be refused in: HTTP 403.
 * @param request a command; OPTIONS and Autodiscover are not for a mailbox
 * @param body the whole body
 * @throws {EasError} the body is no document, or that of another command
 */
export function answerQuarantined(
  request: EasRequest,
  body: Uint8Array,
  mailbox: QuarantineMailbox,
): Answer | Park {
  const { command } = request
  const version = versionOf(request)
  const handler = handlerOf(command)
  if (handler === undefined) return httpAnswer(accessDenied.httpStatus)
  if (handler.answer === undefined) return commonStatus(handler.top, version, accessDenied)
  const answer = handler.answer({ version, root: readRoot(body, handler.top), mailbox })
  if (answer.kind === 'park' || (command !== 'Settings' && command !== 'Provision')) return answer
  const information = readDeviceInformation(body)
  return information === undefined ? answer : { ...answer, information }
}

function handlerOf(command: EasRequest['command']): Handler | undefined {
  if (command === 'Options' || command === 'Autodiscover' || command === 'none') return undefined
  return handlers[command]
}

function readRoot(body: Uint8Array, top: QualifiedName): WbxmlElement | undefined {
  if (body.length === 0) return undefined
  const root = decodeWbxml(body)
  if (root.name !== top) throw new EasError('EAS_WBXML_STRUCTURE', `expected ${top}, found ${root.name}`)
  return root
}
