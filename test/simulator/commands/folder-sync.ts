import type { Test } from 'tap'
import t from 'tap'
import { child, children, textOf } from '#eas/wbxml/element.ts'
import { demoUsers } from '#simulator/demo.ts'
import type { Simulator } from '#simulator/exchange.ts'
import { createSimulator } from '#simulator/exchange.ts'
import type { Reply } from '../../support/simulated-phone.ts'
import { Phone, el, folderSyncRequest, textAt } from '../../support/simulated-phone.ts'

async function setUp(t: Test): Promise<{ simulator: Simulator; phone: Phone; key: string }> {
  const simulator = createSimulator({ users: demoUsers(Date.now()), requireProvisioning: false })
  const { url } = await simulator.listen()
  t.teardown(() => simulator.close())
  const phone = new Phone({ url })
  return { simulator, phone, key: keyIn(await phone.send('FolderSync', folderSyncRequest('0'))) }
}

function keyIn({ root }: Reply): string {
  return textAt(root, 'FolderHierarchy:SyncKey') ?? ''
}

function statusIn({ root }: Reply): string | undefined {
  return textAt(root, 'FolderHierarchy:Status')
}

function changesIn({ root }: Reply): string[] {
  const [count, ...changes] = children(child(root, 'FolderHierarchy:Changes'))
  const named = changes.map((change) => {
    const name = textAt(change, 'FolderHierarchy:DisplayName') ?? textAt(change, 'FolderHierarchy:ServerId')
    return `${change.name} ${name}`
  })
  const said = textOf(count)
  if (said !== String(named.length)) throw new Error(`Count is ${said}, but there are ${named.length}`)
  return named
}

void t.test('keeps its key while nothing changes and refuses any other', async (t) => {
  const { phone, key } = await setUp(t)
  const same = await phone.send('FolderSync', folderSyncRequest(key))
  t.equal(keyIn(same), key)
  t.strictSame(changesIn(same), [])
  t.equal(same.headers['ms-asprotocolversions'], undefined, 'only key 0 carries the versions')
  for (const wrong of ['q1', '1']) {
    const refused = await phone.send('FolderSync', folderSyncRequest(wrong))
    t.equal(statusIn(refused), '9')
    t.equal(child(refused.root, 'FolderHierarchy:Changes'), undefined)
  }
  t.equal(statusIn(await phone.send('FolderSync', el('FolderHierarchy:FolderSync'))), '10')
  t.equal(statusIn(await phone.send('FolderSync', folderSyncRequest(key))), '1')
})

void t.test('tells of new, renamed and deleted folders, again to a repeated key', async (t) => {
  const { phone, key, simulator } = await setUp(t)
  const mailbox = simulator.mailbox('alice')
  const folder = mailbox.addFolder('0', 'Trips', 12)
  const added = await phone.send('FolderSync', folderSyncRequest(key))
  t.strictSame(changesIn(added), ['FolderHierarchy:Add Trips'])
  mailbox.updateFolder(folder, '0', 'Journeys')
  const again = await phone.send('FolderSync', folderSyncRequest(key))
  t.strictSame(again.body, added.body)
  const renamed = await phone.send('FolderSync', folderSyncRequest(keyIn(added)))
  t.strictSame(changesIn(renamed), ['FolderHierarchy:Update Journeys'])
  mailbox.removeFolder(folder)
  const removed = await phone.send('FolderSync', folderSyncRequest(keyIn(renamed)))
  t.strictSame(changesIn(removed), [`FolderHierarchy:Delete ${folder.serverId}`])
  t.equal(statusIn(await phone.send('FolderSync', folderSyncRequest(key))), '9', 'two steps back')
})

void t.test('creates, renames and deletes folders for a client, with its key', async (t) => {
  const { phone, key, simulator } = await setUp(t)
  const change = async (
    command: 'FolderCreate' | 'FolderUpdate' | 'FolderDelete',
    syncKey: string,
    values: Readonly<Record<string, string>>,
  ): Promise<Reply> => {
    const rest = Object.entries(values).map(([name, value]) => el(`FolderHierarchy:${name}`, value))
    return phone.send(
      command,
      el(`FolderHierarchy:${command}`, el('FolderHierarchy:SyncKey', syncKey), ...rest),
    )
  }
  const trips = { ParentId: '0', DisplayName: 'Trips', Type: '12' }
  t.equal(statusIn(await change('FolderCreate', 'q1', trips)), '9')
  t.equal(statusIn(await change('FolderCreate', key, { ...trips, Type: '2' })), '10', 'a second inbox')
  t.equal(statusIn(await change('FolderCreate', key, { ...trips, ParentId: '99' })), '5')
  t.equal(statusIn(await change('FolderCreate', key, { ...trips, DisplayName: 'Inbox' })), '2')
  const created = await change('FolderCreate', key, trips)
  t.equal(statusIn(created), '1')
  const serverId = textAt(created.root, 'FolderHierarchy:ServerId') ?? ''
  t.match(simulator.mailbox('alice').folder(serverId), { displayName: 'Trips', type: 12 })
  t.strictSame(
    changesIn(await phone.send('FolderSync', folderSyncRequest(keyIn(created)))),
    [],
    'not told of its own',
  )

  const inbox = simulator.mailbox('alice').folderOfType(2).serverId
  const to = { ParentId: inbox, DisplayName: 'Journeys' }
  t.equal(statusIn(await change('FolderUpdate', keyIn(created), { ...to, ServerId: inbox })), '3')
  t.equal(statusIn(await change('FolderUpdate', keyIn(created), { ...to, ServerId: '99' })), '4')
  const renamed = await change('FolderUpdate', keyIn(created), { ...to, ServerId: serverId })
  t.equal(statusIn(renamed), '1')
  t.match(simulator.mailbox('alice').folder(serverId), { displayName: 'Journeys', parentId: inbox })

  t.equal(statusIn(await change('FolderDelete', keyIn(renamed), { ServerId: inbox })), '3')
  t.equal(statusIn(await change('FolderDelete', keyIn(renamed), { ServerId: '99' })), '4')
  const deleted = await change('FolderDelete', keyIn(renamed), { ServerId: serverId })
  t.equal(statusIn(deleted), '1')
  t.equal(simulator.mailbox('alice').folder(serverId), undefined)
  t.strictSame(changesIn(await phone.send('FolderSync', folderSyncRequest(keyIn(deleted)))), [])
})
