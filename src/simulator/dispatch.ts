import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { decodeWbxml } from '#eas/wbxml/decode.ts'
import { refuseAccess } from './access.ts'
import type { Answer, CommandName } from './answer.ts'
import { commonStatus, topElements } from './answer.ts'
import { find } from './commands/find.ts'
import { folderCreate, folderDelete, folderUpdate } from './commands/folder-change.ts'
import { folderSync } from './commands/folder-sync.ts'
import { getAttachment } from './commands/get-attachment.ts'
import { getItemEstimate } from './commands/get-item-estimate.ts'
import { itemOperations } from './commands/item-operations.ts'
import { meetingResponse } from './commands/meeting-response.ts'
import { moveItems } from './commands/move-items.ts'
import { ping } from './commands/ping.ts'
import { provision } from './commands/provision.ts'
import { resolveRecipients } from './commands/resolve-recipients.ts'
import { search } from './commands/search.ts'
import { sendMail } from './commands/send-mail.ts'
import { settings } from './commands/settings.ts'
import { sync } from './commands/sync.ts'
import { validateCert } from './commands/validate-cert.ts'
import type { Command, CommandContext } from './context.ts'

const commands: Readonly<Record<CommandName, Command>> = {
  Sync: sync,
  SendMail: sendMail,
  SmartForward: sendMail,
  SmartReply: sendMail,
  GetAttachment: getAttachment,
  FolderSync: folderSync,
  FolderCreate: folderCreate,
  FolderDelete: folderDelete,
  FolderUpdate: folderUpdate,
  MoveItems: moveItems,
  GetItemEstimate: getItemEstimate,
  MeetingResponse: meetingResponse,
  Search: search,
  Settings: settings,
  Ping: ping,
  ItemOperations: itemOperations,
  Provision: provision,
  ResolveRecipients: resolveRecipients,
  ValidateCert: validateCert,
  Find: find,
}

/** Runs one authenticated command. Undefined: the client went away while it waited. */
export async function dispatch(context: Omit<CommandContext, 'document'>): Promise<Answer | undefined> {
  const { request, version } = context
  const read = readDocument(request.command, version, context.body)
  if (typeof read === 'number') return commonStatus(request.command, version, read)
  const whole = { ...context, document: read }
  return refuseAccess(whole) ?? commands[request.command](whole)
}

/** The body as WBXML: 102 where it is none, 103 where it is of another command. */
function readDocument(
  command: CommandName,
  version: number,
  body: Uint8Array,
): WbxmlElement | undefined | 102 | 103 {
  const isMail =
    version < 140 && (command === 'SendMail' || command === 'SmartForward' || command === 'SmartReply')
  if (isMail || body.length === 0) return undefined
  try {
    const root = decodeWbxml(body)
    return root.name === topElements[command] ? root : 103
  } catch {
    return 102
  }
}
