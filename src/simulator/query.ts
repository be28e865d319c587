import type { CommandName } from './answer.ts'
import { HttpRefusal, topElements } from './answer.ts'
import type { ProtocolVersion } from './versions.ts'
import { versionOfCode, versionOfText } from './versions.ts'

/** One EAS request line as this server reads it, whichever form it came in. */
export interface EasRequestLine {
  readonly command: CommandName
  readonly form: 'plain' | 'base64'
  readonly protocolVersion: ProtocolVersion
  readonly deviceId: string
  readonly deviceType: string
  /** Claimed only: identity is the credential (protocol.md section 16). */
  readonly user: string | undefined
  /** Absent and 0 are not the same (protocol.md section 16). */
  readonly policyKey: number | undefined
  readonly attachmentName: string | undefined
  readonly collectionId: string | undefined
  readonly itemId: string | undefined
  readonly longId: string | undefined
  readonly saveInSent: boolean
  readonly acceptMultiPart: boolean
}

type Headers = Readonly<Record<string, string | string[] | undefined>>

/**
 * Reads the query of a POST, plain (protocol.md section 3) or base64 (section 4). Lenient as Exchange is: names match
 * without case, of a repeated name the first counts, unknown parameters are passed over.
 * @throws {HttpRefusal} 400 malformed, 501 unknown command, 505 version 1.0, 500 a base64 query that was re-encoded
 */
export function readRequestLine(query: string, headers: Headers): EasRequestLine {
  if (/^[A-Za-z0-9+/]+={0,2}$/.test(query)) return readBase64(query)
  // Without any name=value it is no plain query: a base64 one that was percent-encoded on its way. Section 16
  if (!/=[^=]/.test(query) && query !== '') throw new HttpRefusal(500, 'base64 query was re-encoded')
  return readPlain(query, headers)
}

/** The value of one query parameter, percent-decoded, its name matched without case. */
export function queryParameter(query: string, name: string): string | undefined {
  return decode(parametersOf(query).get(name.toLowerCase()))
}

/** Parameters by lower-case name, not yet decoded; of a repeated one the first. */
function parametersOf(query: string): Map<string, string> {
  const parameters = new Map<string, string>()
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=')
    const name = pair.slice(0, equals).toLowerCase()
    if (equals > 0 && !parameters.has(name)) parameters.set(name, pair.slice(equals + 1))
  }
  return parameters
}

function decode(value: string | undefined): string | undefined {
  try {
    return value === undefined ? undefined : decodeURIComponent(value)
  } catch {
    throw new HttpRefusal(400, 'bad percent-encoding')
  }
}

function readPlain(query: string, headers: Headers): EasRequestLine {
  const parameters = parametersOf(query)
  const parameter = (name: string): string | undefined => decode(parameters.get(name.toLowerCase()))
  const deviceId = parameter('DeviceId') ?? ''
  const deviceType = parameter('DeviceType') ?? ''
  if (!/^[\w.-]{1,64}$/.test(deviceId) || deviceType === '')
    throw new HttpRefusal(400, 'no DeviceId or DeviceType')
  return {
    command: commandNamed(parameter('Cmd')),
    form: 'plain',
    protocolVersion: versionHeader(headers['ms-asprotocolversion']),
    deviceId,
    deviceType,
    user: parameter('User'),
    policyKey: policyKeyHeader(headers['x-ms-policykey']),
    attachmentName: parameter('AttachmentName'),
    collectionId: parameter('CollectionId'),
    itemId: parameter('ItemId'),
    longId: parameter('LongId'),
    saveInSent: parameter('SaveInSent')?.toUpperCase() === 'T',
    acceptMultiPart: headers['ms-asacceptmultipart'] === 'T',
  }
}

function commandNamed(name: string | undefined): CommandName {
  if (name === undefined || name === '') throw new HttpRefusal(400, 'no Cmd')
  const known = commandsByLowerName.get(name.toLowerCase())
  if (known === undefined) throw new HttpRefusal(501, 'unknown Cmd')
  return known
}

const commandsByLowerName: ReadonlyMap<string, CommandName> = new Map(
  (Object.keys(topElements) as CommandName[]).map((name) => [name.toLowerCase(), name]),
)

/** A missing header means an old client: 2.5 (protocol.md section 3). */
function versionHeader(header: string | string[] | undefined): ProtocolVersion {
  if (header === undefined) return 25
  if (header === '1.0') throw new HttpRefusal(505, 'version 1.0')
  const version = typeof header === 'string' ? versionOfText(header) : undefined
  if (version === undefined) throw new HttpRefusal(400, 'unknown protocol version')
  return version
}

function policyKeyHeader(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined
  const key = typeof header === 'string' && /^\d{1,10}$/.test(header) ? Number(header) : Infinity
  if (key > 0xffffffff) throw new HttpRefusal(400, 'bad policy key')
  return key
}

/** Command codes of protocol.md section 4. 5 to 8 are of 2.5 and not answered. */
const commandCodes: ReadonlyMap<number, CommandName> = new Map([
  [0, 'Sync'],
  [1, 'SendMail'],
  [2, 'SmartForward'],
  [3, 'SmartReply'],
  [4, 'GetAttachment'],
  [9, 'FolderSync'],
  [10, 'FolderCreate'],
  [11, 'FolderDelete'],
  [12, 'FolderUpdate'],
  [13, 'MoveItems'],
  [14, 'GetItemEstimate'],
  [15, 'MeetingResponse'],
  [16, 'Search'],
  [17, 'Settings'],
  [18, 'Ping'],
  [19, 'ItemOperations'],
  [20, 'Provision'],
  [21, 'ResolveRecipients'],
  [22, 'ValidateCert'],
  [23, 'Find'],
])

/** Parameter tags of protocol.md section 4. */
const tag = { attachmentName: 0, collectionId: 1, itemId: 3, longId: 4, options: 7, user: 8 } as const

function readBase64(query: string): EasRequestLine {
  const bytes = Buffer.from(query, 'base64')
  const canonical = bytes.toString('base64')
  // Clients leave the padding out (section 4); anything else that differs was changed on its way (section 16).
  if (query !== canonical && query !== canonical.replace(/=+$/, ''))
    throw new HttpRefusal(500, 'not canonical')
  let offset = 0
  const take = (length: number): Buffer => {
    if (offset + length > bytes.length) throw new HttpRefusal(400, 'query ends early')
    offset += length
    return bytes.subarray(offset - length, offset)
  }
  const byte = (): number => take(1).readUInt8()
  if (bytes.length < 8) throw new HttpRefusal(400, 'query too short')
  const protocolVersion = versionOfCode(byte())
  const command = commandCodes.get(byte())
  if (protocolVersion === undefined || protocolVersion < 121) throw new HttpRefusal(400, 'unknown version')
  if (command === undefined) throw new HttpRefusal(400, 'unknown command')
  take(2)
  const deviceId = deviceIdText(take(byte()))
  if (deviceId === '') throw new HttpRefusal(400, 'no device id')
  const keyLength = byte()
  if (keyLength !== 0 && keyLength !== 4) throw new HttpRefusal(400, 'bad policy key length')
  const policyKey = keyLength === 0 ? undefined : take(4).readUInt32LE()
  const deviceType = take(byte()).toString()
  const parameters = new Map<number, Buffer>()
  while (offset < bytes.length) {
    const number = byte()
    const value = take(byte())
    if (!parameters.has(number)) parameters.set(number, value)
  }
  const options = parameters.get(tag.options)?.[0] ?? 0
  return {
    command,
    form: 'base64',
    protocolVersion,
    deviceId,
    deviceType,
    user: parameters.get(tag.user)?.toString(),
    policyKey,
    attachmentName: parameters.get(tag.attachmentName)?.toString(),
    collectionId: parameters.get(tag.collectionId)?.toString(),
    itemId: parameters.get(tag.itemId)?.toString(),
    longId: parameters.get(tag.longId)?.toString(),
    saveInSent: (options & 0x01) !== 0,
    acceptMultiPart: (options & 0x02) !== 0,
  }
}

/** Letters and digits are the id itself, other bytes its hex (protocol.md section 4). */
function deviceIdText(bytes: Buffer): string {
  const ascii = bytes.toString('latin1')
  return /^[A-Za-z0-9]*$/.test(ascii) ? ascii : bytes.toString('hex').toUpperCase()
}
