import t from 'tap'
import { composeMail } from '#simulator/mime-compose.ts'
import { addressesIn, parseMail, textOfHtml } from '#simulator/mime-parse.ts'

void t.test('reads back what it writes', (t) => {
  const message = {
    from: 'Zoë Öberg <zoe@example.com>',
    to: 'bob@example.com',
    cc: 'carol@example.com',
    subject: 'Grüße – 日本語 and more',
    text: 'Line one\r\nline two: ß\r\n',
    html: '<p>Line <b>one</b></p>',
    attachments: [
      {
        name: 'Übersicht.bin',
        contentType: 'application/octet-stream',
        content: Buffer.from([0, 1, 2, 255]),
      },
      { name: 'logo.png', contentType: 'image/png', content: Buffer.from('png'), contentId: 'a@b' },
    ],
    receivedAt: 1_700_000_000_000,
    read: false,
  }
  const mail = parseMail(composeMail(message))
  const { receivedAt: _receivedAt, read: _read, ...expected } = message
  t.match(mail, { ...expected, bcc: '' })
  t.strictSame(mail?.attachments[0]?.content, Buffer.from([0, 1, 2, 255]))
  t.end()
})

void t.test('reads nested parts, quoted-printable, folded headers and other charsets', (t) => {
  const source = [
    'From: "Doe, Jane" <jane@example.com>',
    'To: a@example.com,',
    '\tb@example.com',
    'Subject: =?iso-8859-1?Q?Gr=FC=DFe?= =?utf-8?B?IGFuIGFsbGU=?=',
    'Content-Type: multipart/mixed; boundary=outer',
    '',
    'preamble',
    '--outer',
    'Content-Type: multipart/alternative; boundary="inner"',
    '',
    '--inner',
    'Content-Type: text/plain; charset=iso-8859-1',
    'Content-Transfer-Encoding: quoted-printable',
    '',
    'Gr=FC=DFe, a long=',
    ' line',
    '--inner',
    'Content-Type: text/html',
    '',
    '<p>Hi</p>',
    '--inner--',
    '--outer',
    'Content-Type: text/csv; name=a.csv',
    'Content-Transfer-Encoding: base64',
    '',
    'YSxiCg==',
    '--outer--',
    'epilogue',
  ].join('\r\n')
  const mail = parseMail(Buffer.from(source))
  t.match(mail, { subject: 'Grüße an alle', text: 'Grüße, a long line', html: '<p>Hi</p>' })
  t.strictSame(
    mail?.attachments.map(({ name, content }) => [name, Buffer.from(content).toString()]),
    [['a.csv', 'a,b\n']],
  )
  t.strictSame(addressesIn(mail?.to ?? ''), ['a@example.com', 'b@example.com'])
  t.strictSame(addressesIn(mail?.from ?? ''), ['jane@example.com'])
  t.end()
})

void t.test('makes the best of odd mail', (t) => {
  t.equal(parseMail(Buffer.from('')), undefined)
  t.equal(parseMail(Buffer.from('\r\n\r\nno header')), undefined)
  t.equal(parseMail(Buffer.from('Subject: x\n\nbody'))?.text, 'body')
  t.equal(parseMail(Buffer.from('Subject: x'))?.text, '')
  t.equal(parseMail(Buffer.from('Content-Type: text/plain; charset=nonsense\n\nä', 'latin1'))?.text, 'ä')
  t.equal(parseMail(Buffer.from('Content-Type: text/html\n\n<p>A &amp; B</p>'))?.text, 'A & B')
  t.equal(textOfHtml('one<br>two'), 'one\r\ntwo')
  t.end()
})
