import type { Attachment, MessageContent } from './message.ts'

/** Writes a message as RFC 5322 mail: alternative bodies and attachments in base64, so that any text passes. */
export function composeMail(message: MessageContent): Buffer {
  const head = [
    header('From', message.from),
    header('To', message.to),
    ...(message.cc === '' ? [] : [header('Cc', message.cc)]),
    header('Subject', message.subject),
    `Date: ${new Date(message.receivedAt).toUTCString().replace('GMT', '+0000')}`,
    'MIME-Version: 1.0',
  ]
  return Buffer.from(`${head.join('\r\n')}\r\n${mixed(message)}`)
}

function mixed(message: MessageContent): string {
  const body = alternative(message)
  if (message.attachments.length === 0) return body
  return multipart('mixed', [body, ...message.attachments.map((attachment) => filePart(attachment))])
}

function alternative(message: MessageContent): string {
  const plain = part('Content-Type: text/plain; charset=utf-8', Buffer.from(message.text))
  if (message.html === undefined) return plain
  return multipart('alternative', [
    plain,
    part('Content-Type: text/html; charset=utf-8', Buffer.from(message.html)),
  ])
}

function filePart(attachment: Attachment): string {
  const name = encodedWord(attachment.name)
  const head = [
    `Content-Type: ${attachment.contentType}; name="${name}"`,
    `Content-Disposition: ${attachment.contentId === undefined ? 'attachment' : 'inline'}; filename="${name}"`,
  ]
  if (attachment.contentId !== undefined) head.push(`Content-ID: <${attachment.contentId}>`)
  return part(head.join('\r\n'), attachment.content)
}

function part(head: string, content: Uint8Array): string {
  const base64 =
    Buffer.from(content)
      .toString('base64')
      .match(/.{1,76}/g) ?? []
  return `${head}\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64.join('\r\n')}\r\n`
}

/** Base64 has no `=_`, so the boundary stands in no part. */
function multipart(kind: 'mixed' | 'alternative', parts: readonly string[]): string {
  const boundary = `=_${kind}`
  const body = parts.map((each) => `--${boundary}\r\n${each}`).join('')
  return `Content-Type: multipart/${kind}; boundary="${boundary}"\r\n\r\n${body}--${boundary}--\r\n`
}

function header(name: string, value: string): string {
  return `${name}: ${encodedWord(value)}`
}

/** A value with other than ASCII as encoded words, address parts left readable. RFC 2047 */
function encodedWord(value: string): string {
  return value.replaceAll(
    /[^ -~]+(?: +[^ -~]+)*/g,
    (run) => `=?utf-8?B?${Buffer.from(run).toString('base64')}?=`,
  )
}
