import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { child, element, textOf } from '#eas/wbxml/element.ts'
import { text } from './answer.ts'
import type { ItemOptions } from './body.ts'
import { numberIn } from './body.ts'
import type { CommandContext } from './context.ts'
import { isDraft, mailElements } from './item.ts'
import type { Folder } from './mailbox.ts'
import { folderIdOf, folderType } from './mailbox.ts'
import type { Message, MessageContent } from './message.ts'
import { completeMessage } from './message.ts'
import { addressesIn } from './mime-parse.ts'
import type { CollectionRequest } from './sync-request.ts'
import { mark } from './sync-state.ts'

/** Item statuses of protocol.md section 9. */
const itemStatus = { done: 1, conversion: 6, gone: 8 } as const

/**
 * Does what the client did: Change, Delete, Fetch, Add. Gives the entries of Responses; a Change or Delete that worked
 * has none. `known` follows, so that the client is not told of its own doing.
 */
export function runCommands(
  context: CommandContext,
  folder: Folder,
  request: CollectionRequest,
  options: ItemOptions,
  known: Map<string, string>,
): WbxmlElement[] {
  const responses: WbxmlElement[] = []
  for (const command of request.commands) {
    const response = runCommand(context, folder, request, options, known, command)
    if (response !== undefined) responses.push(response)
  }
  return responses
}

function runCommand(
  context: CommandContext,
  folder: Folder,
  request: CollectionRequest,
  options: ItemOptions,
  known: Map<string, string>,
  command: WbxmlElement,
): WbxmlElement | undefined {
  if (command.name === 'AirSync:Add') return addDraft(context, folder, known, command)
  const { mailbox } = context.account
  const serverId = textOf(child(command, 'AirSync:ServerId')) ?? ''
  const message = folderIdOf(serverId) === folder.serverId ? mailbox.message(serverId) : undefined
  const reply = (status: number, ...rest: readonly WbxmlElement[]): WbxmlElement =>
    element(command.name, text('AirSync:ServerId', serverId), text('AirSync:Status', status), ...rest)
  if (message === undefined) return reply(itemStatus.gone)
  if (command.name === 'AirSync:Fetch') {
    const whole = { ...options, bodyPreferences: options.bodyPreferences.map(withoutTruncation) }
    const elements = mailElements(mailbox, message, context.version, whole)
    return reply(itemStatus.done, element('AirSync:ApplicationData', ...elements))
  }
  if (command.name === 'AirSync:Delete') {
    const forGood = !request.deletesAsMoves || folder.type === folderType.deleted
    if (forGood) mailbox.remove(message)
    else mailbox.move(message, mailbox.folderOfType(folderType.deleted))
    known.delete(serverId)
    return undefined
  }
  if (command.name !== 'AirSync:Change') return reply(itemStatus.conversion)
  changeItem(context, folder, known, message, child(command, 'AirSync:ApplicationData'))
  return undefined
}

function withoutTruncation<T extends { readonly truncationSize: number | undefined }>(preference: T): T {
  return { ...preference, truncationSize: undefined }
}

/** Read and Flag of any mail; from 16.0 the content of a draft, and its sending. */
function changeItem(
  context: CommandContext,
  folder: Folder,
  known: Map<string, string>,
  message: Message,
  application: WbxmlElement | undefined,
): void {
  const { mailbox } = context.account
  const read = textOf(child(application, 'Email:Read'))
  const flag = child(application, 'Email:Flag')
  let changed = mailbox.setFlags(message, {
    ...(read === undefined ? {} : { read: read === '1' }),
    ...(flag === undefined ? {} : { flagged: numberIn(flag, 'Email:Status') === 2 }),
  })
  if (context.version >= 160 && isDraft(mailbox, message)) {
    changed = mailbox.edit(changed, draftContent(application))
    if (child(application, 'Email2:Send') !== undefined) {
      send(context, changed)
      mailbox.remove(changed)
      known.delete(changed.serverId)
      return
    }
  }
  known.set(changed.serverId, mark(changed))
}

/** From 16.0 a client may add drafts; other mail is made by SendMail only. */
function addDraft(
  context: CommandContext,
  folder: Folder,
  known: Map<string, string>,
  command: WbxmlElement,
): WbxmlElement {
  const clientId = text('AirSync:ClientId', textOf(child(command, 'AirSync:ClientId')) ?? '')
  if (context.version < 160 || folder.type !== folderType.drafts) {
    return element('AirSync:Add', clientId, text('AirSync:Status', itemStatus.conversion))
  }
  const { account, organization } = context
  const application = child(command, 'AirSync:ApplicationData')
  const empty = completeMessage(
    { from: account.upn, subject: '', text: '', read: true },
    '',
    organization.now(),
  )
  const content = { ...empty, ...draftContent(application) }
  if (child(application, 'Email2:Send') !== undefined) {
    send(context, content)
    return element('AirSync:Add', clientId, text('AirSync:Status', itemStatus.done))
  }
  const added = account.mailbox.add(folder, content)
  known.set(added.serverId, mark(added))
  const serverId = text('AirSync:ServerId', added.serverId)
  return element('AirSync:Add', clientId, serverId, text('AirSync:Status', itemStatus.done))
}

function send({ account, organization }: CommandContext, content: MessageContent): void {
  organization.submit(content, [...addressesIn(content.to), ...addressesIn(content.cc)])
  account.mailbox.add(account.mailbox.folderOfType(folderType.sent), { ...content, read: true })
}

function draftContent(application: WbxmlElement | undefined): Partial<MessageContent> {
  const to = textOf(child(application, 'Email:To'))
  const cc = textOf(child(application, 'Email:Cc'))
  const subject = textOf(child(application, 'Email:Subject'))
  const body = child(application, 'AirSyncBase:Body')
  const words = textOf(child(body, 'AirSyncBase:Data'))
  const asHtml = numberIn(body, 'AirSyncBase:Type') === 2
  return {
    ...(to === undefined ? {} : { to }),
    ...(cc === undefined ? {} : { cc }),
    ...(subject === undefined ? {} : { subject }),
    ...(words === undefined ? {} : { text: words, html: asHtml ? words : undefined }),
  }
}
