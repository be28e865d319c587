import type { Attachment } from './message.ts'

/** A mail as a client sent it. Header values are decoded; a missing one is ''. */
export interface ParsedMail {
  readonly from: string
  readonly to: string
  readonly cc: string
  readonly bcc: string
  readonly subject: string
  readonly text: string
  readonly html: string | undefined
  readonly attachments: readonly Attachment[]
}

/** Parts inside parts: deeper ones are left out. */
const maxDepth = 8

/** Reads an RFC 5322 mail, as far as phones write such. Undefined: it has no header. */
export function parseMail(bytes: Uint8Array): ParsedMail | undefined {
  const entity = readEntity(Buffer.from(bytes).toString('latin1'))
  if (entity === undefined) return undefined
  const found: Found = { text: undefined, html: undefined, attachments: [] }
  collect(entity, found, 0)
  const header = (name: string): string => decodeWords(entity.headers.get(name) ?? '')
  return {
    from: header('from'),
    to: header('to'),
    cc: header('cc'),
    bcc: header('bcc'),
    subject: header('subject'),
    text: found.text ?? textOfHtml(found.html ?? ''),
    html: found.html,
    attachments: found.attachments,
  }
}

/** The bare addresses of an address list, without names. */
export function addressesIn(list: string): string[] {
  const withoutNames = list.replaceAll(/"(?:[^"\\]|\\.)*"/g, '')
  return withoutNames.match(/[^\s<>,;:]+@[^\s<>,;:]+/g) ?? []
}

/** HTML as plain text, roughly: enough for a preview and for clients that read text only. */
export function textOfHtml(html: string): string {
  return html
    .replaceAll(/<(?:br|\/p|\/div|\/tr|\/h\d)\s*\/?>/gi, '\r\n')
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll('&nbsp;', ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
    .trim()
}

/** Headers by lower-case name, and the body as Latin-1, one character a byte. */
interface Entity {
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

interface Found {
  text: string | undefined
  html: string | undefined
  readonly attachments: Attachment[]
}

function readEntity(source: string): Entity | undefined {
  const end = /\r?\n\r?\n|$/.exec(source)
  const head = source.slice(0, end?.index ?? source.length)
  const headers = new Map<string, string>()
  for (const line of head.replaceAll(/\r?\n[ \t]+/g, ' ').split(/\r?\n/)) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).trim().toLowerCase()
    if (colon > 0 && !headers.has(name)) headers.set(name, line.slice(colon + 1).trim())
  }
  if (headers.size === 0) return undefined
  return { headers, body: source.slice(head.length + (end?.[0].length ?? 0)) }
}

function collect(entity: Entity, found: Found, depth: number): void {
  const type = entity.headers.get('content-type') ?? 'text/plain'
  const kind = type.replace(/;.*/s, '').trim().toLowerCase()
  const boundary = parameterOf(type, 'boundary')
  if (kind.startsWith('multipart/') && boundary !== undefined && depth < maxDepth) {
    for (const source of partsOf(entity.body, boundary)) {
      // A part may begin with its body at once: then it has no headers of its own.
      const part = readEntity(source) ?? { headers: new Map<string, string>(), body: source }
      collect(part, found, depth + 1)
    }
    return
  }
  const content = decodeBody(entity)
  const disposition = entity.headers.get('content-disposition') ?? ''
  const name = parameterOf(disposition, 'filename') ?? parameterOf(type, 'name')
  const isFile = name !== undefined || /^attachment/i.test(disposition)
  if (!isFile && kind === 'text/plain') found.text ??= decodeText(content, type)
  else if (!isFile && kind === 'text/html') found.html ??= decodeText(content, type)
  else found.attachments.push(attachmentOf(entity, kind, name, content))
}

function attachmentOf(
  entity: Entity,
  contentType: string,
  name: string | undefined,
  content: Buffer,
): Attachment {
  const contentId = entity.headers.get('content-id')?.replaceAll(/[<>]/g, '')
  const file = { name: decodeWords(name ?? 'attachment'), contentType, content }
  return contentId === undefined ? file : { ...file, contentId }
}

function partsOf(body: string, boundary: string): string[] {
  const parts = `\r\n${body}`.split(`\n--${boundary}`).slice(1)
  const end = parts.findIndex((part) => part.startsWith('--'))
  return parts
    .slice(0, end < 0 ? undefined : end)
    .map((part) => part.replace(/^[ \t]*\r?\n/, '').replace(/\r$/, ''))
}

function decodeBody({ headers, body }: Entity): Buffer {
  const encoding = (headers.get('content-transfer-encoding') ?? '').toLowerCase()
  if (encoding === 'base64') return Buffer.from(body, 'base64')
  if (encoding === 'quoted-printable') return quotedPrintable(body.replaceAll(/[ \t]*=\r?\n/g, ''))
  return Buffer.from(body, 'latin1')
}

function quotedPrintable(source: string): Buffer {
  const decoded = source.replaceAll(/=([0-9A-F]{2})/gi, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  )
  return Buffer.from(decoded, 'latin1')
}

function decodeText(bytes: Buffer, contentType: string): string {
  return decodeCharset(bytes, parameterOf(contentType, 'charset') ?? 'utf-8')
}

function decodeCharset(bytes: Buffer, charset: string): string {
  return decoderFor(charset).decode(bytes)
}

function decoderFor(charset: string): TextDecoder {
  try {
    return new TextDecoder(charset)
  } catch {
    return new TextDecoder('windows-1252')
  }
}

function parameterOf(header: string, name: string): string | undefined {
  const match = new RegExp(`;\\s*${name}\\s*=\\s*(?:"([^"]*)"|([^\\s;]+))`, 'i').exec(header)
  return match?.[1] ?? match?.[2]
}

/** Decodes encoded words (RFC 2047); other bytes above ASCII are taken as UTF-8. */
function decodeWords(value: string): string {
  const joined = value.replaceAll(/\?=\s+=\?/g, '?==?')
  return decodeCharset(Buffer.from(joined, 'latin1'), 'utf-8').replaceAll(
    /=\?([^?*]+)[^?]*\?([bq])\?([^?]*)\?=/gi,
    (_, charset: string, encoding: string, word: string) => {
      const bytes =
        encoding.toLowerCase() === 'b'
          ? Buffer.from(word, 'base64')
          : quotedPrintable(word.replaceAll('_', ' '))
      return decodeCharset(bytes, charset)
    },
  )
}
