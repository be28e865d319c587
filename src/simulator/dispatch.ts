import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { decodeWbxml } from '#eas/wbxml/decode.ts'
import { refuseAccess } from './access.ts'
import type { Answer, CommandName } from './answer.ts'
import { commonStatus, topElements } from './answer.ts'
import { folderSync } from './commands/folder-sync.ts'
import { ping } from './commands/ping.ts'
import { provision } from './commands/provision.ts'
import { settings } from './commands/settings.ts'
import { sync } from './commands/sync.ts'
import type { Command, CommandContext } from './context.ts'

const commands: Readonly<Partial<Record<CommandName, Command>>> = {
  Sync: sync,
  FolderSync: folderSync,
  Settings: settings,
  Ping: ping,
  Provision: provision,
}

/** Runs one authenticated command. Undefined: the client went away while it waited. */
export async function dispatch(context: Omit<CommandContext, 'document'>): Promise<Answer | undefined> {
  const { request, version } = context
  const run = commands[request.command]
  if (run === undefined) return commonStatus(request.command, version, 137)
  const read = readDocument(request.command, version, context.body)
  if (typeof read === 'number') return commonStatus(request.command, version, read)
  const whole = { ...context, document: read }
  return refuseAccess(whole) ?? run(whole)
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
