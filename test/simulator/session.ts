import t from 'tap'
import { child, children, textOf } from '#eas/wbxml/element.ts'
import { createSimulator } from '#simulator/exchange.ts'
import { demoUsers } from '#simulator/demo.ts'
import {
  Phone,
  commandsOf,
  el,
  folderSyncRequest,
  keyOf,
  pingRequest,
  textAt,
} from '../support/simulated-phone.ts'

const versions = ['12.1', '14.0', '14.1', '16.1']

for (const version of versions) {
  for (const form of ['plain', 'base64'] as const) {
    void t.test(`walks a whole session at ${version} with ${form} queries`, async (t) => {
      const simulator = createSimulator({ users: demoUsers(Date.now()), minHeartbeatSeconds: 1 })
      const { url } = await simulator.listen()
      t.teardown(() => simulator.close())
      const phone = new Phone({ url, version, form, policyKey: 0 })
      const isOld = version === '12.1'

      const refused = await phone.send('FolderSync', folderSyncRequest('0'))
      if (isOld) t.equal(refused.status, 449)
      else t.equal(textAt(refused.root, 'FolderHierarchy:Status'), '142')
      await phone.provision()
      t.equal(simulator.device('alice', 'phone1')?.policyKey, phone.policyKey)

      const information = el(
        'Settings:Set',
        el('Settings:Model', 'iPhone14C2'),
        el('Settings:OS', 'iOS 16.5 20F66'),
      )
      const settings = await phone.send(
        'Settings',
        el('Settings:Settings', el('Settings:DeviceInformation', information)),
      )
      t.equal(textAt(settings.root, 'Settings:DeviceInformation', 'Settings:Status'), '1')
      t.equal(simulator.device('alice', 'PHONE1')?.information.OS, 'iOS 16.5 20F66')

      const folders = await phone.send('FolderSync', folderSyncRequest('0'))
      t.equal(folders.headers['ms-server-activesync'], '15.2')
      t.match(folders.headers['ms-asprotocolversions'], '16.1')
      const adds = children(child(folders.root, 'FolderHierarchy:Changes'), 'FolderHierarchy:Add')
      t.equal(textAt(folders.root, 'FolderHierarchy:Changes', 'FolderHierarchy:Count'), String(adds.length))
      const inboxElement = adds.find((add) => textAt(add, 'FolderHierarchy:Type') === '2')
      const inbox = textAt(inboxElement, 'FolderHierarchy:ServerId') ?? ''
      t.not(inbox, '')

      const first = await phone.sync(inbox, '0')
      t.equal(textAt(first, 'AirSync:Status'), '1')
      t.equal(child(first, 'AirSync:Class'), undefined)
      const second = await phone.sync(inbox, keyOf(first))
      t.equal(commandsOf(second).length, 3)
      const application = child(commandsOf(second)[0], 'AirSync:ApplicationData')
      t.equal(textAt(application, 'Email:Subject'), 'Visitor counts')
      t.equal(child(application, 'Email2:ConversationId') === undefined, isOld)
      const third = await phone.sync(inbox, keyOf(second))
      t.equal(third, undefined, 'nothing new is an empty answer')

      const pinged = phone.send('Ping', pingRequest(60, inbox))
      await simulator.whenParked(1)
      simulator.deliver('EXAMPLE\\alice', { from: 'bob@example.com', subject: 'News', text: 'It is here.' })
      const pong = await pinged
      t.equal(textAt(pong.root, 'Ping:Status'), '2')
      t.equal(textAt(pong.root, 'Ping:Folders', 'Ping:Folder'), inbox)
      const fourth = await phone.sync(inbox, keyOf(second))
      t.equal(textOf(child(child(commandsOf(fourth)[0], 'AirSync:ApplicationData'), 'Email:Subject')), 'News')

      const last = simulator.requests.at(-1)
      t.match(last, { method: 'POST', user: 'alice@example.com', deviceId: 'PHONE1', command: 'Sync' })
    })
  }
}

void t.test('answers 2.5 and 12.0 with Class first and never with an empty Sync', async (t) => {
  const simulator = createSimulator({ users: demoUsers(Date.now()), requireProvisioning: false })
  const { url } = await simulator.listen()
  t.teardown(() => simulator.close())
  const inbox = simulator.mailbox('alice').folderOfType(2).serverId
  for (const version of ['2.5', '12.0']) {
    const phone = new Phone({ url, version, deviceId: `v${version.replace('.', '')}` })
    const key = await phone.prime(inbox)
    const all = await phone.sync(inbox, key)
    t.equal(children(all)[0]?.name, 'AirSync:Class')
    const application = child(commandsOf(all)[0], 'AirSync:ApplicationData')
    t.equal(child(application, 'Email:Body') !== undefined, version === '2.5')
    t.equal(child(application, 'AirSyncBase:Body') !== undefined, version === '12.0')
    const nothing = await phone.sync(inbox, keyOf(all))
    t.equal(keyOf(nothing), keyOf(all))
    t.equal(commandsOf(nothing).length, 0)
  }
})
