import type { Message, MessageContent } from './message.ts'

/** A folder; `type` as in protocol.md section 14 (2 Inbox, 5 Sent, 8 Calendar, 12 user mail, …). */
export interface Folder {
  readonly serverId: string
  readonly parentId: string
  readonly displayName: string
  readonly type: number
}

/** Folder types that the server itself looks for. */
export const folderType = { inbox: 2, drafts: 3, deleted: 4, sent: 5, userMail: 12 } as const

/** The Class that items of a folder have, by its type (protocol.md section 14). */
export function classOf(folder: Folder): string {
  return classes.get(folder.type) ?? 'Email'
}

const classes: ReadonlyMap<number, string> = new Map([
  [7, 'Tasks'],
  [8, 'Calendar'],
  [9, 'Contacts'],
  [10, 'Notes'],
  [13, 'Calendar'],
  [14, 'Contacts'],
  [15, 'Tasks'],
  [17, 'Notes'],
])

/** True for a folder that every mailbox has and that clients may not rename or delete. */
export function isSpecial(folder: Folder): boolean {
  return folder.type >= 2 && folder.type <= 11
}

const usualFolders: readonly (readonly [displayName: string, type: number])[] = [
  ['Calendar', 8],
  ['Contacts', 9],
  ['Deleted Items', 4],
  ['Drafts', 3],
  ['Inbox', 2],
  ['Notes', 10],
  ['Outbox', 6],
  ['Sent Items', 5],
  ['Tasks', 7],
  ['Archive', 12],
  ['Junk Email', 12],
]

/** Called with the folder in which something changed. */
export type MailboxListener = (folderId: string) => void

/** One user's folders and messages, all in memory. */
export class Mailbox {
  readonly #folders = new Map<string, Folder>()
  readonly #messages = new Map<string, Map<string, Message>>()
  readonly #listeners = new Set<MailboxListener>()
  #nextFolder = 1
  #nextItem = 1

  constructor() {
    for (const [displayName, type] of usualFolders) this.addFolder('0', displayName, type)
  }

  folders(): Folder[] {
    return [...this.#folders.values()]
  }

  folder(serverId: string): Folder | undefined {
    return this.#folders.get(serverId)
  }

  /** The first folder of a type that every mailbox has. */
  folderOfType(type: number): Folder {
    const found = this.folders().find((folder) => folder.type === type)
    if (found === undefined) throw new Error(`no folder of type ${type}`)
    return found
  }

  addFolder(parentId: string, displayName: string, type: number): Folder {
    const folder = { serverId: String(this.#nextFolder++), parentId, displayName, type }
    this.#folders.set(folder.serverId, folder)
    this.#messages.set(folder.serverId, new Map())
    return folder
  }

  updateFolder(folder: Folder, parentId: string, displayName: string): Folder {
    const updated = { ...folder, parentId, displayName }
    this.#folders.set(folder.serverId, updated)
    return updated
  }

  /** Removes a folder with everything in it. */
  removeFolder(folder: Folder): void {
    for (const inner of this.folders()) if (inner.parentId === folder.serverId) this.removeFolder(inner)
    this.#folders.delete(folder.serverId)
    this.#messages.delete(folder.serverId)
    this.#changed(folder.serverId)
  }

  /** The messages of a folder, newest first. */
  messages(folderId: string): Message[] {
    const inFolder = [...(this.#messages.get(folderId)?.values() ?? [])]
    return inFolder.toSorted((a, b) => b.receivedAt - a.receivedAt)
  }

  /** A message by its id alone; the id begins with its folder's. */
  message(serverId: string): Message | undefined {
    return this.#messages.get(folderIdOf(serverId))?.get(serverId)
  }

  add(folder: Folder, content: MessageContent): Message {
    const message = {
      ...content,
      serverId: `${folder.serverId}:${this.#nextItem++}`,
      flagged: false,
      revision: 0,
    }
    this.#put(message)
    return message
  }

  setFlags(message: Message, flags: { readonly read?: boolean; readonly flagged?: boolean }): Message {
    const changed = { ...message, ...flags }
    this.#put(changed)
    return changed
  }

  edit(message: Message, content: Partial<MessageContent>): Message {
    const changed = { ...message, ...content, revision: message.revision + 1 }
    this.#put(changed)
    return changed
  }

  remove(message: Message): void {
    const folderId = folderIdOf(message.serverId)
    this.#messages.get(folderId)?.delete(message.serverId)
    this.#changed(folderId)
  }

  /** Gives the message in its new folder, under a new id. */
  move(message: Message, target: Folder): Message {
    this.remove(message)
    const moved = { ...message, serverId: `${target.serverId}:${this.#nextItem++}` }
    this.#put(moved)
    return moved
  }

  /** Tells of every change until the function it gives is called. */
  watch(listener: MailboxListener): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  #put(message: Message): void {
    const folderId = folderIdOf(message.serverId)
    this.#messages.get(folderId)?.set(message.serverId, message)
    this.#changed(folderId)
  }

  #changed(folderId: string): void {
    for (const listener of this.#listeners) listener(folderId)
  }
}

/** The folder that an item id names: `5` of `5:17`. */
export function folderIdOf(serverId: string): string {
  return serverId.slice(0, serverId.indexOf(':'))
}
