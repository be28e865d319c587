import type { QualifiedName, WbxmlElement } from '#eas/wbxml/element.ts'
import { element } from '#eas/wbxml/element.ts'
import type { ProtocolVersion } from './versions.ts'

/** What goes back to the client. An element is sent as WBXML; no body is an empty answer of the WBXML type. */
export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Absent: application/vnd.ms-sync.wbxml on 200, text/html otherwise. */
  readonly contentType?: string
  readonly body?: WbxmlElement | Uint8Array
}

/** A request that ends with an HTTP status and no WBXML: thrown by the readers, answered by the HTTP server. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** 200 with a WBXML document. */
export function document(root: WbxmlElement): Answer {
  return { status: 200, body: root }
}

/** 200 with no body: Sync without changes, SendMail done (protocol.md section 6). */
export const emptyAnswer: Answer = { status: 200 }

/** An element with text; the tag alone where the text is empty. A NUL, which would end the text, is left out. */
export function text(name: QualifiedName, value: string | number): WbxmlElement {
  const content = String(value).replaceAll('\0', '')
  return content === '' ? element(name) : element(name, content)
}

/** The commands that are answered, each with the top element of its answer. GetAttachment has none. */
export const topElements = {
  Sync: 'AirSync:Sync',
  SendMail: 'ComposeMail:SendMail',
  SmartForward: 'ComposeMail:SmartForward',
  SmartReply: 'ComposeMail:SmartReply',
  GetAttachment: undefined,
  FolderSync: 'FolderHierarchy:FolderSync',
  FolderCreate: 'FolderHierarchy:FolderCreate',
  FolderDelete: 'FolderHierarchy:FolderDelete',
  FolderUpdate: 'FolderHierarchy:FolderUpdate',
  MoveItems: 'Move:MoveItems',
  GetItemEstimate: 'GetItemEstimate:GetItemEstimate',
  MeetingResponse: 'MeetingResponse:MeetingResponse',
  Search: 'Search:Search',
  Settings: 'Settings:Settings',
  Ping: 'Ping:Ping',
  ItemOperations: 'ItemOperations:ItemOperations',
  Provision: 'Provision:Provision',
  ResolveRecipients: 'ResolveRecipients:ResolveRecipients',
  ValidateCert: 'ValidateCert:ValidateCert',
  Find: 'Find:Find',
} as const satisfies Readonly<Record<string, QualifiedName | undefined>>

/** A command that this server knows. */
export type CommandName = keyof typeof topElements

/** HTTP statuses that stand for the common statuses below 14.0 (protocol.md section 8); others become 400. */
const httpBelow14: ReadonlyMap<number, number> = new Map([
  [110, 500],
  [111, 503],
  [137, 501],
  [140, 449],
  [142, 449],
  [144, 449],
  [150, 500],
])

/** A common status (100 and above): in the command's own top element from 14.0, as HTTP status below. */
export function commonStatus(command: CommandName, version: ProtocolVersion, status: number): Answer {
  if (version < 140 || command === 'GetAttachment') return { status: httpBelow14.get(status) ?? 400 }
  return statusAnswer(command, status)
}

/** The command's top element with nothing but its Status. */
export function statusAnswer(command: Exclude<CommandName, 'GetAttachment'>, status: number): Answer {
  const top = topElements[command]
  const namespace = top.slice(0, top.indexOf(':'))
  return document(element(top, text(`${namespace}:Status`, status)))
}
