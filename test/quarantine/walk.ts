import t, { type Test } from 'tap'
import { protocolVersions } from '#eas/versions.ts'
import type { WbxmlElement } from '#eas/wbxml/element.ts'
import { child } from '#eas/wbxml/element.ts'
import { demoUsers } from '#simulator/demo.ts'
import { createSimulator } from '#simulator/exchange.ts'
import { notice, otherNotice } from '../support/quarantine.ts'
import { quarantineServer, type QuarantineServer } from '../support/quarantine-server.ts'
import {
  Phone,
  commandsOf,
  el,
  folderSyncRequest,
  idsOf,
  keyOf,
  pingRequest,
  syncRequest,
  textAt,
  type PhoneOptions,
} from '../support/simulated-phone.ts'

const inbox = 'easgate-inbox'
const signingKey = Buffer.alloc(32, 3)

/** Two nodes of one fleet before one Exchange, and a phone that goes from one to the other with each request. */
async function setUp(t: Test, options: Partial<PhoneOptions>) {
  const simulator = createSimulator({ users: demoUsers(Date.now()), requireProvisioning: false })
  const { url } = await simulator.listen()
  t.teardown(() => simulator.close())
  const nodes: readonly QuarantineServer[] = [
    await quarantineServer(t, url, signingKey),
    await quarantineServer(t, url, signingKey),
  ]
  const [one, two] = nodes
  if (one === undefined || two === undefined) throw new Error('no nodes')
  let turns = 0
  const phone = new Phone({ ...options, url: one.url })
  const other = new Phone({ ...options, url: two.url })
  const next = () => {
    turns += 1
    const taken = turns % 2 === 0 ? phone : other
    taken.policyKey = phone.policyKey
    return { phone: taken, node: turns % 2 === 0 ? one : two }
  }
  return { simulator, nodes, phone, next }
}

async function folderSync(phone: Phone, syncKey: string): Promise<WbxmlElement | undefined> {
  return (await phone.send('FolderSync', folderSyncRequest(syncKey))).root
}

/** All items of a folder, page by page; fails on an item that comes twice. */
async function download(t: Test, phone: Phone, folderId: string): Promise<readonly string[]> {
  const ids: string[] = []
  let key = await phone.prime(folderId)
  for (;;) {
    const page = await phone.sync(folderId, key, el('AirSync:WindowSize', '3'))
    if (page === undefined || commandsOf(page).length === 0) break
    ids.push(...idsOf(page, 'AirSync:Add'))
    key = keyOf(page)
  }
  t.equal(new Set(ids).size, ids.length, 'no item came twice')
  return ids
}

const forms = protocolVersions.flatMap((version) =>
  Number(version) < 12.1
    ? [{ version, form: 'plain' }]
    : [
        { version, form: 'plain' },
        { version, form: 'base64' },
      ],
) as readonly { readonly version: string; readonly form: 'plain' | 'base64' }[]

for (const { version, form } of forms) {
  void t.test(
    `${version} ${form}: quarantined, told why, told anew, released to a full resync, quarantined again`,
    async (t) => {
      const { simulator, nodes, phone, next } = await setUp(t, { version, form })

      if (Number(version) >= 12) {
        const policyKey = await phone.provision()
        t.ok(policyKey > 0, 'a policy was given and acknowledged')
      }

      const hierarchy = await folderSync(next().phone, '0')
      const hierarchyKey = textAt(hierarchy, 'FolderHierarchy:SyncKey') ?? ''
      const folder = child(child(hierarchy, 'FolderHierarchy:Changes'), 'FolderHierarchy:Add')
      t.equal(textAt(folder, 'FolderHierarchy:ServerId'), inbox)
      t.equal(textAt(folder, 'FolderHierarchy:Type'), '2')

      const primed = await next().phone.prime(inbox)
      const first = await next().phone.sync(inbox, primed)
      const [itemId = ''] = idsOf(first, 'AirSync:Add')
      t.equal(commandsOf(first).length, 1)
      const item = child(commandsOf(first)[0], 'AirSync:ApplicationData')
      t.equal(textAt(item, 'Email:Subject'), notice.subject)
      t.equal(textAt(item, 'AirSyncBase:Body', 'AirSyncBase:Data') ?? textAt(item, 'Email:Body'), notice.text)

      if (Number(version) >= 12) {
        const fetch = el(
          'ItemOperations:Fetch',
          el('AirSync:CollectionId', inbox),
          el('AirSync:ServerId', itemId),
        )
        const reply = await next().phone.send('ItemOperations', el('ItemOperations:ItemOperations', fetch))
        const fetched = [
          'ItemOperations:Response',
          'ItemOperations:Fetch',
          'ItemOperations:Properties',
        ] as const
        t.equal(textAt(reply.root, ...fetched, 'AirSyncBase:Body', 'AirSyncBase:Data'), notice.text)
        t.equal(textAt(reply.root, ...fetched, 'Email:DateReceived'), textAt(item, 'Email:DateReceived'))
      }

      const readFlag = el('AirSync:ApplicationData', el('Email:Read', '1'))
      const change = el('AirSync:Change', el('AirSync:ServerId', itemId), readFlag)
      const marked = await next().phone.sync(inbox, keyOf(first), el('AirSync:Commands', change))
      t.equal(textAt(marked, 'AirSync:Status'), '1')
      t.equal(child(marked, 'AirSync:Responses'), undefined)

      const waiting = next()
      const over = waiting.phone.send('Ping', pingRequest(60, inbox))
      await waiting.node.whenParked()
      waiting.node.timeOut()
      t.equal(textAt((await over).root, 'Ping:Status'), '1')

      const told = next()
      const changed = told.phone.send('Ping', pingRequest(60, inbox))
      await told.node.whenParked()
      for (const node of nodes) node.change(otherNotice)
      t.equal(textAt((await changed).root, 'Ping:Status'), '2')
      const removal = await next().phone.sync(inbox, keyOf(marked))
      t.strictSame(idsOf(removal, 'AirSync:Delete'), [itemId])
      t.ok(child(removal, 'AirSync:MoreAvailable'))
      const addition = await next().phone.sync(inbox, keyOf(removal))
      t.equal(idsOf(addition, 'AirSync:Add').length, 1)
      t.not(idsOf(addition, 'AirSync:Add')[0], itemId)

      const last = next()
      const released = last.phone.send('Ping', pingRequest(3540, inbox))
      await last.node.whenParked()
      for (const node of nodes) node.release()
      t.equal(textAt((await released).root, 'Ping:Status'), '7')
      t.equal(textAt(await folderSync(next().phone, hierarchyKey), 'FolderHierarchy:Status'), '9')
      const stale = await next().phone.sync(inbox, keyOf(addition))
      t.equal(textAt(stale, 'AirSync:Status'), '3')
      const unknown = await next().phone.send('Sync', syncRequest(inbox, '0'))
      t.equal(textAt(unknown.root, 'AirSync:Status'), '12')
      t.equal(simulator.requests.length, 0, 'nothing of ours reached Exchange')

      const real = await folderSync(next().phone, '0')
      t.equal(textAt(real, 'FolderHierarchy:Status'), '1')
      const realInbox = simulator.mailbox('alice').folderOfType(2).serverId
      const ids = await download(t, next().phone, realInbox)
      const expected = simulator.mailbox('alice').messages(realInbox)
      t.strictSame(
        ids.toSorted(),
        expected.map(({ serverId }) => serverId).toSorted(),
        'all mail is there, once',
      )

      for (const node of nodes) node.quarantine()
      const realKey = textAt(real, 'FolderHierarchy:SyncKey') ?? ''
      t.equal(textAt(await folderSync(next().phone, realKey), 'FolderHierarchy:Status'), '9')
      t.equal(textAt(await next().phone.sync(realInbox, '17'), 'AirSync:Status'), '3')
      const gone = await next().phone.send('Sync', syncRequest(realInbox, '0'))
      t.equal(textAt(gone.root, 'AirSync:Status'), '12')
      t.equal(textAt((await next().phone.send('Ping', pingRequest(600, realInbox))).root, 'Ping:Status'), '7')
      t.equal(textAt(await folderSync(next().phone, '0'), 'FolderHierarchy:SyncKey'), hierarchyKey)
    },
  )
}

void t.test('a hanging Sync is told of another message, and of the release', async (t) => {
  const { nodes, next } = await setUp(t, { version: '16.1' })
  const primed = await next().phone.prime(inbox)
  const first = await next().phone.sync(inbox, primed)
  const hanging = (syncKey: string) => {
    const { content } = syncRequest(inbox, syncKey)
    return el('AirSync:Sync', ...content, el('AirSync:HeartbeatInterval', '600'))
  }
  const told = next()
  const changed = told.phone.send('Sync', hanging(keyOf(first)))
  await told.node.whenParked()
  for (const node of nodes) node.change(otherNotice)
  const removal = child(child((await changed).root, 'AirSync:Collections'), 'AirSync:Collection')
  t.equal(idsOf(removal, 'AirSync:Delete').length, 1)
  const addition = await next().phone.sync(inbox, keyOf(removal))
  const last = next()
  const released = last.phone.send('Sync', hanging(keyOf(addition)))
  await last.node.whenParked()
  for (const node of nodes) node.release()
  t.equal(textAt((await released).root, 'AirSync:Status'), '12')
})

void t.test('what a device says of itself is heard, in both queries', async (t) => {
  const { nodes, phone, next } = await setUp(t, { version: '16.1', form: 'base64' })
  await phone.provision()
  const said = el('Settings:DeviceInformation', el('Settings:Set', el('Settings:OS', 'iOS 17.5')))
  const reply = await next().phone.send('Settings', el('Settings:Settings', said))
  t.equal(textAt(reply.root, 'Settings:DeviceInformation', 'Settings:Status'), '1')
  t.strictSame(
    nodes.flatMap(({ heard }) => heard),
    [{ model: 'Test' }, { os: 'iOS 17.5' }],
  )
})
