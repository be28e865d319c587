import type { Test } from 'tap'
import t from 'tap'
import { demoUsers } from '#simulator/demo.ts'
import type { Simulator } from '#simulator/exchange.ts'
import { createSimulator } from '#simulator/exchange.ts'
import type { Reply } from '../../support/simulated-phone.ts'
import { Phone, el, folderSyncRequest, keyOf, pingRequest, textAt } from '../../support/simulated-phone.ts'

interface Setup {
  readonly simulator: Simulator
  readonly phone: Phone
  readonly inbox: string
}

async function setUp(t: Test): Promise<Setup> {
  const users = demoUsers(Date.now())
  const simulator = createSimulator({
    users,
    requireProvisioning: false,
    minHeartbeatSeconds: 1,
    maxHeartbeatSeconds: 900,
  })
  const { url } = await simulator.listen()
  t.teardown(() => simulator.close())
  return { simulator, phone: new Phone({ url }), inbox: simulator.mailbox('alice').folderOfType(2).serverId }
}

function statusOf(reply: Reply): string | undefined {
  return textAt(reply.root, 'Ping:Status')
}

const news = { from: 'bob@example.com', subject: 'news', text: 'T' }

void t.test('is answered when mail is delivered to a folder of it, of that user only', async (t) => {
  const { simulator, phone, inbox } = await setUp(t)
  const pinged = phone.send('Ping', pingRequest(60, inbox))
  let answered = false
  void pinged.then(() => {
    answered = true
  })
  await simulator.whenParked(1)
  simulator.deliver('bob', news)
  simulator.mailbox('alice').addFolder('0', 'New', 12)
  const sent = simulator.mailbox('alice').folderOfType(5)
  const [message] = simulator.mailbox('bob').messages(simulator.mailbox('bob').folderOfType(2).serverId)
  if (message === undefined) throw new Error('no message')
  simulator.mailbox('alice').add(sent, message)
  await phone.send('FolderSync', folderSyncRequest('0'))
  t.equal(answered, false)
  simulator.deliver('alice', news)
  const reply = await pinged
  t.equal(statusOf(reply), '2')
  t.equal(textAt(reply.root, 'Ping:Folders', 'Ping:Folder'), inbox)
})

void t.test('ends with 1 when the heartbeat is over', async (t) => {
  const { phone, inbox } = await setUp(t)
  const begun = performance.now()
  t.equal(statusOf(await phone.send('Ping', pingRequest(1, inbox))), '1')
  t.ok(performance.now() - begun > 900)
})

void t.test('is answered at once for mail that came between Sync and Ping', async (t) => {
  const { simulator, phone, inbox } = await setUp(t)
  const all = await phone.sync(inbox, await phone.prime(inbox))
  await phone.sync(inbox, keyOf(all))
  simulator.deliver('alice', news)
  t.equal(statusOf(await phone.send('Ping', pingRequest(60, inbox))), '2')
})

void t.test('is not woken by what the device did itself', async (t) => {
  const { simulator, phone, inbox } = await setUp(t)
  const all = await phone.sync(inbox, await phone.prime(inbox))
  const pinged = phone.send('Ping', pingRequest(60, inbox))
  await simulator.whenParked(1)
  const [message] = simulator.mailbox('alice').messages(inbox)
  const application = el('AirSync:ApplicationData', el('Email:Read', '1'))
  const change = el('AirSync:Change', el('AirSync:ServerId', message?.serverId ?? ''), application)
  let answered = false
  void pinged.then(() => {
    answered = true
  })
  const changed = await phone.sync(inbox, keyOf(all), el('AirSync:Commands', change))
  await phone.sync(inbox, keyOf(changed))
  t.equal(answered, false)
  simulator.deliver('alice', news)
  t.equal(statusOf(await pinged), '2')
})

void t.test('repeats stored parameters, and asks for them where none are stored', async (t) => {
  const { simulator, phone, inbox } = await setUp(t)
  t.equal(statusOf(await phone.send('Ping')), '3')
  t.equal(statusOf(await phone.send('Ping', el('Ping:Ping', el('Ping:HeartbeatInterval', '60')))), '3')
  const first = phone.send('Ping', pingRequest(60, inbox))
  await simulator.whenParked(1)
  simulator.deliver('alice', news)
  await first
  const second = phone.send('Ping')
  await simulator.whenParked(1)
  simulator.deliver('alice', news)
  t.equal(statusOf(await second), '2')
  const shorter = el('Ping:Ping', el('Ping:HeartbeatInterval', '1'))
  t.equal(statusOf(await phone.send('Ping', shorter)), '1', 'folders stay, the heartbeat is new')
})

void t.test('refuses what is out of range, unknown or malformed', async (t) => {
  const { phone, inbox } = await setUp(t)
  const short = await phone.send('Ping', pingRequest(0, inbox))
  t.equal(statusOf(short), '5')
  t.equal(textAt(short.root, 'Ping:HeartbeatInterval'), '1')
  const long = await phone.send('Ping', pingRequest(901, inbox))
  t.equal(textAt(long.root, 'Ping:HeartbeatInterval'), '900')
  t.equal(statusOf(await phone.send('Ping', pingRequest(60, inbox, '99'))), '7')
  const many = await phone.send('Ping', pingRequest(60, ...Array.from({ length: 201 }, () => inbox)))
  t.equal(statusOf(many), '6')
  t.equal(textAt(many.root, 'Ping:MaxFolders'), '200')
  const noId = el('Ping:Ping', el('Ping:HeartbeatInterval', '60'), el('Ping:Folders', el('Ping:Folder')))
  t.equal(statusOf(await phone.send('Ping', noId)), '4')
})

void t.test('forgets a client that goes away, and ends with the server', async (t) => {
  const { simulator, phone, inbox } = await setUp(t)
  const leaving = new AbortController()
  const left = phone.send('Ping', pingRequest(60, inbox), { signal: leaving.signal })
  await simulator.whenParked(1)
  leaving.abort()
  await t.rejects(left)
  await simulator.whenParked(0)
  const ended = phone.send('Ping', pingRequest(60, inbox))
  await simulator.whenParked(1)
  await Promise.all([t.rejects(ended), simulator.close()])
})

void t.test('ends the first when the device pings again', async (t) => {
  const { simulator, phone, inbox } = await setUp(t)
  const first = phone.send('Ping', pingRequest(60, inbox))
  await simulator.whenParked(1)
  const second = phone.send('Ping', pingRequest(60, inbox))
  t.equal(statusOf(await first), '1')
  await simulator.whenParked(1)
  simulator.deliver('alice', news)
  t.equal(statusOf(await second), '2')
})

void t.test('lets two Pings of a device stand that share no folder', async (t) => {
  const { simulator, phone, inbox } = await setUp(t)
  const drafts = simulator.mailbox('alice').folderOfType(3).serverId
  const other = phone.send('Ping', pingRequest(1, drafts))
  await simulator.whenParked(1)
  const pinged = phone.send('Ping', pingRequest(60, inbox))
  await simulator.whenParked(2)
  t.equal(statusOf(await other), '1', 'its heartbeat is over, the inbox does not concern it')
  simulator.deliver('alice', news)
  t.equal(textAt((await pinged).root, 'Ping:Folders', 'Ping:Folder'), inbox)
})
