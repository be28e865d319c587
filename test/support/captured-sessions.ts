import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { request } from 'undici'
import { decodeWbxml } from '#eas/wbxml/decode.ts'
import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { element, isElement, textOf } from '#eas/wbxml/element.ts'
import { encodeWbxml } from '#eas/wbxml/encode.ts'
import type { Simulator } from '#simulator/exchange.ts'
import { createSimulator } from '#simulator/exchange.ts'
import { readRequestLine } from '#simulator/query.ts'
import type { Reply } from './simulated-phone.ts'
import { Phone, el, pathsOf, pingRequest, textAt } from './simulated-phone.ts'

/** A real request to a running open server, and its answer. */
export interface Capture {
  readonly request: {
    readonly method: 'OPTIONS' | 'POST'
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
    readonly bodyHex: string
  }
  readonly response: {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly bodyHex: string
  }
}

/** What of a captured request is the other server's choice, and stands here under another name. */
export interface Adaptation {
  /** Texts in the body or query, theirs to ours. */
  readonly values?: Readonly<Record<string, string>>
  readonly policyKey?: number
  readonly password?: string
  /** Done once the request is parked. */
  readonly whileParked?: () => void
}

/** A simulator as it stands before a captured request, and the phone that goes to it. */
export interface CaptureServer {
  readonly simulator: Simulator
  /** Where the requests go. */
  readonly url: string
  /** Of the captured request; undefined where it names none. */
  readonly deviceId: string | undefined
  readonly inbox: string
  readonly archive: string
  /** The message with the files. */
  readonly message: string
  readonly phone: Phone
}

const folder = join(import.meta.dirname, '../fixtures/captures')
const numbers = 'quarter,amount\n1,100\n2,140\n3,90\n4,210\n'

/**
 * The capture's own device, provisioned in plain form even where the capture is base64. `through` gives the URL of what
 * stands before the simulator.
 */
export async function setUp(
  t: Test,
  capture: Capture,
  through: (url: string, deviceId: string | undefined) => Promise<string> = async (url) => url,
): Promise<CaptureServer> {
  const files = [
    { name: 'numbers.csv', contentType: 'text/csv', content: Buffer.from(numbers) },
    { name: 'chart.png', contentType: 'image/png', content: Buffer.alloc(463) },
  ]
  const from = 'Bob Example <bob@example.test>'
  const alice = {
    upn: 'alice@example.test',
    domain: 'EXAMPLE',
    password: 'demo',
    messages: [
      {
        from,
        subject: 'Quarterly numbers',
        text: 'Please find the numbers attached.\r\n',
        attachments: files,
      },
      { from, subject: 'News', text: 'News', html: '<p>News</p>' },
    ],
  }
  const simulator = createSimulator({
    users: [alice],
    serverVersion: '14.3',
    alwaysHttp449: true,
    minHeartbeatSeconds: 1,
  })
  const { url: simulatorUrl } = await simulator.listen()
  t.teardown(() => simulator.close())
  const mailbox = simulator.mailbox('alice')
  const inbox = mailbox.folderOfType(2).serverId
  const message = mailbox.messages(inbox).find(({ attachments }) => attachments.length > 0)?.serverId ?? ''
  const query = capture.request.url.split('?')[1]
  const deviceId = query === undefined ? undefined : readRequestLine(query, {}).deviceId
  const url = await through(simulatorUrl, deviceId)
  const phone = new Phone({ url, user: 'alice', version: '14.1', deviceId: deviceId ?? 'NONE' })
  return { simulator, url, deviceId, inbox, archive: mailbox.folderOfType(12).serverId, message, phone }
}

/** Sends a captured request, byte for byte but for the adaptation. */
export async function replay(
  server: CaptureServer,
  { request: captured }: Capture,
  adaptation: Adaptation,
): Promise<Reply> {
  const { values = {}, policyKey, password = 'demo' } = adaptation
  const { pathname, search } = new URL(captured.url)
  const query = adaptQuery(search.slice(1), values, policyKey)
  const { Authorization: _, Host: _host, 'Content-Length': _length, ...headers } = captured.headers
  const body = Buffer.from(captured.bodyHex, 'hex')
  const isWbxml = captured.bodyHex.startsWith('03016a00')
  const sent = request(`${server.url}${pathname}${query === '' ? '' : `?${query}`}`, {
    method: captured.method,
    headers: {
      ...headers,
      ...(policyKey === undefined || headers['X-MS-PolicyKey'] === undefined
        ? {}
        : { 'X-MS-PolicyKey': String(policyKey) }),
      Authorization: `Basic ${Buffer.from(`alice:${password}`).toString('base64')}`,
    },
    body: isWbxml ? encodeWbxml(withValues(decodeWbxml(body), values)) : body.length > 0 ? body : null,
  })
  if (adaptation.whileParked !== undefined) {
    await server.simulator.whenParked(1)
    adaptation.whileParked()
  }
  const response = await sent
  const answer = Buffer.from(await response.body.arrayBuffer())
  const isAnswerWbxml = answer.subarray(0, 4).toString('hex') === '03016a00'
  const root = isAnswerWbxml ? decodeWbxml(answer) : undefined
  return { status: response.statusCode, headers: response.headers, body: answer, root }
}

/** Puts our policy key into a base64 query, our values into a plain one. */
function adaptQuery(
  query: string,
  values: Readonly<Record<string, string>>,
  policyKey: number | undefined,
): string {
  if (query.includes('Cmd=')) {
    return query
      .split('&')
      .map((parameter) => {
        const [name = '', theirs = ''] = parameter.split('=')
        const ours = values[decodeURIComponent(theirs)]
        return ours === undefined ? parameter : `${name}=${encodeURIComponent(ours)}`
      })
      .join('&')
  }
  if (query === '' || policyKey === undefined) return query
  const bytes = Buffer.from(query, 'base64')
  const keyAt = 5 + bytes.readUInt8(4)
  if (bytes.readUInt8(keyAt) === 4) bytes.writeUInt32LE(policyKey, keyAt + 1)
  return bytes.toString('base64')
}

function withValues(root: WbxmlElement, values: Readonly<Record<string, string>>): WbxmlElement {
  const content = root.content.map((inner) => {
    if (isElement(inner)) return withValues(inner, values)
    return typeof inner === 'string' ? (values[inner] ?? inner) : inner
  })
  return element(root.name, ...content)
}

/** Every Status of a document with its path. */
export function statusesOf(root: WbxmlElement | undefined, above = ''): string[] {
  if (root === undefined) return []
  const path = `${above}/${root.name}`
  if (path.endsWith(':Status') && !path.includes('Email:')) return [`${path} ${textOf(root)}`]
  return root.content.filter(isElement).flatMap((inner) => statusesOf(inner, path))
}

/** Elements of that server alone: it tells of replies, and writes an unset flag as a status. */
const onlyTheirs = /\/(?:Email:Flag\/Email:Status|Email2:LastVerbExecuted)$/
/** Elements that the reference has from 14.0 and that server leaves out. */
const onlyOurs = /\/(?:Email:DisplayTo|Email2:ConversationId|Email2:ConversationIndex)$/

function mediaType(contentType: string | readonly string[] | undefined): string | undefined {
  return typeof contentType === 'string' ? contentType.split(';')[0] : undefined
}

/** Compares status, media type, and the structure and every status of the body. */
export function compare(t: Test, reply: Reply, { response }: Capture): void {
  t.equal(reply.status, response.status)
  t.equal(mediaType(reply.headers['content-type']), mediaType(response.headers['Content-Type']))
  const theirs = Buffer.from(response.bodyHex, 'hex')
  const isWbxml = response.bodyHex.startsWith('03016a00')
  t.equal(reply.root !== undefined, isWbxml)
  if (!isWbxml) return
  const expected = decodeWbxml(theirs)
  t.strictSame(
    pathsOf(reply.root).filter((path) => !onlyOurs.test(path)),
    pathsOf(expected).filter((path) => !onlyTheirs.test(path)),
  )
  t.strictSame([...new Set(statusesOf(reply.root))].toSorted(), [...new Set(statusesOf(expected))].toSorted())
}

/** A multipart body without its document, whose keys and ids differ. */
export function layoutOf(bytes: Buffer): unknown {
  const [first, length, second] = [bytes.readUInt32LE(4), bytes.readUInt32LE(8), bytes.readUInt32LE(12)]
  return {
    count: bytes.readUInt32LE(0),
    first,
    gap: second - (first + length),
    secondLength: bytes.readUInt32LE(16),
    rest: bytes.subarray(second).toString(),
  }
}

/** The capture of that name. */
export function capture(name: string): Capture {
  return JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Capture
}

/** What has to be done before each captured request, and how it is adapted. */
export const sessions: Readonly<Record<string, (server: CaptureServer) => Promise<Adaptation>>> = {
  '12.1-base64-itemoperations-attachment-multipart': async ({ phone, message }) => ({
    policyKey: await phone.provision(),
    values: { 'a1b0467a:2:1': `${message}:1` },
  }),
  '12.1-base64-sync-0': async ({ phone, inbox }) => ({
    policyKey: await phone.provision(),
    values: { a1b0467a: inbox },
  }),
  '12.1-plain-getattachment': async ({ phone, message }) => ({
    policyKey: await phone.provision(),
    values: { 'c422142f:2:1': `${message}:1` },
  }),
  '12.1-plain-options': async () => ({}),
  '12.1-plain-ping': async ({ phone, inbox }) => ({
    policyKey: await phone.provision(),
    values: { c422142f: inbox, '6': '1' },
  }),
  '12.1-plain-sendmail': async ({ phone }) => ({ policyKey: await phone.provision() }),
  '14.0-base64-itemoperations-attachment': async ({ phone, message }) => ({
    policyKey: await phone.provision(),
    values: { 'bceff759:2:1': `${message}:1` },
  }),
  '14.0-base64-moveitems': async ({ phone, message, inbox, archive }) => ({
    policyKey: await phone.provision(),
    values: { '14': message, bceff759: inbox, '4e45ac35': archive },
  }),
  '14.0-base64-ping-empty-body': async ({ phone, inbox }) => {
    const policyKey = await phone.provision()
    await phone.send('Ping', pingRequest(1, inbox))
    return { policyKey }
  },
  '14.0-plain-foldersync-unprovisioned': async () => ({}),
  '14.0-plain-sendmail': async ({ phone }) => ({ policyKey: await phone.provision() }),
  '14.0-plain-sync-1': async ({ phone, inbox }) => ({
    policyKey: await phone.provision(),
    values: { '{35ed96c9-994b-468e-891f-def2c23e9921}1': await phone.prime(inbox), '6a5a4fc8': inbox },
  }),
  '14.1-base64-ping-change': async ({ phone, inbox, simulator }) => ({
    policyKey: await phone.provision(),
    values: { fc7e5e16: inbox },
    whileParked: () => simulator.deliver('alice', { from: 'bob@example.test', subject: 'S', text: 'T' }),
  }),
  '14.1-base64-provision-1': async () => ({}),
  '14.1-base64-provision-2': async ({ phone }) => {
    phone.policyKey = 0
    const set = el('Settings:DeviceInformation', el('Settings:Set', el('Settings:Model', 'M')))
    const policy = el('Provision:Policy', el('Provision:PolicyType', 'MS-EAS-Provisioning-WBXML'))
    const ask = el('Provision:Provision', set, el('Provision:Policies', policy))
    const { root } = await phone.send('Provision', ask)
    const temporary = textAt(root, 'Provision:Policies', 'Provision:Policy', 'Provision:PolicyKey') ?? ''
    return { policyKey: Number(temporary), values: { '787318797': temporary } }
  },
  '14.1-base64-search-mailbox': async ({ phone, inbox }) => ({
    policyKey: await phone.provision(),
    values: { fc7e5e16: inbox },
  }),
  '14.1-plain-foldersync-0': async ({ phone }) => ({ policyKey: await phone.provision() }),
  '14.1-plain-options-wrong-password': async () => ({ password: 'wrong' }),
  '14.1-plain-settings': async ({ phone }) => ({ policyKey: await phone.provision() }),
}

/** The name of every capture. */
export const captureNames = readdirSync(folder).map((file) => file.replace('.json', ''))
