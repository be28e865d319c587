import t from 'tap'
import type { ProtocolVersion } from '#eas/versions.ts'
import { composeMime } from '#quarantine/mime.ts'
import { ask, itemIdOf, notice, now, testMailbox, textsAt, treeOf } from '../support/quarantine.ts'
import type { TreeJson } from '../support/wbxml-fixtures.ts'

/** The message as Sync gives it, with these Options; a changed mailbox has a key of its own. */
function given(version: ProtocolVersion, options: readonly TreeJson[], mailbox = testMailbox()): TreeJson {
  const request = (syncKey: string): TreeJson => [
    'AirSync:Sync',
    [
      'AirSync:Collections',
      [
        'AirSync:Collection',
        ['AirSync:SyncKey', syncKey],
        ['AirSync:CollectionId', 'easgate-inbox'],
        ...(syncKey === '0' ? [['AirSync:Options', ...options] satisfies TreeJson] : []),
      ],
    ],
  ]
  const collection = ['AirSync:Collections', 'AirSync:Collection'] as const
  const [key = ''] = textsAt(
    treeOf(ask('Sync', version, request('0'), mailbox)),
    ...collection,
    'AirSync:SyncKey',
  )
  return treeOf(ask('Sync', version, request(key), mailbox))
}

const applicationData = [
  'AirSync:Collections',
  'AirSync:Collection',
  'AirSync:Commands',
  'AirSync:Add',
  'AirSync:ApplicationData',
] as const

const mime = composeMime({
  ...notice,
  senderAddress: 'no-reply@x.example',
  recipient: 'u@x.example',
  messageId: `${itemIdOf()}@x.example`,
  sentAt: now,
})
const mimePreference: TreeJson = ['AirSyncBase:BodyPreference', ['AirSyncBase:Type', '4']]
const htmlPreference: TreeJson = ['AirSyncBase:BodyPreference', ['AirSyncBase:Type', '2']]

void t.test('the preferences of the first Sync hold for the next, which has none', async (t) => {
  const item = given('16.1', [htmlPreference])
  t.strictSame(textsAt(item, ...applicationData, 'AirSyncBase:Body', 'AirSyncBase:Type'), ['2'])
  t.strictSame(textsAt(item, ...applicationData, 'AirSyncBase:Body', 'AirSyncBase:Data'), [notice.html])
})

void t.test('gives the whole mail to who takes all mail so', async (t) => {
  const body = [...applicationData, 'AirSyncBase:Body'] as const
  const always = given('14.1', [['AirSync:MIMESupport', '2'], htmlPreference, mimePreference])
  t.strictSame(textsAt(always, ...body, 'AirSyncBase:Type'), ['4'])
  t.strictSame(textsAt(always, ...body, 'AirSyncBase:Data'), [mime])
  t.strictSame(textsAt(always, ...body, 'AirSyncBase:EstimatedDataSize'), [String(mime.length)])
  const signedOnly = given('14.1', [['AirSync:MIMESupport', '1'], mimePreference, htmlPreference])
  t.strictSame(textsAt(signedOnly, ...body, 'AirSyncBase:Type'), ['2'])
  const only = given('12.1', [mimePreference])
  t.strictSame(textsAt(only, ...body, 'AirSyncBase:Data'), [mime])
})

void t.test('gives the whole mail at 2.5, cut by the codes of 2.5', async (t) => {
  const whole = given('2.5', [['AirSync:MIMESupport', '2']])
  t.strictSame(textsAt(whole, ...applicationData, 'Email:MIMEData'), [mime])
  t.strictSame(textsAt(whole, ...applicationData, 'Email:MIMETruncated'), ['0'])
  t.strictSame(textsAt(whole, ...applicationData, 'Email:MIMESize'), [String(mime.length)])
  t.strictSame(textsAt(whole, ...applicationData, 'Email:Body'), [])
  const cut = given('2.5', [
    ['AirSync:MIMESupport', '2'],
    ['AirSync:MIMETruncation', '0'],
  ])
  t.strictSame(textsAt(cut, ...applicationData, 'Email:MIMEData'), [''])
  t.strictSame(textsAt(cut, ...applicationData, 'Email:MIMETruncated'), ['1'])
})

void t.test('a cut never ends inside of a character', async (t) => {
  const mailbox = testMailbox({ notice: { ...notice, text: '端末は管理されていません' } })
  for (let size = 0; size < 36; size += 1) {
    const preference: TreeJson = [
      'AirSyncBase:BodyPreference',
      ['AirSyncBase:Type', '1'],
      ['AirSyncBase:TruncationSize', String(size)],
    ]
    const item = given('14.1', [preference], mailbox)
    const [data = ''] = textsAt(item, ...applicationData, 'AirSyncBase:Body', 'AirSyncBase:Data')
    t.equal(data, mailbox.notice.text.slice(0, Math.floor(size / 3)))
  }
})

void t.test('HTML is not cut inside of an entity', async (t) => {
  const mailbox = testMailbox({ notice: { ...notice, html: 'a &amp; b' } })
  const preference: TreeJson = [
    'AirSyncBase:BodyPreference',
    ['AirSyncBase:Type', '2'],
    ['AirSyncBase:TruncationSize', '5'],
  ]
  const item = given('14.1', [preference], mailbox)
  t.strictSame(textsAt(item, ...applicationData, 'AirSyncBase:Body', 'AirSyncBase:Data'), ['a '])
})

void t.test('a name that is no address is still sent to', async (t) => {
  const senders = [
    ['DOMAIN\\carol', '"Help" <no-reply@easgate.invalid>'],
    ['carol@', '"Help" <no-reply@easgate.invalid>'],
    ['a@b@c.example', '"Help" <no-reply@c.example>'],
    ['a@bücher.example', '"Help" <no-reply@easgate.invalid>'],
  ] as const
  for (const [user, from] of senders) {
    const item = given('14.1', [], testMailbox({ user }))
    t.strictSame(textsAt(item, ...applicationData, 'Email:To'), [user])
    t.strictSame(textsAt(item, ...applicationData, 'Email:From'), [from])
  }
})

void t.test('a name that nobody has checked adds no header', async (t) => {
  const user = 'carol\r\nBcc: x@evil.example\0\ud800'
  const item = given('14.1', [mimePreference], testMailbox({ user }))
  const [data = ''] = textsAt(item, ...applicationData, 'AirSyncBase:Body', 'AirSyncBase:Data')
  t.notMatch(data, /^Bcc:/m)
  t.match(data, /^[\r\n -~]*$/)
})

void t.test('the subject and name of a sender in other scripts', async (t) => {
  const japanese = { ...notice, subject: '保留中', senderName: '接続 "IT"' }
  const item = given('16.0', [], testMailbox({ notice: japanese }))
  t.strictSame(textsAt(item, ...applicationData, 'Email:Subject'), ['保留中'])
  t.strictSame(textsAt(item, ...applicationData, 'Email:From'), ['"接続 \\"IT\\"" <no-reply@x.example>'])
})
