import type { Test } from 'tap'
import t from 'tap'
import { request } from 'undici'
import { demoUsers } from '#simulator/demo.ts'
import type { Simulator, SimulatorOptions } from '#simulator/exchange.ts'
import { createSimulator } from '#simulator/exchange.ts'
import { Phone, folderSyncRequest, pingRequest, textAt } from '../support/simulated-phone.ts'

async function setUp(
  t: Test,
  options: Partial<SimulatorOptions> = {},
): Promise<{ simulator: Simulator; url: string }> {
  const users = [
    ...demoUsers(Date.now()),
    { upn: 'jürgen@example.com', domain: 'EXAMPLE', password: 'größe' },
  ]
  const simulator = createSimulator({ users, requireProvisioning: false, ...options })
  const { url } = await simulator.listen()
  t.teardown(() => simulator.close())
  return { simulator, url }
}

async function ask(
  url: string,
  method: 'OPTIONS' | 'GET' | 'POST',
  headers: Readonly<Record<string, string>> = {},
  body: string | null = null,
) {
  const response = await request(url, { method, headers, body })
  return { status: response.statusCode, headers: response.headers, body: await response.body.text() }
}

function basic(user: string, password: string, encoding: 'utf8' | 'latin1' = 'utf8') {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`, encoding).toString('base64')}` }
}

function discovery(address: string) {
  const schema = 'http://schemas.microsoft.com/exchange/autodiscover/mobilesync'
  return (
    `<?xml version="1.0"?><Autodiscover xmlns="${schema}/requestschema/2006"><Request>` +
    `<EMailAddress>${address}</EMailAddress>` +
    `<AcceptableResponseSchema>${schema}/responseschema/2006</AcceptableResponseSchema></Request></Autodiscover>`
  )
}

const eas = '/Microsoft-Server-ActiveSync'

void t.test('tells versions and commands by OPTIONS, to who has a password', async (t) => {
  const { url } = await setUp(t)
  for (const name of ['alice@example.com', 'EXAMPLE\\alice', 'alice', 'ALICE@EXAMPLE.COM']) {
    const answer = await ask(url + eas, 'OPTIONS', basic(name, 'demo'))
    t.equal(answer.status, 200, name)
    t.equal(answer.headers['ms-server-activesync'], '15.2')
    t.equal(answer.headers['ms-asprotocolversions'], '2.0,2.1,2.5,12.0,12.1,14.0,14.1,16.0,16.1')
    t.match(answer.headers['ms-asprotocolcommands'], /^Sync,SendMail,.*,ValidateCert,Find$/)
    t.equal(answer.headers.allow, 'OPTIONS,POST')
    t.equal(answer.headers['content-length'], '0')
  }
  const old = await setUp(t, { serverVersion: '14.3' })
  const answer = await ask(old.url + eas, 'OPTIONS', basic('alice', 'demo'))
  t.equal(answer.headers['ms-asprotocolversions'], '2.0,2.1,2.5,12.0,12.1,14.0,14.1')
  t.match(answer.headers['ms-asprotocolcommands'], /,ValidateCert$/)
})

void t.test('challenges as IIS does, with Bearer in front where that is set', async (t) => {
  const { url } = await setUp(t, { realm: 'mail.example.com' })
  for (const headers of [
    {},
    basic('alice', 'wrong'),
    basic('nobody', 'demo'),
    { authorization: 'Bearer ' },
  ]) {
    const answer = await ask(url + eas, 'OPTIONS', headers)
    t.equal(answer.status, 401)
    t.strictSame(answer.headers['www-authenticate'], ['Negotiate', 'NTLM', 'Basic realm="mail.example.com"'])
  }
  const bearerChallenge = 'Bearer client_id="c", authorization_uri="https://login.example.com/authorize"'
  const modern = await setUp(t, { bearerChallenge, bearerTokens: new Map([['tok.en', 'bob@example.com']]) })
  const refused = await ask(modern.url + eas, 'OPTIONS', { authorization: 'Bearer other' })
  t.equal(refused.headers['www-authenticate']?.[0], bearerChallenge)
  t.equal((await ask(modern.url + eas, 'OPTIONS', { authorization: 'Bearer tok.en' })).status, 200)
  t.equal(modern.simulator.requests.at(-1)?.user, 'bob@example.com')
})

void t.test('reads Basic in UTF-8 and in Latin-1', async (t) => {
  const { url } = await setUp(t)
  t.equal((await ask(url + eas, 'OPTIONS', basic('jürgen@example.com', 'größe'))).status, 200)
  t.equal((await ask(url + eas, 'OPTIONS', basic('jürgen@example.com', 'größe', 'latin1'))).status, 200)
})

void t.test(
  'refuses a wrong password slowly, a right one at once, and neither waits for the other',
  async (t) => {
    const { url } = await setUp(t, { loginDelayMs: 300 })
    const begun = performance.now()
    let refused = false
    const wrong = ask(url + eas, 'OPTIONS', basic('alice', 'wrong')).then((answer) => {
      refused = true
      return answer
    })
    await ask(url + eas, 'OPTIONS', basic('alice', 'demo'))
    t.equal(refused, false)
    t.equal((await wrong).status, 401)
    t.ok(performance.now() - begun >= 290)
  },
)

void t.test('tells its health, takes the path in any case, and knows no other path or method', async (t) => {
  const { url } = await setUp(t)
  const health = await ask(`${url}${eas}/healthcheck.htm`, 'GET')
  t.equal(health.status, 200)
  t.equal(health.body, `200 OK<br/>${new URL(url).host}`)
  const user = basic('alice', 'demo')
  for (const path of ['/microsoft-server-activesync', `${eas}/default.eas`, `${eas}/Proxy/default.eas`]) {
    t.equal((await ask(url + path, 'OPTIONS', user)).status, 200, path)
  }
  t.equal((await ask(`${url}/owa`, 'GET', user)).status, 404)
  t.equal((await ask(url + eas, 'GET', user)).status, 501)
})

void t.test('serves the owner of the credential, whatever User= says', async (t) => {
  const { url, simulator } = await setUp(t)
  const headers = { ...basic('alice', 'demo'), 'ms-asprotocolversion': '14.1' }
  const query = 'Cmd=FolderSync&User=bob&DeviceId=D1&DeviceType=iPhone'
  await ask(`${url}${eas}?${query}`, 'POST', headers)
  t.ok(simulator.device('alice', 'D1'))
  t.equal(simulator.device('bob', 'D1'), undefined)
})

void t.test('refuses versions and commands that it does not offer, in the body from 14.0', async (t) => {
  const { url } = await setUp(t, { protocolVersions: ['14.1', '16.1'] })
  const send = async (version: string) =>
    new Phone({ url, version }).send('FolderSync', folderSyncRequest('0'))
  t.equal((await send('12.1')).status, 400)
  t.equal(textAt((await send('14.0')).root, 'FolderHierarchy:Status'), '138')
  t.equal(textAt((await send('14.1')).root, 'FolderHierarchy:Status'), '1')
})

void t.test('refuses bodies that are no WBXML or of another command', async (t) => {
  const { url } = await setUp(t)
  const status = async (version: string, body: Parameters<Phone['send']>[1]) => {
    const reply = await new Phone({ url, version }).send('FolderSync', body)
    return textAt(reply.root, 'FolderHierarchy:Status') ?? `HTTP ${reply.status}`
  }
  t.equal(await status('14.1', Buffer.from('nonsense')), '102')
  t.equal(await status('12.1', Buffer.from('nonsense')), 'HTTP 400')
  t.equal(await status('14.1', pingRequest(60, '5')), '103')
})

void t.test('answers Autodiscover with its own URL: XML to its user, JSON to anybody', async (t) => {
  const { url } = await setUp(t)
  const xml = `${url}/autodiscover/autodiscover.xml`
  t.equal((await ask(xml, 'POST', {}, discovery('alice@example.com'))).status, 401)
  const user = basic('alice', 'demo')
  const found = await ask(
    `${url}/Autodiscover/Autodiscover.xml`,
    'POST',
    user,
    discovery('alice@example.com'),
  )
  t.equal(found.status, 200)
  t.match(found.headers['content-type'], 'text/xml')
  t.match(found.body, `<Url>${url}${eas}</Url>`)
  t.match(found.body, '<Type>MobileSync</Type>')
  t.match((await ask(xml, 'POST', user, discovery('bob@example.com'))).body, '<Error>')
  t.match((await ask(xml, 'POST', user, 'nonsense')).body, '<Error>')

  const json = `${url}/autodiscover/autodiscover.json`
  const answer = await ask(`${json}?Email=alice%40example.com&Protocol=ActiveSync&RedirectCount=1`, 'GET')
  t.strictSame(JSON.parse(answer.body), { Protocol: 'ActiveSync', Url: url + eas })
  t.equal((await ask(`${json}?Email=x%40example.com&Protocol=ActiveSync`, 'GET')).status, 404)
  t.equal((await ask(`${json}?Email=alice%40example.com&Protocol=EWS`, 'GET')).status, 400)
})

void t.test('fails and dawdles as told, then works again', async (t) => {
  const { url, simulator } = await setUp(t)
  const user = basic('alice', 'demo')
  simulator.failNext(2, 451, { 'X-MS-Location': 'https://other.example.com/Microsoft-Server-ActiveSync' })
  simulator.failNext(1, 503, { 'Retry-After': '5' })
  for (let i = 0; i < 2; i++) {
    const moved = await ask(url + eas, 'OPTIONS', user)
    t.equal(moved.status, 451)
    t.equal(moved.headers['x-ms-location'], 'https://other.example.com/Microsoft-Server-ActiveSync')
  }
  t.equal((await ask(`${url}${eas}/healthcheck.htm`, 'GET')).status, 200, 'health checks take no fault away')
  t.equal((await ask(url + eas, 'OPTIONS', user)).headers['retry-after'], '5')
  simulator.delayNext(1, 200)
  const begun = performance.now()
  t.equal((await ask(url + eas, 'OPTIONS', user)).status, 200)
  t.ok(performance.now() - begun >= 190)
})

void t.test('records what reached it, refused requests too, the last thousand', async (t) => {
  const { url, simulator } = await setUp(t, { now: () => 1_700_000_000_000 })
  await ask(`${url}${eas}?Cmd=Sync&User=x&DeviceId=D1&DeviceType=iPhone`, 'POST', {
    ...basic('mallory', 'x'),
    'x-test': 'y',
  })
  t.match(simulator.requests, [
    {
      method: 'POST',
      url: `${eas}?Cmd=Sync&User=x&DeviceId=D1&DeviceType=iPhone`,
      headers: { 'x-test': 'y' },
      user: 'mallory',
      deviceId: 'D1',
      command: 'Sync',
      at: 1_700_000_000_000,
    },
  ])
  await ask(`${url}/?%ff`, 'GET')
  t.match(simulator.requests[1], { user: undefined, deviceId: undefined, command: undefined })
  for (let i = 0; i < 1000; i++) await ask(`${url}/${i}`, 'GET')
  t.equal(simulator.requests.length, 1000)
  t.equal(simulator.requests[0]?.url, '/0')
})
