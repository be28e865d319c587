import type { Test } from 'tap'
import t from 'tap'
import { child, children } from '#eas/wbxml/element.ts'
import { demoUsers } from '#simulator/demo.ts'
import type { Simulator, SimulatorOptions } from '#simulator/exchange.ts'
import { createSimulator } from '#simulator/exchange.ts'
import type { PhoneOptions, Reply } from '../../support/simulated-phone.ts'
import { Phone, el, folderSyncRequest, pingRequest, textAt } from '../../support/simulated-phone.ts'

async function setUp(
  t: Test,
  phoneOptions: Partial<PhoneOptions> = {},
  options: Partial<SimulatorOptions> = {},
): Promise<{ simulator: Simulator; phone: Phone }> {
  const simulator = createSimulator({ users: demoUsers(Date.now()), minHeartbeatSeconds: 1, ...options })
  const { url } = await simulator.listen()
  t.teardown(() => simulator.close())
  return { simulator, phone: new Phone({ url, ...phoneOptions }) }
}

/** The status of a FolderSync: of the body, else of HTTP. */
async function folderSync(phone: Phone): Promise<string> {
  const reply = await phone.send('FolderSync', folderSyncRequest('0'))
  return textAt(reply.root, 'FolderHierarchy:Status') ?? `HTTP ${reply.status}`
}

function policies(policyType: string, ...rest: ReturnType<typeof el>[]) {
  return el('Provision:Policies', el('Provision:Policy', el('Provision:PolicyType', policyType), ...rest))
}

function wiped(status: string) {
  return el('Provision:Provision', el('Provision:RemoteWipe', el('Provision:Status', status)))
}

function information(...set: ReturnType<typeof el>[]) {
  return el('Settings:DeviceInformation', el('Settings:Set', ...set))
}

function policyStatus(reply: Reply): string | undefined {
  return textAt(reply.root, 'Provision:Policies', 'Provision:Policy', 'Provision:Status')
}

const wbxmlType = 'MS-EAS-Provisioning-WBXML'
const model = el('Settings:Model', 'iPhone14C2')

void t.test('tells no key, a wrong key and an absent key apart', async (t) => {
  const { phone } = await setUp(t)
  t.equal(await folderSync(phone), '1', 'plain without the header is served')
  phone.policyKey = 0
  t.equal(await folderSync(phone), '142')
  phone.policyKey = 4711
  t.equal(await folderSync(phone), '142', 'a key of nobody')
  const key = await phone.provision()
  t.equal(await folderSync(phone), '1')
  phone.policyKey = key === 1 ? 2 : key - 1
  t.equal(await folderSync(phone), '144')
  const other = new Phone({ url: phone.options.url, deviceId: 'OTHER', policyKey: key })
  t.equal(await folderSync(other), '142', "another device's key")
})

void t.test('asks by HTTP 449 below 14.0, or always where set so; base64 needs a key', async (t) => {
  const old = await setUp(t, { version: '12.1', policyKey: 0 })
  t.equal(await folderSync(old.phone), 'HTTP 449')
  const without = await setUp(t, { version: '12.1', form: 'base64' })
  t.equal(await folderSync(without.phone), 'HTTP 449')
  const always = await setUp(t, { version: '14.1', policyKey: 0 }, { alwaysHttp449: true })
  t.equal(await folderSync(always.phone), 'HTTP 449')
  const never = await setUp(t, { version: '14.1', policyKey: 0 }, { requireProvisioning: false })
  t.equal(await folderSync(never.phone), '1')
})

void t.test('lets Ping pass without a policy key', async (t) => {
  const { phone, simulator } = await setUp(t, { form: 'base64' })
  const inbox = simulator.mailbox('alice').folderOfType(2).serverId
  const reply = await phone.send('Ping', pingRequest(1, inbox))
  t.equal(textAt(reply.root, 'Ping:Status'), '1')
})

void t.test('gives a temporary key with the policy, and the final one for its acknowledgement', async (t) => {
  const { phone, simulator } = await setUp(t, { policyKey: 0 })
  const first = await phone.send(
    'Provision',
    el('Provision:Provision', information(model), policies(wbxmlType)),
  )
  t.equal(textAt(first.root, 'Settings:DeviceInformation', 'Settings:Status'), '1')
  t.equal(simulator.device('alice', 'PHONE1')?.information.Model, 'iPhone14C2')
  const policy = child(child(first.root, 'Provision:Policies'), 'Provision:Policy')
  t.ok(children(child(child(policy, 'Provision:Data'), 'Provision:EASProvisionDoc')).length > 20)
  const temporary = textAt(policy, 'Provision:PolicyKey') ?? ''
  phone.policyKey = Number(temporary)
  t.equal(await folderSync(phone), '142', 'a temporary key opens nothing')

  const acknowledge = (key: string, status: string) =>
    el(
      'Provision:Provision',
      policies(wbxmlType, el('Provision:PolicyKey', key), el('Provision:Status', status)),
    )
  t.equal(policyStatus(await phone.send('Provision', acknowledge('1', '1'))), '5')
  const refused = await phone.send('Provision', acknowledge(temporary, '3'))
  t.equal(textAt(refused.root, 'Provision:Status'), '139')
  const second = await phone.send('Provision', acknowledge(temporary, '1'))
  t.equal(policyStatus(second), '1')
  const final = child(child(second.root, 'Provision:Policies'), 'Provision:Policy')
  t.equal(child(final, 'Provision:Data'), undefined)
  phone.policyKey = Number(textAt(final, 'Provision:PolicyKey'))
  t.not(String(phone.policyKey), temporary)
  t.equal(await folderSync(phone), '1')
  t.equal(policyStatus(await phone.send('Provision', acknowledge(temporary, '1'))), '5', 'used up')
})

void t.test('wants DeviceInformation with a Model from 14.1', async (t) => {
  for (const [version, expected] of [
    ['12.1', '1'],
    ['14.0', '1'],
    ['14.1', '165'],
    ['16.1', '165'],
  ] as const) {
    const { phone } = await setUp(t, { version, policyKey: 0 })
    const reply = await phone.send('Provision', el('Provision:Provision', policies(wbxmlType)))
    t.equal(textAt(reply.root, 'Provision:Status'), expected, version)
    const noModel = el('Provision:Provision', information(el('Settings:OS', 'iOS 16')), policies(wbxmlType))
    t.equal(textAt((await phone.send('Provision', noModel)).root, 'Provision:Status'), expected, version)
  }
})

void t.test(
  'refuses another policy type with 3 and a request without policies with 2; 2.5 has its own type',
  async (t) => {
    const { phone } = await setUp(t, { policyKey: 0 })
    const wrong = await phone.send(
      'Provision',
      el('Provision:Provision', information(model), policies('Other')),
    )
    t.equal(policyStatus(wrong), '3')
    t.equal(textAt((await phone.send('Provision', el('Provision:Provision'))).root, 'Provision:Status'), '2')
    const old = new Phone({ url: phone.options.url, version: '2.5', deviceId: 'OLD', policyKey: 0 })
    const wap = await old.send('Provision', el('Provision:Provision', policies('MS-WAP-Provisioning-XML')))
    t.match(
      textAt(wap.root, 'Provision:Policies', 'Provision:Policy', 'Provision:Data'),
      'wap-provisioningdoc',
    )
  },
)

void t.test(
  'wipes: every command is refused, Provision says RemoteWipe, the answer ends the partnership',
  async (t) => {
    const { phone, simulator } = await setUp(t)
    await phone.provision()
    simulator.requestWipe('alice@example.com', 'phone1')
    t.equal(await folderSync(phone), '140')
    t.equal(textAt((await phone.send('Ping')).root, 'Ping:Status'), '140')
    const asked = await phone.send('Provision', el('Provision:Provision'))
    t.equal(textAt(asked.root, 'Provision:Status'), '1')
    t.ok(child(asked.root, 'Provision:RemoteWipe'))

    await phone.send('Provision', wiped('2'))
    t.equal(await folderSync(phone), '140', 'a wipe that failed stays asked')
    const done = await phone.send('Provision', wiped('1'))
    t.equal(textAt(done.root, 'Provision:Status'), '1')
    t.equal(child(done.root, 'Provision:RemoteWipe'), undefined)
    t.strictSame(simulator.wipes, [
      { user: 'alice@example.com', deviceId: 'PHONE1', status: 2 },
      { user: 'alice@example.com', deviceId: 'PHONE1', status: 1 },
    ])
    t.equal(simulator.device('alice', 'PHONE1'), undefined)
    t.equal(await folderSync(phone), '142', 'a stranger again')
    t.equal(textAt((await phone.send('Provision', wiped('1'))).root, 'Provision:Status'), '2', 'not asked')
  },
)

void t.test('asks old devices for a wipe by 449, or by 403 where they send no policy key', async (t) => {
  const { phone, simulator } = await setUp(t, { version: '12.1' })
  await phone.provision()
  simulator.requestWipe('alice', 'PHONE1')
  t.equal(await folderSync(phone), 'HTTP 449')
  phone.policyKey = undefined
  t.equal(await folderSync(phone), 'HTTP 403')
  t.throws(() => simulator.requestWipe('alice', 'NOBODY'), /no such device/)
  t.throws(() => simulator.requestWipe('nobody', 'PHONE1'), /no such user/)
})
