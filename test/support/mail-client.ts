import type { CommandName } from '#eas/commands.ts'
import { child, children, textOf, type WbxmlElement } from '#eas/wbxml/element.ts'
import { Confused, takeFolders, takeItem, type ClientFolder } from './client-folders.ts'
import {
  commandsOf,
  el,
  folderSyncRequest,
  keyOf,
  Phone,
  pingRequest,
  textAt,
  type PhoneOptions,
  type Reply,
} from './simulated-phone.ts'

/** The server does not do it, and says so: HTTP status, or the Status of the command's own element. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly command: string
  readonly http: number
  readonly status: string | undefined

  constructor(command: string, { status: http, root }: Reply) {
    const status = statusOf(root)
    super(`${command} got HTTP ${http}, Status ${status ?? 'none'}`)
    this.command = command
    this.http = http
    this.status = status
  }
}

type Sent = Extract<CommandName, Parameters<Phone['send']>[0]>

/** Folders of mail: Inbox, Drafts, Deleted Items, Sent Items, Outbox and those that users make. */
const mailTypes: ReadonlySet<number> = new Set([2, 3, 4, 5, 6, 12])
const inboxType = 2
/** More rounds than any sync of a test's mailbox takes. */
const maxRounds = 60
const heartbeatSeconds = 480

/**
 * A mail application: it keeps folders, items, keys and what it has still to send, does what each status asks of it, and
 * is confused by what would make a real one show a mail twice, lose it, or spin.
 */
export class MailClient {
  phone: Phone
  folders = new Map<string, ClientFolder>()
  hierarchyKey = '0'
  /** Mails that no server has taken yet, by subject. */
  readonly outbox: string[] = []
  /** How often it began at key 0 again. */
  restarts = 0
  /** How often it was given a policy. */
  provisions = 0

  constructor(options: PhoneOptions) {
    this.phone = new Phone({ ...options, policyKey: 0 })
  }

  get version(): number {
    return Number(this.phone.options.version)
  }

  /** The server is found at another address from now on. */
  moveTo(url: string): void {
    const { policyKey, options } = this.phone
    this.phone = new Phone({ ...options, url, ...(policyKey === undefined ? {} : { policyKey }) })
  }

  get inbox(): ClientFolder {
    return this.#folder(this.#inboxId())
  }

  /** Every mail of every folder, as `folder/subject`, in order. */
  mails(): string[] {
    return [...this.folders.values()]
      .flatMap(({ name, items }) => [...items.values()].map(({ subject }) => `${name}/${subject}`))
      .toSorted()
  }

  /** Brings folders, mails and what waits in the outbox up to date. */
  async connect(): Promise<void> {
    for (let round = 0; round < maxRounds; round++) {
      await this.#syncFolders()
      if (await this.#syncAll()) return this.#flushOutbox()
    }
    throw new Confused('the folders never settle')
  }

  /** Waits for something to happen, and does what the answer asks; gives its Status. */
  async ping(signal?: AbortSignal): Promise<string | undefined> {
    const ids = [...this.folders].filter(([, { type }]) => mailTypes.has(type)).map(([id]) => id)
    const { root } = await this.#send('Ping', pingRequest(heartbeatSeconds, ...ids), signal)
    const status = textAt(root, 'Ping:Status')
    if (status === '2') {
      for (const id of children(child(root, 'Ping:Folders'), 'Ping:Folder')) {
        await this.#syncFolder(textOf(id) ?? '')
      }
    } else if (status === '7') await this.connect()
    else if (status !== '1') throw new Confused(`Ping got Status ${status}`)
    return status
  }

  /** The same by a Sync of the Inbox that hangs: gives `empty`, its Status, or `changes`. */
  async hang(): Promise<string> {
    const id = this.#inboxId()
    const body = this.#syncBody(id, [], el('AirSync:HeartbeatInterval', String(heartbeatSeconds)))
    const { root } = await this.#send('Sync', body)
    if (root === undefined) return 'empty'
    const status = textAt(root, 'AirSync:Status')
    if (status !== undefined) {
      await this.connect()
      return status
    }
    await this.#take(id, root)
    return 'changes'
  }

  /** Tells the server that a mail was read; one that has none of it is confusing. */
  async markRead(subject: string): Promise<void> {
    const [id, item] = [...this.inbox.items].find(([, found]) => found.subject === subject) ?? []
    if (id === undefined || item === undefined) throw new Confused(`no mail ${subject} to be read`)
    item.read = true
    const flag = el('AirSync:ApplicationData', el('Email:Read', '1'))
    const change = el('AirSync:Change', el('AirSync:ServerId', id), flag)
    const folderId = this.#inboxId()
    const { root } = await this.#send('Sync', this.#syncBody(folderId, [el('AirSync:Commands', change)]))
    const collection = child(child(root, 'AirSync:Collections'), 'AirSync:Collection')
    if (child(collection, 'AirSync:Responses') !== undefined) throw new Confused(`${subject} cannot be read`)
    await this.#take(folderId, root)
  }

  /** Hands in a mail; what is not taken stays in the outbox. */
  async sendMail(subject: string): Promise<void> {
    this.outbox.push(subject)
    await this.#flushOutbox()
  }

  async #flushOutbox(): Promise<void> {
    for (const subject of this.outbox.splice(0)) {
      const mime = Buffer.from(`To: <bob@example.com>\r\nSubject: ${subject}\r\n\r\nSent by a phone.\r\n`)
      const { deviceId, version } = this.phone.options
      const clientId = el('ComposeMail:ClientId', `${deviceId} ${version} ${subject}`)
      const body =
        this.version < 14 ? mime : el('ComposeMail:SendMail', clientId, el('ComposeMail:Mime', mime))
      try {
        const { root } = await this.#send('SendMail', body)
        if (root !== undefined) this.outbox.push(subject)
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        this.outbox.push(subject)
      }
    }
  }

  async #syncFolders(): Promise<void> {
    for (let round = 0; round < maxRounds; round++) {
      const { root } = await this.#send('FolderSync', folderSyncRequest(this.hierarchyKey))
      const status = textAt(root, 'FolderHierarchy:Status')
      if (status === '9') {
        if (this.hierarchyKey === '0') throw new Confused('key 0 of the folders is bad')
        this.#beginAgain()
        continue
      }
      if (status !== '1') throw new Confused(`FolderSync got Status ${status}`)
      takeFolders(this.folders, child(root, 'FolderHierarchy:Changes'))
      this.hierarchyKey = textAt(root, 'FolderHierarchy:SyncKey') ?? ''
      return
    }
    throw new Confused('the folders begin again and again')
  }

  /** As [MS-ASCMD] has it for Status 9: all folders are dropped, with what is in them. */
  #beginAgain(): void {
    this.folders = new Map()
    this.hierarchyKey = '0'
    this.restarts++
  }

  /** False where the folders are to be asked for first. */
  async #syncAll(): Promise<boolean> {
    for (const [id, { type }] of this.folders) {
      if (mailTypes.has(type) && !(await this.#syncFolder(id))) return false
    }
    return true
  }

  async #syncFolder(id: string): Promise<boolean> {
    for (let round = 0; round < maxRounds; round++) {
      const { root } = await this.#send('Sync', this.#syncBody(id, []))
      switch (await this.#take(id, root)) {
        case 'done':
          return true
        case 'folders':
          return false
        case 'more':
      }
    }
    throw new Confused(`the folder ${id} never settles`)
  }

  /** Takes the answer to a Sync of one folder, and says what is to be asked next. */
  async #take(id: string, root: WbxmlElement | undefined): Promise<'done' | 'more' | 'folders'> {
    if (root === undefined) return 'done'
    const folder = this.#folder(id)
    const top = textAt(root, 'AirSync:Status')
    if (top === '12') return 'folders'
    if (top !== undefined) throw new Confused(`Sync got Status ${top}`)
    const collection = child(child(root, 'AirSync:Collections'), 'AirSync:Collection')
    const status = textAt(collection, 'AirSync:Status')
    if (status === '3') {
      if (folder.syncKey === '0') throw new Confused(`key 0 of the folder ${id} is bad`)
      folder.items.clear()
      folder.syncKey = '0'
      this.restarts++
      return 'more'
    }
    if (status === '8' || status === '12') return 'folders'
    if (status !== '1') throw new Confused(`Sync of the folder ${id} got Status ${status}`)
    const began = folder.syncKey === '0'
    for (const command of commandsOf(collection)) takeItem(folder, command)
    folder.syncKey = keyOf(collection)
    return began || child(collection, 'AirSync:MoreAvailable') !== undefined ? 'more' : 'done'
  }

  /** Two changes an answer, so that every folder takes several. */
  #syncBody(id: string, rest: readonly WbxmlElement[], ...wait: readonly WbxmlElement[]): WbxmlElement {
    const { syncKey } = this.#folder(id)
    const options =
      this.version < 12
        ? [el('AirSync:Truncation', '7')]
        : [
            el(
              'AirSyncBase:BodyPreference',
              el('AirSyncBase:Type', '1'),
              el('AirSyncBase:TruncationSize', '51200'),
            ),
          ]
    const wants =
      syncKey === '0'
        ? []
        : [el('AirSync:GetChanges'), el('AirSync:WindowSize', '2'), el('AirSync:Options', ...options)]
    const collection = el(
      'AirSync:Collection',
      ...(this.version < 12.1 ? [el('AirSync:Class', 'Email')] : []),
      el('AirSync:SyncKey', syncKey),
      el('AirSync:CollectionId', id),
      ...wants,
      ...rest,
    )
    return el('AirSync:Sync', el('AirSync:Collections', collection), ...wait)
  }

  /** Sends a command, and gets itself a policy first where one is asked for. */
  async #send(command: Sent, body: WbxmlElement | Uint8Array, signal?: AbortSignal): Promise<Reply> {
    for (let attempt = 0; attempt < 3; attempt++) {
      const reply = await this.phone.send(command, body, signal === undefined ? {} : { signal })
      const status = Number(statusOf(reply.root) ?? '0')
      if (reply.status === 449 || (status >= 142 && status <= 144)) {
        await this.phone.provision()
        this.provisions++
        continue
      }
      if (reply.status !== 200 || status > 100) throw new Refused(command, reply)
      return reply
    }
    throw new Confused(`${command} asks for a policy again and again`)
  }

  #folder(id: string): ClientFolder {
    const folder = this.folders.get(id)
    if (folder === undefined) throw new Confused(`there is no folder ${id}`)
    return folder
  }

  #inboxId(): string {
    const found = [...this.folders].filter(([, { type }]) => type === inboxType)
    if (found.length !== 1) throw new Confused(`${found.length} Inboxes`)
    return found[0]?.[0] ?? ''
  }
}

/** Of the command's own element. */
function statusOf(root: WbxmlElement | undefined): string | undefined {
  if (root === undefined) return undefined
  return textOf(children(root).find(({ name }) => name.endsWith(':Status')))
}
