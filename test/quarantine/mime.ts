import t from 'tap'
import { composeMime, quoted, type MimeMessage } from '#quarantine/mime.ts'

const message: MimeMessage = {
  senderName: 'Help "desk"',
  senderAddress: 'no-reply@x.example',
  recipient: 'u@x.example',
  subject: 'Enrol',
  messageId: 'easgate-inbox:AAAA@x.example',
  sentAt: Date.UTC(2026, 0, 2, 3, 4, 5),
  text: 'https://x.example/e\n\n端末\n',
  html: '<p>ü</p>',
}

/** The values of a header of that name, unfolded and with encoded words decoded. */
function header(mime: string, name: string): string | undefined {
  const head = mime.slice(0, mime.indexOf('\r\n\r\n')).replaceAll(/\r\n /g, ' ')
  const line = head.split('\r\n').find((one) => one.startsWith(`${name}: `))
  return line
    ?.slice(name.length + 2)
    .replaceAll(/\?= =\?/g, '?==?')
    .replaceAll(/=\?utf-8\?B\?([^?]*)\?=/g, (_, base64: string) => Buffer.from(base64, 'base64').toString())
}

void t.test('is a mail of two bodies, in ASCII', async (t) => {
  const mime = composeMime(message)
  t.match(mime, /^[\r\n -~]*$/)
  t.notMatch(mime, /[^\r]\n|\r[^\n]/)
  t.equal(header(mime, 'From'), '"Help \\"desk\\"" <no-reply@x.example>')
  t.equal(header(mime, 'To'), 'u@x.example')
  t.equal(header(mime, 'Subject'), 'Enrol')
  t.equal(header(mime, 'Date'), 'Fri, 02 Jan 2026 03:04:05 +0000')
  t.equal(header(mime, 'Message-ID'), '<easgate-inbox:AAAA@x.example>')
  t.equal(header(mime, 'MIME-Version'), '1.0')
  const [, boundary = ''] = /boundary="([^"]*)"/.exec(mime) ?? []
  const [head, plain = '', html = '', end] = mime.split(`--${boundary}`)
  t.match(head, 'Content-Type: multipart/alternative')
  t.equal(end, '--\r\n')
  for (const [part, type, content] of [
    [plain, 'text/plain', message.text],
    [html, 'text/html', message.html],
  ] as const) {
    const [partHead = '', encoded = ''] = part.split('\r\n\r\n')
    t.match(partHead, `Content-Type: ${type}; charset=utf-8\r\nContent-Transfer-Encoding: base64`)
    t.equal(Buffer.from(encoded, 'base64').toString(), content)
  }
})

void t.test('other than ASCII goes in encoded words of whole characters', async (t) => {
  const subject = 'この端末へのメール配信は保留中です。この端末へのメール配信は保留中です。'
  const mime = composeMime({
    ...message,
    subject,
    senderName: 'Zugang für Ihr Gerät',
    recipient: 'ü@x.example',
  })
  t.match(mime, /^[\r\n -~]*$/)
  t.equal(header(mime, 'Subject'), subject)
  t.equal(header(mime, 'From'), 'Zugang für Ihr Gerät <no-reply@x.example>')
  t.equal(header(mime, 'To'), 'ü@x.example')
  const words = mime.match(/=\?[^ \r]*\?=/g) ?? []
  t.ok(words.length > 3)
  for (const word of words) {
    t.ok(word.length <= 75, word)
    const [, base64 = ''] = /\?B\?([^?]*)/.exec(word) ?? []
    t.notMatch(Buffer.from(base64, 'base64').toString(), '\uFFFD')
  }
})

void t.test('long bodies are wrapped', async (t) => {
  const mime = composeMime({ ...message, text: 'x'.repeat(1000) })
  t.ok(mime.split('\r\n').every((line) => line.length <= 78))
})

void t.test('a name in quotes stays one', async (t) => {
  t.equal(quoted('a "b" \\'), '"a \\"b\\" \\\\"')
})
