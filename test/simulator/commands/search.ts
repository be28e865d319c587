import type { Test } from 'tap'
import t from 'tap'
import { child, children } from '#eas/wbxml/element.ts'
import { demoUsers } from '#simulator/demo.ts'
import type { Simulator } from '#simulator/exchange.ts'
import { createSimulator } from '#simulator/exchange.ts'
import { Phone, commandsOf, el, keyOf, textAt } from '../../support/simulated-phone.ts'

interface Setup {
  readonly simulator: Simulator
  readonly phone: Phone
  readonly inbox: string
}

async function setUp(t: Test, version = '14.1'): Promise<Setup> {
  const simulator = createSimulator({ users: demoUsers(Date.now()), requireProvisioning: false })
  const { url } = await simulator.listen()
  t.teardown(() => simulator.close())
  return {
    simulator,
    phone: new Phone({ url, version }),
    inbox: simulator.mailbox('alice').folderOfType(2).serverId,
  }
}

async function searchMail(phone: Phone, words: string, range: string, ...where: ReturnType<typeof el>[]) {
  const query = el('Search:And', el('AirSync:Class', 'Email'), ...where, el('Search:FreeText', words))
  const store = el(
    'Search:Store',
    el('Search:Name', 'Mailbox'),
    el('Search:Query', query),
    el('Search:Options', el('Search:Range', range)),
  )
  const reply = await phone.send('Search', el('Search:Search', store))
  return child(child(reply.root, 'Search:Response'), 'Search:Store')
}

void t.test('searches mail by words, folder and range', async (t) => {
  const { phone, inbox, simulator } = await setUp(t)
  const one = await searchMail(phone, 'COUNTS', '0-9', el('AirSync:CollectionId', inbox))
  t.equal(textAt(one, 'Search:Status'), '1')
  t.equal(textAt(one, 'Search:Result', 'Search:Properties', 'Email:Subject'), 'Visitor counts')
  t.equal(textAt(one, 'Search:Range'), '0-0')
  t.equal(textAt(one, 'Search:Total'), '1')
  const all = await searchMail(phone, 'a', '1-1')
  t.equal(children(all, 'Search:Result').length, 1)
  t.equal(textAt(all, 'Search:Range'), '1-1')
  t.equal(textAt(all, 'Search:Total'), '3')
  const sent = simulator.mailbox('alice').folderOfType(5).serverId
  const none = await searchMail(phone, 'counts', '0-9', el('AirSync:CollectionId', sent))
  t.strictSame(child(none, 'Search:Result')?.content, [])
  t.equal(child(none, 'Search:Range'), undefined)
})

void t.test('searches people, and knows no other store', async (t) => {
  const { phone } = await setUp(t)
  const search = async (name: string, words: string) => {
    const store = el('Search:Store', el('Search:Name', name), el('Search:Query', words))
    return child(
      child((await phone.send('Search', el('Search:Search', store))).root, 'Search:Response'),
      'Search:Store',
    )
  }
  const properties = child(child(await search('GAL', 'brow'), 'Search:Result'), 'Search:Properties')
  t.equal(textAt(properties, 'Gal:EmailAddress'), 'bob@example.com')
  t.equal(textAt(properties, 'Gal:LastName'), 'Brown')
  t.equal(textAt(await search('DocumentLibrary', 'x'), 'Search:Status'), '2')
  t.equal(textAt((await phone.send('Search', el('Search:Search'))).root, 'Search:Status'), '2')
})

void t.test('finds mail at 16.1 only', async (t) => {
  const { phone } = await setUp(t, '16.1')
  const query = el('Find:Query', el('AirSync:Class', 'Email'), el('Find:FreeText', 'lift'))
  const criterion = el('Find:MailBoxSearchCriterion', query, el('Find:Options', el('Find:Range', '0-4')))
  const request = el('Find:Find', el('Find:SearchId', '1'), el('Find:ExecuteSearch', criterion))
  const { root } = await phone.send('Find', request)
  t.equal(textAt(root, 'Find:Status'), '1')
  const result = child(child(root, 'Find:Response'), 'Find:Result')
  t.equal(textAt(result, 'Find:Properties', 'Email:Subject'), 'Lift out of service on Thursday')
  t.equal(textAt(result, 'Find:Properties', 'Find:HasAttachments'), '1')
  const before = new Phone({ url: phone.options.url, version: '14.1' })
  t.equal(textAt((await before.send('Find', request)).root, 'Find:Status'), '137')
})

void t.test('estimates what a Sync would bring, and says 2, 3 and 4 where it can not', async (t) => {
  const { phone, inbox } = await setUp(t)
  const estimate = async (id: string, key: string, asking = phone) => {
    const collection = el(
      'GetItemEstimate:Collection',
      el('AirSync:SyncKey', key),
      el('GetItemEstimate:CollectionId', id),
    )
    const request = el('GetItemEstimate:GetItemEstimate', el('GetItemEstimate:Collections', collection))
    return child((await asking.send('GetItemEstimate', request)).root, 'GetItemEstimate:Response')
  }
  const count = ['GetItemEstimate:Collection', 'GetItemEstimate:Estimate'] as const
  t.equal(textAt(await estimate('99', '0'), 'GetItemEstimate:Status'), '2')
  t.equal(textAt(await estimate(inbox, '0'), 'GetItemEstimate:Status'), '3')
  const key = await phone.prime(inbox)
  t.equal(textAt(await estimate(inbox, '1'), 'GetItemEstimate:Status'), '4')
  t.equal(textAt(await estimate(inbox, key), ...count), '3')
  const page = await phone.sync(inbox, key, el('AirSync:WindowSize', '2'))
  t.equal(commandsOf(page).length, 2)
  t.equal(textAt(await estimate(inbox, keyOf(page)), ...count), '1')
  t.equal(textAt(await estimate(inbox, key), ...count), '3', 'the step before, whose answer may be lost')
  const old = new Phone({ url: phone.options.url, version: '12.0', deviceId: 'OLD' })
  const withClass = await estimate(inbox, await old.prime(inbox), old)
  t.equal(textAt(withClass, 'GetItemEstimate:Collection', 'GetItemEstimate:Class'), 'Email')
})

void t.test('resolves names, has no meeting requests and trusts no certificate', async (t) => {
  const { phone } = await setUp(t)
  const names = ['carol', 'nobody', ''].map((name) => el('ResolveRecipients:To', name))
  const resolved = await phone.send('ResolveRecipients', el('ResolveRecipients:ResolveRecipients', ...names))
  const responses = children(resolved.root, 'ResolveRecipients:Response')
  t.strictSame(
    responses.map((response) => textAt(response, 'ResolveRecipients:Status')),
    ['1', '4', '2'],
  )
  t.equal(
    textAt(responses[0], 'ResolveRecipients:Recipient', 'ResolveRecipients:EmailAddress'),
    'carol@example.com',
  )
  const meeting = el('MeetingResponse:Request', el('MeetingResponse:RequestId', '5:1'))
  const met = await phone.send('MeetingResponse', el('MeetingResponse:MeetingResponse', meeting))
  t.equal(textAt(met.root, 'MeetingResponse:Result', 'MeetingResponse:Status'), '2')
  const certificates = el('ValidateCert:Certificates', el('ValidateCert:Certificate', 'MIIB'))
  const validated = await phone.send('ValidateCert', el('ValidateCert:ValidateCert', certificates))
  t.equal(textAt(validated.root, 'ValidateCert:Status'), '1')
  t.equal(textAt(validated.root, 'ValidateCert:Certificate', 'ValidateCert:Status'), '4')
})
