/**
 * A second reader of EAS queries, as tolerant as the servers behind: names without case, repeats joined with a comma,
 * `+` as a space, `%uXXXX`, bad UTF-8 replaced, junk in base64 skipped, fields cut at the end. It shares no code with
 * src/eas, so that what our reader accepts can be held against it: the forwarded request must re-parse to the decided
 * user, device and command.
 */

/** What a tolerant server makes of a query. `deviceIds` holds each spelling it may give the id. */
export interface LenientReading {
  readonly command: string | undefined
  readonly deviceIds: readonly string[]
  readonly user: string | undefined
}

const commandsOfCodes =
  'Sync SendMail SmartForward SmartReply GetAttachment GetHierarchy CreateCollection DeleteCollection MoveCollection FolderSync FolderCreate FolderDelete FolderUpdate MoveItems GetItemEstimate MeetingResponse Search Settings Ping ItemOperations Provision ResolveRecipients ValidateCert Find'.split(
    ' ',
  )

/** Reads anything; a query with a `Cmd` in it is plain, all else is taken for base64. */
export function readLeniently(query: string): LenientReading {
  const collection = nameValueCollection(query)
  return collection.has('cmd') || collection.has('deviceid') ? plainReading(collection) : base64Reading(query)
}

function plainReading(collection: ReadonlyMap<string, string>): LenientReading {
  const deviceId = collection.get('deviceid')
  return {
    command: collection.get('cmd'),
    deviceIds: deviceId === undefined ? [] : [deviceId],
    user: collection.get('user'),
  }
}

/** As `HttpRequest.QueryString` is filled. */
function nameValueCollection(query: string): Map<string, string> {
  const collection = new Map<string, string>()
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=')
    const name = urlDecode(equals === -1 ? '' : pair.slice(0, equals)).toLowerCase()
    const value = urlDecode(pair.slice(equals + 1))
    const before = collection.get(name)
    collection.set(name, before === undefined ? value : `${before},${value}`)
  }
  return collection
}

/** As `HttpUtility.UrlDecode`: a percent sign that starts nothing stays. */
function urlDecode(text: string): string {
  let decoded = ''
  let bytes: number[] = []
  const flush = (): void => {
    decoded += new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes))
    bytes = []
  }
  for (let index = 0; index < text.length;) {
    const wide = /^%u([0-9a-f]{4})/i.exec(text.slice(index, index + 6))?.[1]
    const narrow = /^%([0-9a-f]{2})/i.exec(text.slice(index, index + 3))?.[1]
    if (narrow !== undefined) {
      bytes.push(Number.parseInt(narrow, 16))
      index += 3
      continue
    }
    flush()
    if (wide !== undefined) decoded += String.fromCharCode(Number.parseInt(wide, 16))
    else decoded += text[index] === '+' ? ' ' : text.charAt(index)
    index += wide === undefined ? 1 : 6
  }
  flush()
  return decoded
}

function base64Reading(query: string): LenientReading {
  const bytes = Buffer.from(query, 'base64')
  let offset = 4
  const next = (): Buffer => {
    const length = bytes[offset] ?? 0
    const value = bytes.subarray(offset + 1, offset + 1 + length)
    offset += 1 + length
    return value
  }
  const deviceId = next()
  next()
  next()
  let user: string | undefined
  while (offset < bytes.length) {
    const tag = bytes[offset]
    offset += 1
    const value = next().toString('utf8')
    if (tag === 8) user = user === undefined ? value : `${user},${value}`
  }
  return {
    command: commandsOfCodes[bytes[1] ?? -1],
    deviceIds: [deviceId.toString('latin1'), deviceId.toString('hex')],
    user,
  }
}
