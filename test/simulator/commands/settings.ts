import t from 'tap'
import { child, children } from '#eas/wbxml/element.ts'
import { demoUsers } from '#simulator/demo.ts'
import { createSimulator } from '#simulator/exchange.ts'
import { Phone, el, textAt } from '../../support/simulated-phone.ts'

void t.test('answers each property by itself, its Status first', async (t) => {
  const simulator = createSimulator({ users: demoUsers(Date.now()), requireProvisioning: false })
  const { url } = await simulator.listen()
  t.teardown(() => simulator.close())
  const phone = new Phone({ url, version: '14.1' })
  const set = el('Settings:Set', el('Settings:Model', 'SM-A515F'), el('Settings:OS', 'Android 10'))
  const request = el(
    'Settings:Settings',
    el('Settings:DeviceInformation', set),
    el('Settings:UserInformation', el('Settings:Get')),
    el('Settings:Oof', el('Settings:Get', el('Settings:BodyType', 'Text'))),
    el('Settings:DevicePassword', el('Settings:Set', el('Settings:Password', '1234'))),
  )
  const { root } = await phone.send('Settings', request)
  const [status, ...properties] = children(root)
  t.equal(status?.name, 'Settings:Status')
  t.strictSame(
    properties.map((property) => [property.name, textAt(property, 'Settings:Status')]),
    [
      ['Settings:DeviceInformation', '1'],
      ['Settings:UserInformation', '1'],
      ['Settings:Oof', '1'],
      ['Settings:DevicePassword', '4'],
    ],
  )
  t.strictSame(simulator.device('alice', 'PHONE1')?.information, { Model: 'SM-A515F', OS: 'Android 10' })
  const account = child(child(child(properties[1], 'Settings:Get'), 'Settings:Accounts'), 'Settings:Account')
  t.equal(textAt(account, 'Settings:EmailAddresses', 'Settings:PrimarySmtpAddress'), 'alice@example.com')
  t.equal(textAt(properties[2], 'Settings:Get', 'Settings:OofState'), '0')
})

void t.test(
  'gives addresses without Accounts below 14.1, keeps Oof, and refuses an empty request',
  async (t) => {
    const simulator = createSimulator({ users: demoUsers(Date.now()), requireProvisioning: false })
    const { url } = await simulator.listen()
    t.teardown(() => simulator.close())
    const phone = new Phone({ url, version: '12.1' })
    const user = el('Settings:UserInformation', el('Settings:Get'))
    const { root } = await phone.send('Settings', el('Settings:Settings', user))
    const get = child(child(root, 'Settings:UserInformation'), 'Settings:Get')
    t.equal(textAt(get, 'Settings:EmailAddresses', 'Settings:SMTPAddress'), 'alice@example.com')
    await phone.send(
      'Settings',
      el('Settings:Settings', el('Settings:Oof', el('Settings:Set', el('Settings:OofState', '1')))),
    )
    const oof = await phone.send('Settings', el('Settings:Settings', el('Settings:Oof', el('Settings:Get'))))
    t.equal(textAt(oof.root, 'Settings:Oof', 'Settings:Get', 'Settings:OofState'), '1')
    t.equal(textAt((await phone.send('Settings', el('Settings:Settings'))).root, 'Settings:Status'), '2')
  },
)
