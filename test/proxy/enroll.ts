import t, { type Test } from 'tap'
import type { LookUpOutcome } from '#directory/facts-source.ts'
import type { FactsRecord } from '#directory/record.ts'
import type { Store } from '#directory/store.ts'
import { createEnrollmentLinks } from '#enrollment/links.ts'
import { sighting } from '../support/directory-store.ts'
import { wireClient, type WireAnswer } from '../support/http-answer.ts'
import { recordingUpstream } from '../support/recording-upstream.ts'
import { enrollmentKey, testProxy, type TestProxySettings } from '../support/test-proxy.ts'

const alice = { user: 'alice@example.com', deviceId: 'ApplA', enrolled: true, registered: true } as const
const noncompliant: FactsRecord = {
  ...alice,
  complianceState: 'noncompliant',
  platform: 'iOS',
  model: 'iPhone 15',
}
const compliant: FactsRecord = { ...alice, complianceState: 'compliant' }
const now = Date.UTC(2026, 0, 15)
const home = '/easgate/enroll/'

/** A proxy before which alice's phone came once, and a browser. */
async function opened(t: Test, settings: Partial<TestProxySettings> = {}) {
  const upstream = await recordingUpstream(t)
  const proxy = await testProxy(t, {
    servers: [upstream.url],
    policy: { conditionalAccess: { onPremises: { noncompliant: 'quarantine' } } },
    facts: [noncompliant],
    enrollment: { url: 'https://mdm.example.com/', urls: { iOS: 'https://mdm.example.com/ios?a=1&b=2' } },
    now: () => now,
    ...settings,
  })
  await proxy.store.recordSightings([sighting()])
  const links = createEnrollmentLinks({
    key: enrollmentKey,
    publicUrl: () => home,
    linkDays: 14,
    seenPair: (id) => proxy.store.seenPair(id),
  })
  const request = async (method: string, path: string, more: readonly string[] = [], body = '') => {
    const client = await wireClient(t, proxy.port)
    const length = method === 'POST' ? [`Content-Length: ${body.length}`] : []
    const head = [`${method} ${path} HTTP/1.1`, 'Host: mail.example.com', ...length, ...more]
    client.write(`${head.join('\r\n')}\r\n\r\n${body}`)
    return client.answer()
  }
  return {
    proxy,
    upstream,
    link: links.linkFor(alice.user, 'appla', now),
    get: (path: string, more: readonly string[] = []) => request('GET', path, more),
    post: (path: string, body: string, more: readonly string[] = []) =>
      request('POST', path, ['Content-Type: application/x-www-form-urlencoded', ...more], body),
    request,
  }
}

/** Without the white space between tags. */
const textOf = ({ body }: WireAnswer): string => body.toString().replaceAll(/>\s+</g, '><')

const answered = async () => 'answered' as const

/** The value of the hidden field that says what the page showed. */
const shownStanding = (page: WireAnswer): string => /name="was" value="([^"]*)"/.exec(textOf(page))?.[1] ?? ''

void t.test(
  'the link of the message shows the device, what is wrong, and the way to enrolment',
  async (t) => {
    const { proxy, upstream, link, get } = await opened(t)
    const page = await get(link)
    t.equal(page.status, 200)
    const text = textOf(page)
    t.match(text, '<dd>iPhone 15</dd>')
    t.match(text, '<dd>iOS 17.4</dd>')
    t.match(text, 'does not meet a rule of your organisation')
    t.match(text, 'href="https://mdm.example.com/ios?a=1&amp;b=2"')
    t.notMatch(text, /alice|appla/i, 'who has the link learns no name of it')
    t.match(await proxy.outcome(0), { action: 'allow', status: 200 })
    t.equal(upstream.requests.length, 0)
  },
)

void t.test('nothing of it is kept, framed or passed on', async (t) => {
  const { link, get } = await opened(t)
  const page = await get(link)
  t.equal(page.header('cache-control'), 'no-store')
  t.equal(page.header('x-frame-options'), 'DENY')
  t.equal(page.header('referrer-policy'), 'no-referrer')
  t.match(page.header('content-security-policy'), "default-src 'none'")
  t.equal(page.header('set-cookie'), undefined)
})

void t.test('it speaks the language that the browser wants', async (t) => {
  const { link, get } = await opened(t)
  const page = await get(link, ['Accept-Language: pt, de-CH;q=0.9, en;q=0.8'])
  t.match(textOf(page), '<html lang="de">')
  t.match(textOf(page), 'Dieses Gerät erfüllt eine Regel Ihrer Organisation nicht.')
})

void t.test(
  'a forged link, an unknown pair and a device with mail give one page, byte for byte',
  async (t) => {
    const { proxy, link, get } = await opened(t)
    const forged = await get(`${home}${'A'.repeat(44)}`)
    t.equal(forged.status, 404)
    t.match(textOf(forged), 'This link no longer works.')
    const short = await get(`${home}x`)
    const links = createEnrollmentLinks({
      key: enrollmentKey,
      publicUrl: () => home,
      linkDays: 14,
      seenPair: () => undefined,
    })
    const unknown = await get(links.linkFor('nobody@example.com', 'appla', now))
    const expired = await get(links.linkFor(alice.user, 'appla', now - 40 * 86_400_000))
    await proxy.know(compliant)
    const released = await get(link)
    for (const other of [short, unknown, expired, released]) {
      t.equal(other.status, 404)
      t.equal(textOf(other), textOf(forged))
      t.strictSame(namesOf(other), namesOf(forged))
    }
    t.match(await proxy.outcome(0), { action: 'reject', reason: 'route-closed', status: 404 })
  },
)

const namesOf = ({ headerLines }: WireAnswer) => headerLines.filter((line) => !line.startsWith('Date'))

void t.test('a report-only refusal keeps no mail, and has no page', async (t) => {
  const policy = { conditionalAccess: { onPremises: { mode: 'report-only', noncompliant: 'quarantine' } } }
  const { link, get } = await opened(t, { policy })
  t.equal((await get(link)).status, 404)
})

void t.test('Check again asks the sources for this device and says what came of it', async (t) => {
  const asked: string[] = []
  let found: (store: Store) => Promise<LookUpOutcome> = answered
  const { link, get, post } = await opened(t, {
    lookUpNow: (store, user, deviceId) => {
      asked.push(`${user} ${deviceId}`)
      return found(store)
    },
  })
  const body = `do=check&was=${shownStanding(await get(link))}`
  const same = await post(link, body)
  t.equal(same.status, 200)
  t.match(textOf(same), 'Nothing has changed yet.')
  t.strictSame(asked, ['alice@example.com ApplA'])

  found = async () => 'failed'
  t.match(textOf(await post(link, body)), 'could not be checked just now')

  found = async (store) => {
    await store.upsert('file', [{ ...noncompliant, enrolled: false }])
    return 'answered'
  }
  const other = textOf(await post(link, body))
  t.match(other, 'Something has changed.')
  t.match(other, 'not managed by your organisation yet')

  found = async (store) => {
    await store.upsert('file', [compliant])
    return 'answered'
  }
  const released = textOf(await post(link, body))
  t.match(released, 'Your mail is coming')
  t.notMatch(released, 'iPhone', 'and nothing of the device')
  t.equal(asked.length, 4)
  t.match(textOf(await post(link, body)), 'Your mail is coming', 'also where the news came first')
  t.equal(asked.length, 4, 'without a question')
})

void t.test('what our own policies miss is named, and what was corrected', async (t) => {
  const compliancePolicies = [{ name: 'basics', rules: { passcodeRequired: true, encryptionRequired: true } }]
  const policy = {
    compliancePolicies,
    conditionalAccess: { onPremises: { noncompliant: 'quarantine', postureUnknown: 'quarantine' } },
  }
  const wanting = { ...compliant, passcode: false, encrypted: false }
  const { proxy, link, get, post } = await opened(t, { policy, facts: [wanting] })
  const page = await get(link)
  t.match(textOf(page), '<li>A passcode or a screen lock</li><li>Encrypted storage</li>')
  await proxy.know({ ...wanting, passcode: true })
  const checked = textOf(await post(link, `do=check&was=${shownStanding(page).replaceAll(' ', '+')}`))
  t.match(checked, '<p>Fixed:</p><ul><li>A passcode or a screen lock</li></ul>')
  t.match(checked, '<p>Still missing:</p><ul><li>Encrypted storage</li></ul>')
})

void t.test('a code leads to the same page on another machine', async (t) => {
  const { proxy, link, get, post } = await opened(t)
  const page = await post(link, 'do=code')
  const [, code = ''] = /<p class="code">([0-9A-Z]{5}-[0-9A-Z]{5})<\/p>/.exec(textOf(page)) ?? []
  t.match(textOf(page).replaceAll('<wbr />', ''), `http://127.0.0.1:${proxy.port}${home}`)
  const entered = await post(home, `code=${code.toLowerCase()}`)
  t.equal(entered.status, 303)
  t.equal(entered.header('location'), link)
  t.equal(textOf(await get(entered.header('location') ?? '')), textOf(await get(link)))

  await post(link, 'do=code')
  const old = await post(home, `code=${code}`)
  t.equal(old.status, 404)
  t.match(textOf(old), 'This code does not work.')
  t.match(textOf(old), 'aria-invalid="true"')
  for (const wrong of ['', 'ABC', 'UUUUUUUUUU']) {
    t.equal(textOf(await post(home, `code=${wrong}`)), textOf(old), 'as any other that is not good')
  }
  await proxy.know(compliant)
  t.equal((await post(link, 'do=code')).status, 404, 'none for a device that has its mail')
})

void t.test('five codes a minute may be tried from an address (T-20)', async (t) => {
  const { post, proxy } = await opened(t)
  for (let tries = 0; tries < 5; tries++) t.equal((await post(home, 'code=0000000000')).status, 404)
  const limited = await post(home, 'code=0000000000')
  t.equal(limited.status, 429)
  t.equal(limited.header('retry-after'), '60')
  t.match(textOf(limited), 'Too many tries.')
  t.match(await proxy.outcome(5), { action: 'reject', reason: 'rate-limited' })
})

void t.test('without a link there is one page for everybody', async (t) => {
  const { get, request } = await opened(t)
  const page = await get(home)
  t.equal(page.status, 200)
  t.match(textOf(page), 'Set up your device for mail')
  t.match(textOf(page), 'href="https://mdm.example.com/"')
  t.equal(textOf(await get('/easgate/enroll')), textOf(page))
  const closed: readonly (readonly [method: string, path: string, status: number])[] = [
    ['GET', `${home}x/y`, 404],
    ['GET', `${home}..`, 404],
    ['GET', `${home}%41`, 404],
    ['GET', `${home}?lang=de`, 404],
    ['GET', `${home}${'A'.repeat(65)}`, 404],
    ['PUT', home, 405],
    ['DELETE', home, 405],
  ]
  for (const [method, path, status] of closed) {
    const answer = await request(method, path)
    t.equal(answer.status, status, `${method} ${path}`)
    t.match(answer.header('content-type'), 'text/plain', 'and no page')
  }
  t.equal((await request('PUT', home)).header('allow'), 'GET, HEAD, POST')
})

void t.test('a form is read in one way, and only up to a length', async (t) => {
  const { link, request, post } = await opened(t)
  const refused: readonly (readonly [body: string, status: number])[] = [
    ['', 400],
    ['do', 400],
    ['do=check&do=code', 400],
    ['do=other', 400],
    ['DO=check', 400],
    ['do=%zz', 400],
    ['do=check;was=x', 400],
    [`do=check&was=${'x'.repeat(1100)}`, 413],
  ]
  for (const [body, status] of refused) t.equal((await post(link, body)).status, status, body.slice(0, 30))
  const json = await request('POST', link, ['Content-Type: application/json'], '{"do":"check"}')
  t.equal(json.status, 415)
  t.equal((await request('POST', link, [], 'do=check')).status, 415)
  t.equal((await post(link, 'do=check', ['Expect: 100-continue'])).status, 100)
})
