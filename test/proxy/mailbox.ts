import { setImmediate as nextTurn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { commandNames } from '#eas/commands.ts'
import { decodeWbxml } from '#eas/wbxml/decode.ts'
import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { child } from '#eas/wbxml/element.ts'
import type { FactsRecord } from '#directory/record.ts'
import { loadNoticeTexts } from '#quarantine/notice-texts.ts'
import { basic, chunked, command, requestBytes, send, wbxml, type Sent } from '../support/eas-request.ts'
import { sighting } from '../support/directory-store.ts'
import { wireClient, type WireAnswer, type WireClient } from '../support/http-answer.ts'
import { recordingUpstream, usualReply } from '../support/recording-upstream.ts'
import {
  commandsOf,
  el,
  folderSyncRequest,
  idsOf,
  keyOf,
  pingRequest,
  syncRequest,
  textAt,
} from '../support/simulated-phone.ts'
import { testProxy, type TestProxy, type TestProxySettings } from '../support/test-proxy.ts'

const inbox = 'easgate-inbox'
const alice = { user: 'alice@example.com', deviceId: 'PHONE1', enrolled: true, registered: true } as const
const compliant: FactsRecord = { ...alice, complianceState: 'compliant' }
const noncompliant: FactsRecord = { ...alice, complianceState: 'noncompliant' }
const unenrolled: FactsRecord = { ...alice, enrolled: false, complianceState: 'noncompliant' }

const bob: FactsRecord = { ...noncompliant, user: 'bob@example.com', deviceId: 'BOBS' }

const quarantine = {
  conditionalAccess: { onPremises: { noncompliant: 'quarantine', notEnrolled: 'quarantine' } },
}

async function quarantined(t: Test, settings: Partial<TestProxySettings> = {}) {
  const upstream = await recordingUpstream(t, (request, res) => {
    if (!(request.headers.authorization ?? '').endsWith(wrongPassword)) return usualReply(request, res)
    res.writeHead(401, { 'WWW-Authenticate': 'Basic realm="mail"' }).end()
  })
  const proxy = await testProxy(t, {
    servers: [upstream.url],
    policy: quarantine,
    facts: [noncompliant],
    enrollment: { publicUrl: 'https://mail.example.com/easgate/enroll/' },
    ...settings,
  })
  /** What reached Exchange beside the proofs. */
  const forwarded = () => upstream.requests.filter(({ method }) => method !== 'OPTIONS').map(({ url }) => url)
  const ask = (name: string, body?: WbxmlElement, more: Partial<Sent> = {}) =>
    send(t, proxy, {
      query: command(name),
      headers: ['MS-ASProtocolVersion: 14.1'],
      ...(body && { body: wbxml(body) }),
      ...more,
    })
  return { upstream, proxy, forwarded, ask }
}

const wrongPassword = Buffer.from('alice@example.com:wrong').toString('base64')

function rootOf({ body }: WireAnswer): WbxmlElement {
  return decodeWbxml(body)
}

function collectionOf(answer: WireAnswer): WbxmlElement | undefined {
  return child(child(rootOf(answer), 'AirSync:Collections'), 'AirSync:Collection')
}

type Ask = Awaited<ReturnType<typeof quarantined>>['ask']

/** Reads the mailbox as a phone does; gives the keys, and the message. */
async function open(ask: Ask) {
  const folders = rootOf(await ask('FolderSync', folderSyncRequest('0')))
  const primed = collectionOf(await ask('Sync', syncRequest(inbox, '0')))
  const first = collectionOf(await ask('Sync', syncRequest(inbox, keyOf(primed))))
  return {
    hierarchyKey: textAt(folders, 'FolderHierarchy:SyncKey') ?? '',
    syncKey: keyOf(first),
    item: commandsOf(first)[0],
  }
}

const ping = pingRequest(480, inbox)

/** A request that waits. */
async function park(t: Test, proxy: TestProxy, name: string, body: WbxmlElement): Promise<WireClient> {
  const client = await wireClient(t, proxy.port)
  client.write(
    requestBytes({ query: command(name), headers: ['MS-ASProtocolVersion: 14.1'], body: wbxml(body) }),
  )
  await proxy.whenOpen(1)
  return client
}

void t.test('a quarantined device finds one message, by which it learns why', async (t) => {
  const { proxy, forwarded, ask, upstream } = await quarantined(t)
  const { item } = await open(ask)
  const data = child(item, 'AirSync:ApplicationData')
  const texts = loadNoticeTexts('en')
  t.equal(textAt(data, 'Email:Subject'), texts.subject)
  const body = textAt(data, 'AirSyncBase:Body', 'AirSyncBase:Data') ?? ''
  t.match(body, /^https:\/\/mail\.example\.com\/easgate\/enroll\/[\w-]{44}\n/)
  t.ok(body.includes(texts.reasons.noncompliant?.why ?? 'no words'))
  t.strictSame(forwarded(), [])
  t.equal(upstream.requests.length, 1, 'one proof serves for all')
  for (const outcome of proxy.outcomes) {
    t.match(outcome, { action: 'quarantine', reason: 'noncompliant', status: 200, server: undefined })
  }
  t.match(proxy.sightings[0], { action: 'quarantine', allowed: false })
})

void t.test('nothing of it reaches Exchange, by any command, in either form of a body', async (t) => {
  const { forwarded, ask, proxy } = await quarantined(t)
  for (const name of commandNames) {
    for (const headers of [[], ['Transfer-Encoding: chunked']]) {
      const body = headers.length === 0 ? '' : chunked(Buffer.from([3, 1, 0x6a, 0]))
      await ask(name, undefined, { headers: ['MS-ASProtocolVersion: 16.1', ...headers], body })
    }
  }
  t.equal(proxy.outcomes.length, 2 * commandNames.length)
  for (const { action } of proxy.outcomes) t.match(action, /^(?:quarantine|reject)$/)
  t.strictSame(forwarded(), [])
})

void t.test('who cannot log in does not see it (T-20)', async (t) => {
  const { ask } = await quarantined(t)
  const answer = await ask('FolderSync', folderSyncRequest('0'), {
    authorization: basic('alice@example.com', 'wrong'),
  })
  t.strictSame([answer.status, answer.body.length], [401, 0])
})

void t.test('a redirect is the mailbox too, and counted as what it is', async (t) => {
  const policy = { conditionalAccess: { onPremises: { noncompliant: 'redirect' } } }
  const { proxy, ask } = await quarantined(t, { policy })
  t.equal(textAt(rootOf(await ask('FolderSync', folderSyncRequest('0'))), 'FolderHierarchy:Status'), '1')
  t.match(await proxy.outcome(0), { action: 'redirect', reason: 'noncompliant', status: 200 })
})

void t.test('without an address of the page the message leads to our own', async (t) => {
  const { ask, proxy } = await quarantined(t, { enrollment: {} })
  const { item } = await open(ask)
  const body = textAt(child(item, 'AirSync:ApplicationData'), 'AirSyncBase:Body', 'AirSyncBase:Data') ?? ''
  t.match(body, new RegExp(`^http://127\\.0\\.0\\.1:${proxy.port}/easgate/enroll/[\\w-]{44}\\n`))
})

void t.test('what the phone says of itself is remembered', async (t) => {
  const { ask, proxy } = await quarantined(t)
  const said = el('Settings:DeviceInformation', el('Settings:Set', el('Settings:OS', 'iOS 17.5')))
  await ask('Settings', el('Settings:Settings', said))
  await proxy.outcome(0)
  t.strictSame(proxy.sightings[0]?.information, { os: 'iOS 17.5' })
})

void t.test('a body is read in both framings, up to a bound, and only where it says something', async (t) => {
  const { ask, proxy } = await quarantined(t)
  const inChunks = ['MS-ASProtocolVersion: 14.1', 'Transfer-Encoding: chunked']
  const body = chunked(wbxml(folderSyncRequest('0')))
  t.equal(
    textAt(rootOf(await ask('FolderSync', undefined, { headers: inChunks, body })), 'FolderHierarchy:Status'),
    '1',
  )
  const large = Buffer.alloc(300_000)
  t.equal((await ask('Sync', undefined, { body: large })).status, 413)
  t.equal((await ask('Sync', undefined, { headers: inChunks, body: chunked(large) })).status, 413)
  t.match(proxy.outcomes.slice(1), [{ code: 'EAS_BODY_TOO_LARGE' }, { code: 'EAS_BODY_TOO_LARGE' }])
  const mail = await ask('SendMail', undefined, { body: large })
  t.equal(
    textAt(rootOf(mail), 'ComposeMail:Status'),
    '130',
    'a mail is refused unread, and stays on the phone',
  )
  const broken = await ask('Sync', undefined, { body: Buffer.from([3, 1, 0x6a, 0, 0x45]) })
  t.equal(broken.status, 400)
})

void t.test('a client that waits for it is told to go on with its body (T-36)', async (t) => {
  const { proxy } = await quarantined(t)
  const client = await wireClient(t, proxy.port)
  const body = wbxml(folderSyncRequest('0'))
  const headers = ['MS-ASProtocolVersion: 14.1', 'Expect: 100-continue', `Content-Length: ${body.length}`]
  client.write(requestBytes({ query: command('FolderSync'), headers }))
  t.equal((await client.answer()).status, 100)
  client.write(body)
  t.equal(textAt(rootOf(await client.answer()), 'FolderHierarchy:Status'), '1')
})

// --- what waits

void t.test('a Ping is answered when its device is let in, and leads it to Exchange', async (t) => {
  const { proxy, ask, forwarded } = await quarantined(t)
  const { hierarchyKey, syncKey } = await open(ask)
  const client = await park(t, proxy, 'Ping', ping)
  await proxy.know(compliant)
  t.equal(textAt(rootOf(await client.answer()), 'Ping:Status'), '7')
  t.match(await proxy.outcome(3), { action: 'quarantine', command: 'Ping', status: 200 })
  t.equal((await proxy.metrics.releases.get()).values[0]?.value, 1)
  t.equal((await proxy.metrics.revocations.get()).values[0]?.value, 0)

  t.equal(
    textAt(rootOf(await ask('FolderSync', folderSyncRequest(hierarchyKey))), 'FolderHierarchy:Status'),
    '9',
  )
  t.equal(textAt(collectionOf(await ask('Sync', syncRequest(inbox, syncKey))), 'AirSync:Status'), '3')
  t.equal(textAt(rootOf(await ask('Ping', ping)), 'Ping:Status'), '7')
  t.strictSame(forwarded(), [], 'nothing of ours is for Exchange')
  for (const outcome of proxy.outcomes.slice(4)) t.match(outcome, { action: 'allow', reason: 'compliant' })
  t.strictSame(
    proxy.sightings.slice(4).map((seen) => seen?.allowed),
    [false, false, false],
    'and is no mail',
  )
  await ask('FolderSync', folderSyncRequest('0'))
  t.equal(forwarded().length, 1)
})

void t.test('who cannot log in is not told by a key of ours that the device is let in (T-20)', async (t) => {
  const { ask, forwarded } = await quarantined(t, { facts: [compliant] })
  const authorization = basic('alice@example.com', 'wrong')
  const answer = await ask('FolderSync', folderSyncRequest('easgate-x'), { authorization })
  t.equal(answer.status, 401)
  t.equal((await ask('FolderSync', folderSyncRequest('easgate-x'))).status, 200)
  t.strictSame(forwarded(), [])
})

void t.test('up to 12.1 the query of a reply may name our message, behind a mail that streams', async (t) => {
  const { ask, forwarded } = await quarantined(t, { facts: [compliant] })
  const query = `${command('SmartReply')}&CollectionId=${inbox}&ItemId=${inbox}:AAAA`
  const more = { query, headers: ['MS-ASProtocolVersion: 12.1'], body: Buffer.alloc(70_000) }
  t.equal((await ask('SmartReply', undefined, more)).status, 500, 'the client sends it as a mail of its own')
  t.strictSame(forwarded(), [])
})

void t.test('a hanging Sync is answered when its device is let in', async (t) => {
  const { proxy, ask } = await quarantined(t)
  const { syncKey } = await open(ask)
  const { content } = syncRequest(inbox, syncKey)
  const client = await park(t, proxy, 'Sync', el('AirSync:Sync', ...content, el('AirSync:Wait', '10')))
  await proxy.know(compliant)
  t.equal(textAt(rootOf(await client.answer()), 'AirSync:Status'), '12')
})

void t.test('another reason is another message, and a Ping is told of it', async (t) => {
  const { proxy, ask } = await quarantined(t)
  const { syncKey, item } = await open(ask)
  const client = await park(t, proxy, 'Ping', ping)
  await proxy.know({ ...noncompliant, model: 'iPhone 15' })
  t.equal(proxy.outcomes.length, 3, 'of what it does not say it is not told')
  await proxy.know(unenrolled)
  t.equal(textAt(rootOf(await client.answer()), 'Ping:Status'), '2')
  t.match(await proxy.outcome(3), { action: 'quarantine', reason: 'not-enrolled' })
  const removal = collectionOf(await ask('Sync', syncRequest(inbox, syncKey)))
  t.strictSame(idsOf(removal, 'AirSync:Delete'), [textAt(item, 'AirSync:ServerId')])
  const addition = collectionOf(await ask('Sync', syncRequest(inbox, keyOf(removal))))
  t.equal(idsOf(addition, 'AirSync:Add').length, 1)
})

void t.test('a source that cannot be asked makes one message, not two in turn', async (t) => {
  const policy = { ...quarantine, onSourceUnavailable: { unknownDevice: 'quarantine' } }
  const { proxy, ask } = await quarantined(t, { policy, facts: [bob], lookUpNow: async () => 'failed' })
  const { item } = await open(ask)
  const data = child(item, 'AirSync:ApplicationData')
  const words = loadNoticeTexts('en').reasons['source-unavailable']?.why ?? 'no words'
  t.ok(textAt(data, 'AirSyncBase:Body', 'AirSyncBase:Data')?.includes(words))
  const client = await park(t, proxy, 'Ping', ping)
  proxy.setPolicy(policy)
  t.equal(proxy.outcomes.length, 3)
  await proxy.know(compliant)
  t.equal(textAt(rootOf(await client.answer()), 'Ping:Status'), '7', 'and it is released as any other')
})

void t.test('other texts reach a phone that waits', async (t) => {
  const { proxy, ask } = await quarantined(t)
  await open(ask)
  const client = await park(t, proxy, 'Ping', ping)
  proxy.proxy.setQuarantine({ texts: loadNoticeTexts('de') })
  t.equal(textAt(rootOf(await client.answer()), 'Ping:Status'), '2')
})

void t.test(
  'a device that turns from quarantined to blocked comes back at once, and is refused',
  async (t) => {
    const { proxy, ask } = await quarantined(t)
    const { hierarchyKey } = await open(ask)
    const client = await park(t, proxy, 'Ping', ping)
    proxy.setPolicy({ conditionalAccess: { onPremises: { noncompliant: 'block' } } })
    t.equal(textAt(rootOf(await client.answer()), 'Ping:Status'), '7')
    t.match(await proxy.outcome(3), { action: 'block', reason: 'noncompliant' })
    t.equal((await proxy.metrics.revocations.get()).values[0]?.value, 0, 'it had no mail to lose')
    t.equal(
      textAt(rootOf(await ask('FolderSync', folderSyncRequest(hierarchyKey))), 'FolderHierarchy:Status'),
      '129',
    )
  },
)

void t.test('what changes while a body is still read is not lost', async (t) => {
  const { proxy } = await quarantined(t)
  const body = wbxml(ping)
  const client = await wireClient(t, proxy.port)
  const headers = ['MS-ASProtocolVersion: 14.1', 'Expect: 100-continue', `Content-Length: ${body.length}`]
  client.write(requestBytes({ query: command('Ping'), headers }))
  t.equal((await client.answer()).status, 100)
  await proxy.know(compliant)
  client.write(body)
  t.equal(textAt(rootOf(await client.answer()), 'Ping:Status'), '7')
})

void t.test(
  'a phone that leaves is waited for no more, and one that comes again takes its place',
  async (t) => {
    const { proxy, ask } = await quarantined(t)
    await open(ask)
    const gone = await park(t, proxy, 'Ping', ping)
    gone.reset()
    await proxy.whenOpen(0)
    t.match(await proxy.outcome(3), { status: 499 })
    const first = await park(t, proxy, 'Ping', ping)
    const second = await wireClient(t, proxy.port)
    second.write(
      requestBytes({ query: command('Ping'), headers: ['MS-ASProtocolVersion: 14.1'], body: wbxml(ping) }),
    )
    t.equal(textAt(rootOf(await first.answer()), 'Ping:Status'), '1')
    await proxy.know(compliant)
    t.equal(textAt(rootOf(await second.answer()), 'Ping:Status'), '7')
  },
)

void t.test('a phone that leaves while its credentials are proved leaves nothing behind', async (t) => {
  const proving = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const upstream = await recordingUpstream(t, async (request, res) => {
    asked.resolve()
    await proving.promise
    await usualReply(request, res)
  })
  const proxy = await testProxy(t, { servers: [upstream.url], policy: quarantine, facts: [noncompliant] })
  const body = wbxml(ping)
  for (const sent of [body, body.subarray(0, 10)]) {
    const client = await wireClient(t, proxy.port)
    const headers = ['MS-ASProtocolVersion: 14.1', `Content-Length: ${body.length}`]
    client.write(requestBytes({ query: command('Ping'), headers, body: sent }))
    await asked.promise
    client.reset()
    await client.ended
  }
  // the proxy hears of it a turn later than the client
  await nextTurn()
  proving.resolve()
  t.match([await proxy.outcome(0), await proxy.outcome(1)], [{ command: 'Ping' }, { command: 'Ping' }])
  await proxy.whenOpen(0)
})

void t.test('beyond the bound a phone is asked to come back', async (t) => {
  const { proxy, ask } = await quarantined(t, { facts: [noncompliant, bob], quarantine: { maxParked: 1 } })
  await park(t, proxy, 'Ping', ping)
  const more = { query: command('Ping', 'BOBS', 'bob'), authorization: basic('bob@example.com') }
  const answer = await ask('Ping', ping, more)
  t.strictSame([answer.status, answer.header('retry-after')], [503, '60'])
  t.match(await proxy.outcome(0), { action: 'unavailable', reason: 'overloaded' })
})

void t.test('a worker that stops answers what waits', async (t) => {
  const { proxy } = await quarantined(t)
  const client = await park(t, proxy, 'Ping', ping)
  await proxy.proxy.close()
  t.equal(textAt(rootOf(await client.answer()), 'Ping:Status'), '1')
  t.match(proxy.outcomes, [{ action: 'quarantine', status: 200 }])
})

void t.test('a pair that holds mail is asked to provision first, for a wipe may wait', async (t) => {
  const { proxy, ask, forwarded } = await quarantined(t)
  await proxy.store.recordSightings([
    sighting({ deviceId: 'PHONE1', deviceKey: 'phone1', allowed: true, at: Date.now() }),
  ])
  const status = async () =>
    textAt(rootOf(await ask('FolderSync', folderSyncRequest('17'))), 'FolderHierarchy:Status')
  t.equal(await status(), '142')
  await ask('Provision')
  t.equal(forwarded().length, 1, 'and that one reaches Exchange')
  t.equal(await status(), '9', 'then its folders are ours')
})
