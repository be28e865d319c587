import { request } from 'undici'
import { decodeWbxml } from '#eas/wbxml/decode.ts'
import type { QualifiedName, WbxmlContent, WbxmlElement } from '#eas/wbxml/element.ts'
import { child, children, element, isElement, textOf } from '#eas/wbxml/element.ts'
import { encodeWbxml } from '#eas/wbxml/encode.ts'

/** A phone for tests: one device of one user, at one protocol version, with one form of query. */
export interface PhoneOptions {
  readonly url: string
  readonly user?: string
  readonly password?: string
  readonly deviceId?: string
  /** Default: by the beginning of the device id. */
  readonly deviceType?: string
  /** `14.1` */
  readonly version?: string
  readonly form?: 'plain' | 'base64'
  /** Absent: no key is sent. */
  readonly policyKey?: number
}

/** What a phone may add to one request. */
export interface SendOptions {
  readonly parameters?: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  readonly saveInSent?: boolean
  readonly acceptMultiPart?: boolean
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
  /** The body where it is WBXML. */
  readonly root: WbxmlElement | undefined
}

const codes = {
  Sync: 0,
  SendMail: 1,
  SmartForward: 2,
  SmartReply: 3,
  GetAttachment: 4,
  FolderSync: 9,
  FolderCreate: 10,
  FolderDelete: 11,
  FolderUpdate: 12,
  MoveItems: 13,
  GetItemEstimate: 14,
  MeetingResponse: 15,
  Search: 16,
  Settings: 17,
  Ping: 18,
  ItemOperations: 19,
  Provision: 20,
  ResolveRecipients: 21,
  ValidateCert: 22,
  Find: 23,
} as const
const tags = { AttachmentName: 0, CollectionId: 1, ItemId: 3, LongId: 4 } as const

export class Phone {
  readonly options: Required<Omit<PhoneOptions, 'policyKey'>>
  policyKey: number | undefined

  constructor(options: PhoneOptions) {
    const deviceId = options.deviceId ?? 'PHONE1'
    this.options = {
      url: options.url,
      user: options.user ?? 'alice@example.com',
      password: options.password ?? 'demo',
      deviceId,
      deviceType: options.deviceType ?? (deviceId.startsWith('android') ? 'Android' : 'iPhone'),
      version: options.version ?? '14.1',
      form: options.form ?? 'plain',
    }
    this.policyKey = options.policyKey
  }

  get authorization(): string {
    return `Basic ${Buffer.from(`${this.options.user}:${this.options.password}`).toString('base64')}`
  }

  /** Posts one command. */
  async send(
    command: keyof typeof codes,
    body?: WbxmlElement | Uint8Array,
    send: SendOptions = {},
  ): Promise<Reply> {
    const { form, version } = this.options
    const bytes = body === undefined || body instanceof Uint8Array ? body : encodeWbxml(body)
    const query = form === 'plain' ? this.#plainQuery(command, send) : this.#base64Query(command, send)
    const plainHeaders = {
      'ms-asprotocolversion': version,
      ...(this.policyKey === undefined ? {} : { 'x-ms-policykey': String(this.policyKey) }),
      ...(send.acceptMultiPart === true ? { 'ms-asacceptmultipart': 'T' } : {}),
    }
    const response = await request(`${this.options.url}/Microsoft-Server-ActiveSync?${query}`, {
      method: 'POST',
      headers: {
        authorization: this.authorization,
        'user-agent': 'test',
        ...(form === 'plain' ? plainHeaders : {}),
        ...send.headers,
      },
      body: bytes ?? null,
      ...(send.signal === undefined ? {} : { signal: send.signal }),
    })
    const answer = Buffer.from(await response.body.arrayBuffer())
    const isWbxml = response.headers['content-type'] === 'application/vnd.ms-sync.wbxml' && answer.length > 0
    const root = isWbxml ? decodeWbxml(answer) : undefined
    return { status: response.statusCode, headers: response.headers, body: answer, root }
  }

  /** Both phases of Provision; keeps the final key. */
  async provision(): Promise<number> {
    const needsInformation = Number(this.options.version) >= 14.1
    const information = el('Settings:DeviceInformation', el('Settings:Set', el('Settings:Model', 'Test')))
    const isOld = Number(this.options.version) < 12
    const policyType = el(
      'Provision:PolicyType',
      isOld ? 'MS-WAP-Provisioning-XML' : 'MS-EAS-Provisioning-WBXML',
    )
    this.policyKey = 0
    const ask = el('Provision:Policies', el('Provision:Policy', policyType))
    const first = await this.send(
      'Provision',
      el('Provision:Provision', ...(needsInformation ? [information] : []), ask),
    )
    const temporary = textAt(first.root, ...policyKeyPath) ?? ''
    this.policyKey = Number(temporary)
    const acknowledge = el(
      'Provision:Policy',
      policyType,
      el('Provision:PolicyKey', temporary),
      el('Provision:Status', '1'),
    )
    const second = await this.send(
      'Provision',
      el('Provision:Provision', el('Provision:Policies', acknowledge)),
    )
    this.policyKey = Number(textAt(second.root, ...policyKeyPath))
    return this.policyKey
  }

  /** Syncs one collection; gives the answer's Collection, undefined for an empty answer. */
  async sync(
    collectionId: string,
    syncKey: string,
    ...rest: readonly WbxmlElement[]
  ): Promise<WbxmlElement | undefined> {
    const reply = await this.send('Sync', syncRequest(collectionId, syncKey, ...rest))
    return child(child(reply.root, 'AirSync:Collections'), 'AirSync:Collection')
  }

  /** A first Sync of a collection; gives its key. */
  async prime(collectionId: string): Promise<string> {
    return keyOf(await this.sync(collectionId, '0'))
  }

  #plainQuery(command: string, { parameters = {}, saveInSent }: SendOptions): string {
    const { user, deviceId, deviceType } = this.options
    const pairs = { Cmd: command, User: user, DeviceId: deviceId, DeviceType: deviceType, ...parameters }
    const all = saveInSent === true ? { ...pairs, SaveInSent: 'T' } : pairs
    return Object.entries(all)
      .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
      .join('&')
  }

  #base64Query(
    command: keyof typeof codes,
    { parameters = {}, saveInSent, acceptMultiPart }: SendOptions,
  ): string {
    const { version, deviceId, deviceType } = this.options
    const key = Buffer.alloc(this.policyKey === undefined ? 0 : 4)
    if (this.policyKey !== undefined) key.writeUInt32LE(this.policyKey)
    const options = (saveInSent === true ? 1 : 0) | (acceptMultiPart === true ? 2 : 0)
    const parts = [
      Buffer.from([Math.round(Number(version) * 10), codes[command], 0x09, 0x04]),
      sized(Buffer.from(deviceId)),
      sized(key),
      sized(Buffer.from(deviceType)),
      ...Object.entries(parameters).flatMap(([name, value]) => [
        Buffer.from([tags[name as keyof typeof tags]]),
        sized(Buffer.from(value)),
      ]),
      ...(options > 0 ? [Buffer.from([7, 1, options])] : []),
    ]
    return Buffer.concat(parts).toString('base64')
  }
}

function sized(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([bytes.length]), bytes])
}

const policyKeyPath = ['Provision:Policies', 'Provision:Policy', 'Provision:PolicyKey'] as const

/** Short for `element`: requests are written out in tests. */
export const el = (name: QualifiedName, ...content: readonly WbxmlContent[]): WbxmlElement =>
  element(name, ...content)

/** A Sync of one collection. */
export function syncRequest(
  collectionId: string,
  syncKey: string,
  ...rest: readonly WbxmlElement[]
): WbxmlElement {
  return el(
    'AirSync:Sync',
    el(
      'AirSync:Collections',
      el(
        'AirSync:Collection',
        el('AirSync:SyncKey', syncKey),
        el('AirSync:CollectionId', collectionId),
        ...rest,
      ),
    ),
  )
}

/** A FolderSync with a key. */
export function folderSyncRequest(syncKey: string): WbxmlElement {
  return el('FolderHierarchy:FolderSync', el('FolderHierarchy:SyncKey', syncKey))
}

/** A first Ping. */
export function pingRequest(heartbeatSeconds: number, ...folderIds: readonly string[]): WbxmlElement {
  const folders = folderIds.map((id) => el('Ping:Folder', el('Ping:Id', id), el('Ping:Class', 'Email')))
  return el(
    'Ping:Ping',
    el('Ping:HeartbeatInterval', String(heartbeatSeconds)),
    el('Ping:Folders', ...folders),
  )
}

/** The text at the end of a path of first children. */
export function textAt(
  root: WbxmlElement | undefined,
  ...path: readonly QualifiedName[]
): string | undefined {
  return textOf(path.reduce<WbxmlElement | undefined>((parent, name) => child(parent, name), root))
}

/** SyncKey of a Collection. */
export function keyOf(collection: WbxmlElement | undefined): string {
  const key = textAt(collection, 'AirSync:SyncKey')
  if (key === undefined) throw new Error('an answer without SyncKey')
  return key
}

/** The server's changes in a Collection: Add, Change, Delete, SoftDelete. */
export function commandsOf(collection: WbxmlElement | undefined): WbxmlElement[] {
  return children(child(collection, 'AirSync:Commands'))
}

/** ServerIds of all server changes of one kind. */
export function idsOf(collection: WbxmlElement | undefined, name: QualifiedName): string[] {
  return commandsOf(collection)
    .filter((command) => command.name === name)
    .map((command) => textAt(command, 'AirSync:ServerId') ?? '')
}

/** Every path of element names in a document, once each, sorted: its structure without its values. */
export function pathsOf(root: WbxmlElement | undefined): string[] {
  const paths = new Set<string>()
  const walk = (at: WbxmlElement, above: string): void => {
    const path = `${above}/${at.name}`
    paths.add(path)
    for (const inner of at.content) if (isElement(inner)) walk(inner, path)
  }
  if (root !== undefined) walk(root, '')
  return [...paths].toSorted()
}
