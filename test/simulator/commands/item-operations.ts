import type { Test } from 'tap'
import t from 'tap'
import { decodeWbxml } from '#eas/wbxml/decode.ts'
import { child, children, textOf } from '#eas/wbxml/element.ts'
import { demoUsers } from '#simulator/demo.ts'
import type { Simulator } from '#simulator/exchange.ts'
import { createSimulator } from '#simulator/exchange.ts'
import { parseMail } from '#simulator/mime-parse.ts'
import type { Reply } from '../../support/simulated-phone.ts'
import { Phone, el, textAt } from '../../support/simulated-phone.ts'

interface Setup {
  readonly simulator: Simulator
  readonly phone: Phone
  readonly inbox: string
  /** The newest message: text, two files. */
  readonly serverId: string
}

async function setUp(t: Test, version = '14.1', form: 'plain' | 'base64' = 'plain'): Promise<Setup> {
  const simulator = createSimulator({ users: demoUsers(Date.now()), requireProvisioning: false })
  const { url } = await simulator.listen()
  t.teardown(() => simulator.close())
  const mailbox = simulator.mailbox('alice')
  const inbox = mailbox.folderOfType(2).serverId
  const [message] = mailbox.messages(inbox)
  return { simulator, phone: new Phone({ url, version, form }), inbox, serverId: message?.serverId ?? '' }
}

const store = el('ItemOperations:Store', 'Mailbox')

function fetchOf(...content: ReturnType<typeof el>[]) {
  return el('ItemOperations:ItemOperations', el('ItemOperations:Fetch', store, ...content))
}

function emptying(collectionId: string) {
  const operation = el('ItemOperations:EmptyFolderContents', el('AirSync:CollectionId', collectionId))
  return el('ItemOperations:ItemOperations', operation)
}

function fetched(root: Reply['root']) {
  return child(child(root, 'ItemOperations:Response'), 'ItemOperations:Fetch')
}

/** The parts of a multipart body, read by its own table. */
function partsOf(body: Buffer): Buffer[] {
  const count = body.readUInt32LE(0)
  return Array.from({ length: count }, (_, i) => {
    const offset = body.readUInt32LE(4 + 8 * i)
    return body.subarray(offset, offset + body.readUInt32LE(8 + 8 * i))
  })
}

void t.test('fetches a mail by its ids, or by LongId', async (t) => {
  const { phone, inbox, serverId } = await setUp(t)
  const byIds = await phone.send(
    'ItemOperations',
    fetchOf(el('AirSync:CollectionId', inbox), el('AirSync:ServerId', serverId)),
  )
  t.equal(textAt(byIds.root, 'ItemOperations:Status'), '1')
  const mail = fetched(byIds.root)
  t.equal(textAt(mail, 'ItemOperations:Status'), '1')
  t.equal(textAt(mail, 'AirSync:ServerId'), serverId)
  t.equal(textAt(mail, 'AirSync:Class'), 'Email')
  t.equal(textAt(mail, 'ItemOperations:Properties', 'Email:Subject'), 'Visitor counts')
  const byLongId = fetched((await phone.send('ItemOperations', fetchOf(el('Search:LongId', serverId)))).root)
  t.equal(textAt(byLongId, 'Search:LongId'), serverId)
  t.equal(textAt(byLongId, 'ItemOperations:Properties', 'Email:Subject'), 'Visitor counts')
})

void t.test('gives the whole mail as MIME where that is asked', async (t) => {
  const { phone, inbox, serverId } = await setUp(t)
  const preference = el('AirSyncBase:BodyPreference', el('AirSyncBase:Type', '4'))
  const options = el('ItemOperations:Options', el('AirSync:MIMESupport', '2'), preference)
  const ids = [el('AirSync:CollectionId', inbox), el('AirSync:ServerId', serverId)]
  const body = child(
    child(
      fetched((await phone.send('ItemOperations', fetchOf(...ids, options))).root),
      'ItemOperations:Properties',
    ),
    'AirSyncBase:Body',
  )
  const source = textAt(body, 'AirSyncBase:Data') ?? ''
  t.equal(textAt(body, 'AirSyncBase:EstimatedDataSize'), String(Buffer.byteLength(source)))
  const mail = parseMail(Buffer.from(source))
  t.match(mail?.text, 'because of the holiday')
  t.strictSame(
    mail?.attachments.map((attachment) => attachment.name),
    ['visitors.csv', 'packing list.txt'],
  )
})

void t.test('fetches a file inline as base64, whole or a range of it', async (t) => {
  const { phone, serverId } = await setUp(t)
  const reference = el('AirSyncBase:FileReference', `${serverId}:1`)
  const file = fetched((await phone.send('ItemOperations', fetchOf(reference))).root)
  const content = textAt(file, 'ItemOperations:Properties', 'ItemOperations:Data') ?? ''
  t.match(Buffer.from(content, 'base64').toString(), /^week,visitors\n41,118\n/)
  t.equal(textAt(file, 'ItemOperations:Properties', 'AirSyncBase:ContentType'), 'text/csv')
  const range = el('ItemOperations:Options', el('ItemOperations:Range', '5-12'))
  const some = child(
    fetched((await phone.send('ItemOperations', fetchOf(reference, range))).root),
    'ItemOperations:Properties',
  )
  t.equal(textAt(some, 'ItemOperations:Range'), '5-12')
  t.equal(textAt(some, 'ItemOperations:Total'), '41')
  t.equal(Buffer.from(textAt(some, 'ItemOperations:Data') ?? '', 'base64').toString(), 'visitors')
})

void t.test('answers multipart in the captured layout, by header and by base64 option', async (t) => {
  for (const form of ['plain', 'base64'] as const) {
    const { phone, inbox, serverId } = await setUp(t, '12.1', form)
    const request = el(
      'ItemOperations:ItemOperations',
      el('ItemOperations:Fetch', store, el('AirSyncBase:FileReference', `${serverId}:1`)),
      el('ItemOperations:Fetch', store, el('AirSync:CollectionId', inbox), el('AirSync:ServerId', serverId)),
    )
    const reply = await phone.send('ItemOperations', request, { acceptMultiPart: true })
    t.equal(reply.headers['content-type'], 'application/vnd.ms-sync.multipart')
    const [root, file, mail, ...rest] = partsOf(reply.body)
    t.equal(rest.length, 0)
    t.equal(reply.body.readUInt32LE(4), 4 + 3 * 8, 'the first part begins behind the table')
    t.equal(reply.body.length, 4 + 3 * 8 + (root?.length ?? 0) + (file?.length ?? 0) + (mail?.length ?? 0))
    t.match(file?.toString(), /^week,visitors\n/)
    t.match(mail?.toString(), /^Hi Alice,/)
    const [first, second] = children(child(decodeWbxml(root ?? Buffer.alloc(0)), 'ItemOperations:Response'))
    t.equal(textAt(first, 'ItemOperations:Properties', 'ItemOperations:Part'), '1')
    const body = child(child(second, 'ItemOperations:Properties'), 'AirSyncBase:Body')
    t.equal(textAt(body, 'ItemOperations:Part'), '2')
    t.equal(child(body, 'AirSyncBase:Data'), undefined)
  }
})

void t.test(
  'says what is not there: 6 a mail, 15 a file; 2 and 11 a bad request; 155 a conversation',
  async (t) => {
    const { phone, inbox, serverId } = await setUp(t)
    const statusOf = async (...content: ReturnType<typeof el>[]) =>
      textAt(fetched((await phone.send('ItemOperations', fetchOf(...content))).root), 'ItemOperations:Status')
    t.equal(await statusOf(el('AirSync:CollectionId', inbox), el('AirSync:ServerId', `${inbox}:999`)), '6')
    t.equal(await statusOf(el('AirSyncBase:FileReference', `${serverId}:3`)), '15')
    t.equal(await statusOf(el('AirSyncBase:FileReference', 'nonsense')), '15')
    const whole = async (...content: ReturnType<typeof el>[]) =>
      (await phone.send('ItemOperations', el('ItemOperations:ItemOperations', ...content))).root
    t.equal(textAt(await whole(), 'ItemOperations:Status'), '2')
    const many = Array.from({ length: 101 }, () => el('ItemOperations:Fetch'))
    t.equal(textAt(await whole(...many), 'ItemOperations:Status'), '11')
    const move = await whole(el('ItemOperations:Move'))
    t.equal(textAt(move, 'ItemOperations:Response', 'ItemOperations:Move', 'ItemOperations:Status'), '155')
  },
)

void t.test('empties a folder', async (t) => {
  const { phone, inbox, simulator } = await setUp(t)
  const path = [
    'ItemOperations:Response',
    'ItemOperations:EmptyFolderContents',
    'ItemOperations:Status',
  ] as const
  t.equal(textAt((await phone.send('ItemOperations', emptying(inbox))).root, ...path), '1')
  t.equal(simulator.mailbox('alice').messages(inbox).length, 0)
  t.equal(textAt((await phone.send('ItemOperations', emptying('99'))).root, ...path), '6')
})

void t.test('gives a file by GetAttachment up to 12.1, and not later', async (t) => {
  for (const form of ['plain', 'base64'] as const) {
    const { phone, serverId } = await setUp(t, '12.1', form)
    const reply = await phone.send('GetAttachment', undefined, {
      parameters: { AttachmentName: `${serverId}:2` },
    })
    t.equal(reply.status, 200)
    t.equal(reply.headers['content-type'], 'application/octet-stream')
    t.match(reply.body.toString(), '12 chairs')
    t.equal(
      (await phone.send('GetAttachment', undefined, { parameters: { AttachmentName: 'x:1' } })).status,
      500,
    )
    const later = new Phone({ url: phone.options.url, version: '14.0' })
    t.equal(
      (await later.send('GetAttachment', undefined, { parameters: { AttachmentName: 'x:1' } })).status,
      501,
    )
  }
})

void t.test('moves mail, and says 1, 2 and 4 where it does not', async (t) => {
  const { phone, inbox, serverId, simulator } = await setUp(t)
  const mailbox = simulator.mailbox('alice')
  const archive = mailbox.folderOfType(12).serverId
  const move = async (message: string, source: string, target: string) => {
    const one = el(
      'Move:Move',
      el('Move:SrcMsgId', message),
      el('Move:SrcFldId', source),
      el('Move:DstFldId', target),
    )
    return child((await phone.send('MoveItems', el('Move:MoveItems', one))).root, 'Move:Response')
  }
  t.equal(textAt(await move('5:999', inbox, archive), 'Move:Status'), '1')
  t.equal(textAt(await move(serverId, archive, inbox), 'Move:Status'), '1', 'not in that folder')
  t.equal(textAt(await move(serverId, inbox, '99'), 'Move:Status'), '2')
  t.equal(
    textAt(await move(serverId, inbox, mailbox.folderOfType(8).serverId), 'Move:Status'),
    '2',
    'a calendar',
  )
  t.equal(textAt(await move(serverId, inbox, inbox), 'Move:Status'), '4')
  const moved = await move(serverId, inbox, archive)
  t.equal(textAt(moved, 'Move:Status'), '3')
  t.equal(textAt(moved, 'Move:SrcMsgId'), serverId)
  t.equal(mailbox.message(textAt(moved, 'Move:DstMsgId') ?? '')?.subject, 'Visitor counts')
  t.equal(mailbox.message(serverId), undefined)
  t.equal(textOf(child((await phone.send('MoveItems', el('Move:MoveItems'))).root, 'Move:Status')), '103')
})
