/** A mail before it is written out. No value holds a line break. */
export interface MimeMessage {
  readonly senderName: string
  /** ASCII. */
  readonly senderAddress: string
  readonly recipient: string
  readonly subject: string
  /** Without its angle brackets. */
  readonly messageId: string
  /** Milliseconds since the epoch. */
  readonly sentAt: number
  readonly text: string
  readonly html: string
}

/** Base64 has no `=_`, so that the boundary stands in no part. RFC 2046, 5.1.1 */
const boundary = '=_easgate'

/** A mail with a plain and an HTML body, in ASCII. RFC 5322 */
export function composeMime(message: MimeMessage): string {
  const { senderName, senderAddress, recipient, subject, messageId, sentAt, text, html } = message
  return [
    `From: ${phrase(senderName)} <${senderAddress}>`,
    `To: ${encodedWords(recipient)}`,
    `Subject: ${encodedWords(subject)}`,
    `Date: ${new Date(sentAt).toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${messageId}>`,
    'MIME-Version: 1.0',
    `Content-Type: multipart/alternative; boundary="${boundary}"`,
    '',
    ...partLines('plain', text),
    ...partLines('html', html),
    `--${boundary}--`,
    '',
  ].join('\r\n')
}

/** A name as it stands before an address, in quotes. RFC 5322, 3.2.4 */
export function quoted(name: string): string {
  return `"${name.replaceAll(/["\\]/g, '\\$&')}"`
}

function phrase(name: string): string {
  return isPrintable(name) ? quoted(name) : encodedWords(name)
}

function partLines(subtype: 'plain' | 'html', content: string): readonly string[] {
  const encoded = Buffer.from(content).toString('base64')
  return [
    `--${boundary}`,
    `Content-Type: text/${subtype}; charset=utf-8`,
    'Content-Transfer-Encoding: base64',
    '',
    ...(encoded.match(/.{1,76}/g) ?? []),
  ]
}

function isPrintable(text: string): boolean {
  return /^[ -~]*$/.test(text)
}

/** The most bytes of text in one encoded word, whose base64 and frame take at most 75 characters. RFC 2047, 2 */
const maxWordBytes = 45

/** Printable ASCII as it is, all other text as encoded words of whole characters. RFC 2047 */
function encodedWords(text: string): string {
  if (isPrintable(text)) return text
  const pieces: string[] = []
  let piece = ''
  for (const character of text) {
    if (Buffer.byteLength(piece + character) > maxWordBytes) {
      pieces.push(piece)
      piece = ''
    }
    piece += character
  }
  return [...pieces, piece].map((part) => `=?utf-8?B?${Buffer.from(part).toString('base64')}?=`).join('\r\n ')
}
