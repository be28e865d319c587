import type { Test } from 'tap'
import t from 'tap'
import { child, children } from '#eas/wbxml/element.ts'
import { demoUsers } from '#simulator/demo.ts'
import type { Simulator, SimulatorOptions } from '#simulator/exchange.ts'
import { createSimulator } from '#simulator/exchange.ts'
import { Phone, commandsOf, el, idsOf, keyOf, syncRequest, textAt } from '../../support/simulated-phone.ts'

interface Setup {
  readonly simulator: Simulator
  readonly phone: Phone
  readonly inbox: string
}

async function setUp(
  t: Test,
  options: Partial<SimulatorOptions> & { version?: string } = {},
): Promise<Setup> {
  const { version = '14.1', ...rest } = options
  const users = demoUsers(Date.now())
  const simulator = createSimulator({ users, requireProvisioning: false, minHeartbeatSeconds: 1, ...rest })
  const { url } = await simulator.listen()
  t.teardown(() => simulator.close())
  const inbox = simulator.mailbox('alice').folderOfType(2).serverId
  return { simulator, phone: new Phone({ url, version }), inbox }
}

function readFlag(serverId: string, read: '0' | '1') {
  const application = el('AirSync:ApplicationData', el('Email:Read', read))
  return el('AirSync:Change', el('AirSync:ServerId', serverId), application)
}

function removal(serverId: string) {
  return el('AirSync:Commands', el('AirSync:Delete', el('AirSync:ServerId', serverId)))
}

function addition(clientId: string, ...application: ReturnType<typeof el>[]) {
  const content = el('AirSync:ApplicationData', ...application)
  return el('AirSync:Commands', el('AirSync:Add', el('AirSync:ClientId', clientId), content))
}

function bodyType(type: string) {
  return el('AirSyncBase:BodyPreference', el('AirSyncBase:Type', type))
}

void t.test('pages with a window and MoreAvailable, and sends each message once', async (t) => {
  const { simulator, phone, inbox } = await setUp(t)
  for (let i = 0; i < 4; i++)
    simulator.deliver('alice', { from: 'x@example.com', subject: `S${i}`, text: 'T' })
  const expected = simulator.mailbox('alice').messages(inbox).length
  const seen: string[] = []
  let key = await phone.prime(inbox)
  for (;;) {
    const page = await phone.sync(inbox, key, el('AirSync:WindowSize', '2'))
    seen.push(...idsOf(page, 'AirSync:Add'))
    t.ok(commandsOf(page).length <= 2)
    key = keyOf(page)
    if (child(page, 'AirSync:MoreAvailable') === undefined) break
  }
  t.equal(seen.length, expected)
  t.equal(new Set(seen).size, expected)
  t.equal(await phone.sync(inbox, key), undefined, 'and then nothing more')
})

void t.test('holds the window of the whole request over its collections', async (t) => {
  const { phone, inbox, simulator } = await setUp(t)
  const archive = simulator.mailbox('alice').folderOfType(12)
  const [message] = simulator.mailbox('alice').messages(inbox)
  if (message === undefined) throw new Error('no message')
  simulator.mailbox('alice').move(message, archive)
  const keys = [await phone.prime(inbox), await phone.prime(archive.serverId)]
  const collections = [inbox, archive.serverId].map((id, i) =>
    el('AirSync:Collection', el('AirSync:SyncKey', keys[i] ?? ''), el('AirSync:CollectionId', id)),
  )
  const request = el('AirSync:Sync', el('AirSync:Collections', ...collections), el('AirSync:WindowSize', '2'))
  const reply = await phone.send('Sync', request)
  const answers = children(child(reply.root, 'AirSync:Collections'))
  t.strictSame(
    answers.map((answer) => commandsOf(answer).length),
    [2, 0],
  )
  t.ok(child(answers[1], 'AirSync:MoreAvailable'))
})

void t.test('refuses a wrong key with 3 and keeps the state behind the right one', async (t) => {
  const { phone, inbox } = await setUp(t)
  const key = await phone.prime(inbox)
  for (const wrong of ['1', 'q1', `${key}0`]) {
    const refused = await phone.sync(inbox, wrong)
    t.equal(textAt(refused, 'AirSync:Status'), '3')
    t.equal(keyOf(refused), '0')
  }
  t.equal(idsOf(await phone.sync(inbox, key), 'AirSync:Add').length, 3)
})

void t.test('keeps state apart by device and by collection', async (t) => {
  const { simulator, phone, inbox } = await setUp(t)
  const other = new Phone({ url: phone.options.url, deviceId: 'PHONE2' })
  const key = await phone.prime(inbox)
  t.equal(textAt(await other.sync(inbox, key), 'AirSync:Status'), '3')
  const sent = simulator.mailbox('alice').folderOfType(5).serverId
  t.equal(textAt(await phone.sync(sent, key), 'AirSync:Status'), '3')
})

void t.test('gives the same answer again to a repeated key, and does nothing twice', async (t) => {
  const { simulator, phone, inbox } = await setUp(t)
  const key = await phone.prime(inbox)
  const first = await phone.send('Sync', syncRequest(inbox, key))
  simulator.deliver('alice', { from: 'x@example.com', subject: 'later', text: 'T' })
  const again = await phone.send('Sync', syncRequest(inbox, key))
  t.strictSame(again.body, first.body)
  const next = await phone.sync(
    inbox,
    keyOf(child(child(again.root, 'AirSync:Collections'), 'AirSync:Collection')),
  )
  t.equal(idsOf(next, 'AirSync:Add').length, 1, 'what came later follows')
})

void t.test('undoes a step when its key comes again with another request', async (t) => {
  const { phone, inbox } = await setUp(t)
  const key = await phone.prime(inbox)
  const one = await phone.sync(inbox, key, el('AirSync:WindowSize', '1'))
  const all = await phone.sync(inbox, key, el('AirSync:WindowSize', '9'))
  t.equal(idsOf(all, 'AirSync:Add').length, 3)
  t.equal(textAt(await phone.sync(inbox, keyOf(one)), 'AirSync:Status'), '3', 'the lost step is gone')
})

void t.test('carries read flags both ways and tells a client nothing of its own doing', async (t) => {
  const { simulator, phone, inbox } = await setUp(t)
  const other = new Phone({ url: phone.options.url, deviceId: 'PHONE2' })
  const mine = await phone.sync(inbox, await phone.prime(inbox))
  const theirs = await other.sync(inbox, await other.prime(inbox))
  const [serverId = ''] = idsOf(mine, 'AirSync:Add')
  const changed = await phone.sync(inbox, keyOf(mine), el('AirSync:Commands', readFlag(serverId, '1')))
  t.not(keyOf(changed), keyOf(mine))
  t.equal(child(changed, 'AirSync:Responses'), undefined)
  t.equal(commandsOf(changed).length, 0)
  t.equal(simulator.mailbox('alice').message(serverId)?.read, true)
  const told = await other.sync(inbox, keyOf(theirs))
  t.strictSame(idsOf(told, 'AirSync:Change'), [serverId])
  const application = child(commandsOf(told)[0], 'AirSync:ApplicationData')
  t.equal(textAt(application, 'Email:Read'), '1')
  t.equal(child(application, 'AirSyncBase:Body'), undefined)
})

void t.test('deletes to Deleted Items, or for good', async (t) => {
  const { simulator, phone, inbox } = await setUp(t)
  const mailbox = simulator.mailbox('alice')
  const deleted = mailbox.folderOfType(4).serverId
  const all = await phone.sync(inbox, await phone.prime(inbox))
  const [first = '', second = ''] = idsOf(all, 'AirSync:Add')
  const moved = await phone.sync(inbox, keyOf(all), removal(first))
  t.equal(mailbox.messages(deleted).length, 1)
  t.equal(child(moved, 'AirSync:Responses'), undefined)
  const gone = await phone.sync(inbox, keyOf(moved), el('AirSync:DeletesAsMoves', '0'), removal(second))
  t.equal(mailbox.messages(deleted).length, 1)
  t.equal(mailbox.message(second), undefined)
  const missing = await phone.sync(inbox, keyOf(gone), removal(second))
  t.equal(textAt(missing, 'AirSync:Responses', 'AirSync:Delete', 'AirSync:Status'), '8')
})

void t.test('tells of deletes on the server and of mail that grew too old for the filter', async (t) => {
  let now = Date.now()
  const { simulator, phone, inbox } = await setUp(t, { users: demoUsers(now), now: () => now })
  const options = el('AirSync:Options', el('AirSync:FilterType', '1'))
  const page = await phone.sync(inbox, await phone.prime(inbox), options)
  t.equal(idsOf(page, 'AirSync:Add').length, 2, 'the third message is two days old')
  const [newest] = simulator.mailbox('alice').messages(inbox)
  if (newest === undefined) throw new Error('no message')
  simulator.mailbox('alice').remove(newest)
  now += 86_400_000
  const next = await phone.sync(inbox, keyOf(page))
  t.strictSame(idsOf(next, 'AirSync:Delete'), [newest.serverId])
  t.equal(idsOf(next, 'AirSync:SoftDelete').length, 1)
})

void t.test('fetches one item whole, whatever the truncation', async (t) => {
  const { phone, inbox } = await setUp(t)
  const preference = el(
    'AirSyncBase:BodyPreference',
    el('AirSyncBase:Type', '1'),
    el('AirSyncBase:TruncationSize', '5'),
  )
  const options = el('AirSync:Options', preference)
  const all = await phone.sync(inbox, await phone.prime(inbox), options)
  const body = child(child(commandsOf(all)[0], 'AirSync:ApplicationData'), 'AirSyncBase:Body')
  t.equal(textAt(body, 'AirSyncBase:Data'), 'Hi Al')
  t.equal(textAt(body, 'AirSyncBase:Truncated'), '1')
  const [serverId = ''] = idsOf(all, 'AirSync:Add')
  const fetch = el('AirSync:Fetch', el('AirSync:ServerId', serverId))
  const fetched = await phone.sync(inbox, keyOf(all), el('AirSync:Commands', fetch))
  const whole = child(child(child(fetched, 'AirSync:Responses'), 'AirSync:Fetch'), 'AirSync:ApplicationData')
  t.match(textAt(whole, 'AirSyncBase:Body', 'AirSyncBase:Data'), 'because of the holiday')
  t.equal(textAt(whole, 'AirSyncBase:Body', 'AirSyncBase:Truncated'), '0')
})

void t.test('gives a body of a type that the client listed', async (t) => {
  const { phone, inbox } = await setUp(t)
  const bodies = async (options: ReturnType<typeof el>[]): Promise<string[]> => {
    const all = await phone.sync(inbox, await phone.prime(inbox), el('AirSync:Options', ...options))
    return commandsOf(all).map(
      (add) => textAt(add, 'AirSync:ApplicationData', 'AirSyncBase:Body', 'AirSyncBase:Type') ?? '',
    )
  }
  t.strictSame(await bodies([]), ['1', '1', '1'])
  t.strictSame(
    await bodies([bodyType('1'), bodyType('2')]),
    ['1', '2', '1'],
    'the type that the mail was written in',
  )
  t.strictSame(await bodies([bodyType('2')]), ['2', '2', '2'])
  t.strictSame(await bodies([el('AirSync:MIMESupport', '2'), bodyType('2'), bodyType('4')]), ['4', '4', '4'])
})

void t.test('lets a client add drafts from 16.0 and send them; before, an Add fails by item', async (t) => {
  const { simulator, phone } = await setUp(t, { version: '16.1' })
  const mailbox = simulator.mailbox('alice')
  const drafts = mailbox.folderOfType(3).serverId
  const body = el('AirSyncBase:Body', el('AirSyncBase:Type', '1'), el('AirSyncBase:Data', 'Later.'))
  const content = [el('Email:To', 'bob@example.com'), el('Email:Subject', 'Plan'), body]
  const added = await phone.sync(drafts, await phone.prime(drafts), addition('c1', ...content))
  const response = child(child(added, 'AirSync:Responses'), 'AirSync:Add')
  t.equal(textAt(response, 'AirSync:ClientId'), 'c1')
  t.equal(textAt(response, 'AirSync:Status'), '1')
  const draft = mailbox.message(textAt(response, 'AirSync:ServerId') ?? '')
  t.match(draft, { subject: 'Plan', text: 'Later.', to: 'bob@example.com' })
  const send = el(
    'AirSync:Change',
    el('AirSync:ServerId', draft?.serverId ?? ''),
    el('AirSync:ApplicationData', el('Email2:Send')),
  )
  await phone.sync(drafts, keyOf(added), el('AirSync:Commands', send))
  t.equal(mailbox.messages(drafts).length, 0)
  t.equal(mailbox.messages(mailbox.folderOfType(5).serverId)[0]?.subject, 'Plan')
  const bobs = simulator.mailbox('bob')
  t.equal(bobs.messages(bobs.folderOfType(2).serverId)[0]?.subject, 'Plan')

  const old = new Phone({ url: phone.options.url, deviceId: 'OLD', version: '14.1' })
  const refused = await old.sync(drafts, await old.prime(drafts), addition('c2', ...content))
  t.equal(textAt(refused, 'AirSync:Responses', 'AirSync:Add', 'AirSync:Status'), '6')
})

void t.test('answers faults of the request with their status', async (t) => {
  const { phone, inbox } = await setUp(t)
  const status = async (body: Parameters<Phone['send']>[1]): Promise<string | undefined> =>
    textAt((await phone.send('Sync', body)).root, 'AirSync:Status')
  t.equal(await status(undefined), '13', 'empty and nothing stored')
  t.equal(await status(el('AirSync:Sync', el('AirSync:Partial'))), '13')
  t.equal(await status(el('AirSync:Sync')), '4')
  const key = await phone.prime(inbox)
  const waiting = (...rest: ReturnType<typeof el>[]) =>
    el('AirSync:Sync', ...syncRequest(inbox, key).content, ...rest)
  const wait = el('AirSync:Wait', '5')
  t.equal(await status(waiting(wait, el('AirSync:HeartbeatInterval', '60'))), '4')
  const tooLong = await phone.send('Sync', waiting(el('AirSync:Wait', '60')))
  t.equal(textAt(tooLong.root, 'AirSync:Status'), '14')
  t.equal(textAt(tooLong.root, 'AirSync:Limit'), '59')
  const tooShort = await phone.send('Sync', waiting(el('AirSync:HeartbeatInterval', '0')))
  t.equal(textAt(tooShort.root, 'AirSync:Limit'), '1')
  const deletes = Array.from({ length: 201 }, () => el('AirSync:Delete', el('AirSync:ServerId', '5:1')))
  t.equal(await status(syncRequest(inbox, key, el('AirSync:Commands', ...deletes))), '4')
  t.equal(textAt(await phone.sync('99', '0'), 'AirSync:Status'), '12', 'unknown collection')
})

void t.test('repeats the stored request on an empty one, and completes a partial one', async (t) => {
  const { simulator, phone, inbox } = await setUp(t)
  const all = await phone.sync(inbox, await phone.prime(inbox))
  t.equal(await phone.sync(inbox, keyOf(all)), undefined)
  const empty = await phone.send('Sync')
  t.equal(empty.status, 200)
  t.equal(empty.body.length, 0)
  simulator.deliver('alice', { from: 'x@example.com', subject: 'new', text: 'T' })
  const repeated = await phone.send('Sync')
  const collection = child(child(repeated.root, 'AirSync:Collections'), 'AirSync:Collection')
  t.equal(idsOf(collection, 'AirSync:Add').length, 1)
  simulator.deliver('alice', { from: 'x@example.com', subject: 'newer', text: 'T' })
  const partial = el('AirSync:Sync', el('AirSync:Partial'), ...syncRequest(inbox, keyOf(collection)).content)
  const completed = await phone.send('Sync', partial)
  t.equal(
    idsOf(child(child(completed.root, 'AirSync:Collections'), 'AirSync:Collection'), 'AirSync:Add').length,
    1,
  )
})

void t.test('hangs until mail comes, the time is over, or the client asks again', async (t) => {
  const { simulator, phone, inbox } = await setUp(t)
  const all = await phone.sync(inbox, await phone.prime(inbox))
  const hanging = (seconds: string) =>
    el('AirSync:Sync', ...syncRequest(inbox, keyOf(all)).content, el('AirSync:HeartbeatInterval', seconds))
  const first = phone.send('Sync', hanging('60'))
  await simulator.whenParked(1)
  const second = phone.send('Sync', hanging('59'))
  const superseded = await first
  t.equal(superseded.status, 200)
  t.equal(superseded.body.length, 0)
  simulator.deliver('alice', { from: 'x@example.com', subject: 'new', text: 'T' })
  const collection = child(child((await second).root, 'AirSync:Collections'), 'AirSync:Collection')
  t.equal(idsOf(collection, 'AirSync:Add').length, 1)
  const request = syncRequest(inbox, keyOf(collection))
  const short = await phone.send(
    'Sync',
    el('AirSync:Sync', ...request.content, el('AirSync:HeartbeatInterval', '1')),
  )
  t.equal(short.status, 200)
  t.equal(short.headers['content-length'], '0')
  t.equal(short.headers['content-type'], 'application/vnd.ms-sync.wbxml')
})

void t.test('hangs by Wait at 12.1, which has no HeartbeatInterval', async (t) => {
  const { simulator, phone, inbox } = await setUp(t, { version: '12.1' })
  const all = await phone.sync(inbox, await phone.prime(inbox))
  const { content } = syncRequest(inbox, keyOf(all))
  const refused = await phone.send(
    'Sync',
    el('AirSync:Sync', ...content, el('AirSync:HeartbeatInterval', '60')),
  )
  t.equal(textAt(refused.root, 'AirSync:Status'), '4')
  const hanging = phone.send('Sync', el('AirSync:Sync', ...content, el('AirSync:Wait', '1')))
  await simulator.whenParked(1)
  simulator.deliver('alice', { from: 'x@example.com', subject: 'new', text: 'T' })
  const collection = child(child((await hanging).root, 'AirSync:Collections'), 'AirSync:Collection')
  t.equal(idsOf(collection, 'AirSync:Add').length, 1)
})
