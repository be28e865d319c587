import type { Test } from 'tap'
import t from 'tap'
import { demoUsers } from '#simulator/demo.ts'
import type { Simulator } from '#simulator/exchange.ts'
import { createSimulator } from '#simulator/exchange.ts'
import type { PhoneOptions } from '../../support/simulated-phone.ts'
import { Phone, el, textAt } from '../../support/simulated-phone.ts'

async function setUp(
  t: Test,
  options: Partial<PhoneOptions>,
): Promise<{ simulator: Simulator; phone: Phone }> {
  const simulator = createSimulator({ users: demoUsers(Date.now()), requireProvisioning: false })
  const { url } = await simulator.listen()
  t.teardown(() => simulator.close())
  return { simulator, phone: new Phone({ url, ...options }) }
}

function mime(...headers: readonly string[]): Buffer {
  return Buffer.from([...headers, 'MIME-Version: 1.0', '', 'Written by hand.', ''].join('\r\n'))
}

const toBob = mime(
  'From: alice@example.com',
  'To: "Brown, Bob" <bob@example.com>',
  'Cc: x@else.example',
  'Subject: Plan',
)

function newest(simulator: Simulator, user: string, folderType: number) {
  const mailbox = simulator.mailbox(user)
  return mailbox.messages(mailbox.folderOfType(folderType).serverId)[0]
}

void t.test('delivers, saves in Sent if asked, and answers with an empty 200', async (t) => {
  for (const version of ['12.1', '14.0', '16.1']) {
    for (const form of ['plain', 'base64'] as const) {
      const { simulator, phone } = await setUp(t, { version, form })
      const before = simulator
        .mailbox('alice')
        .messages(simulator.mailbox('alice').folderOfType(5).serverId).length
      const inBody = el(
        'ComposeMail:SendMail',
        el('ComposeMail:ClientId', 'c1'),
        el('ComposeMail:SaveInSentItems'),
        el('ComposeMail:Mime', toBob),
      )
      const reply =
        version === '12.1'
          ? await phone.send('SendMail', toBob, {
              saveInSent: true,
              headers: { 'content-type': 'message/rfc822' },
            })
          : await phone.send('SendMail', inBody)
      t.equal(reply.status, 200)
      t.equal(reply.headers['content-length'], '0')
      t.equal(reply.headers['content-type'], 'application/vnd.ms-sync.wbxml')
      t.match(newest(simulator, 'bob', 2), { subject: 'Plan', text: 'Written by hand.\r\n', read: false })
      t.match(newest(simulator, 'alice', 5), { subject: 'Plan', read: true })
      t.equal(before, 0)
    }
  }
})

void t.test('does not save in Sent unasked', async (t) => {
  const { simulator, phone } = await setUp(t, { version: '12.1' })
  await phone.send('SendMail', toBob)
  t.equal(newest(simulator, 'bob', 2)?.subject, 'Plan')
  t.equal(newest(simulator, 'alice', 5), undefined)
})

void t.test('says why it did not send: 107, 118, 119, 150; 400 and 500 below 14.0', async (t) => {
  const { simulator, phone } = await setUp(t, { version: '14.1' })
  const send = async (mail: Buffer, clientId: string) => {
    const request = el(
      'ComposeMail:SendMail',
      el('ComposeMail:ClientId', clientId),
      el('ComposeMail:Mime', mail),
    )
    return textAt((await phone.send('SendMail', request)).root, 'ComposeMail:Status')
  }
  t.equal(await send(Buffer.from('no mail'), 'a'), '107')
  t.equal(await send(mime('Subject: to nobody'), 'b'), '119')
  t.equal(await send(toBob, 'c'), undefined)
  t.equal(await send(toBob, 'c'), '118')
  const bobs = simulator.mailbox('bob')
  const inbox = bobs.messages(bobs.folderOfType(2).serverId)
  t.equal(inbox.filter((message) => message.subject === 'Plan').length, 1)
  const source = el('ComposeMail:Source', el('ComposeMail:FolderId', '5'), el('ComposeMail:ItemId', '5:999'))
  const reply = el('ComposeMail:SmartReply', source, el('ComposeMail:Mime', toBob))
  t.equal(textAt((await phone.send('SmartReply', reply)).root, 'ComposeMail:Status'), '150')
  const old = new Phone({ url: phone.options.url, version: '12.1', deviceId: 'OLD' })
  t.equal((await old.send('SendMail', mime('Subject: to nobody'))).status, 400)
  t.equal(
    (await old.send('SmartReply', toBob, { parameters: { CollectionId: '5', ItemId: '5:999' } })).status,
    500,
  )
})

void t.test('puts the source under a reply, and its files into a forward', async (t) => {
  for (const version of ['12.1', '14.1']) {
    for (const command of ['SmartReply', 'SmartForward'] as const) {
      const { simulator, phone } = await setUp(t, { version })
      const source = newest(simulator, 'alice', 2)
      const itemId = source?.serverId ?? ''
      const inBody = el(
        `ComposeMail:${command}`,
        el('ComposeMail:Source', el('ComposeMail:FolderId', '5'), el('ComposeMail:ItemId', itemId)),
        el('ComposeMail:Mime', toBob),
      )
      const reply =
        version === '12.1'
          ? await phone.send(command, toBob, { parameters: { CollectionId: '5', ItemId: itemId } })
          : await phone.send(command, inBody)
      t.equal(reply.status, 200)
      t.equal(reply.body.length, 0)
      const arrived = newest(simulator, 'bob', 2)
      t.match(arrived?.text, /^Written by hand\.[^]*Subject: Visitor counts[^]*because of the holiday/)
      t.equal(arrived?.attachments.length, command === 'SmartForward' ? 2 : 0)
    }
  }
})

void t.test('leaves the text alone where the client quoted by itself', async (t) => {
  const { simulator, phone } = await setUp(t, { version: '14.1' })
  const itemId = newest(simulator, 'alice', 2)?.serverId ?? ''
  const request = el(
    'ComposeMail:SmartReply',
    el('ComposeMail:Source', el('ComposeMail:LongId', itemId)),
    el('ComposeMail:ReplaceMime'),
    el('ComposeMail:Mime', toBob),
  )
  await phone.send('SmartReply', request)
  t.equal(newest(simulator, 'bob', 2)?.text, 'Written by hand.\r\n')
})
