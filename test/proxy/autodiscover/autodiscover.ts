import t, { type Test } from 'tap'
import { demoUsers } from '#simulator/demo.ts'
import { createSimulator } from '#simulator/exchange.ts'
import { wireClient, type WireAnswer } from '../../support/http-answer.ts'
import {
  rawUpstream,
  recordingUpstream,
  refusingUrls,
  type RecordingUpstream,
  type Reply,
} from '../../support/recording-upstream.ts'
import { testProxy, type TestProxy, type TestProxySettings } from '../../support/test-proxy.ts'

const schemas = 'http://schemas.microsoft.com/exchange/autodiscover/mobilesync'
const basic = `Basic ${Buffer.from('alice@example.com:demo').toString('base64')}`
const xmlPath = '/autodiscover/autodiscover.xml'
const jsonTarget = '/autodiscover/autodiscover.json?Email=alice@example.com&Protocol=ActiveSync'
const ours = 'https://mail.example.com'

const question = (email: string) =>
  `<?xml version="1.0" encoding="utf-8"?>\n<Autodiscover xmlns="${schemas}/requestschema/2006"><Request>` +
  `<EMailAddress>${email}</EMailAddress><AcceptableResponseSchema>${schemas}/responseschema/2006` +
  '</AcceptableResponseSchema></Request></Autodiscover>'

const xmlAnswer = (action: string) =>
  '<?xml version="1.0" encoding="utf-8"?>\r\n<Autodiscover><Response xmlns="' +
  `${schemas}/responseschema/2006"><Culture>en:us</Culture><Action>${action}</Action></Response></Autodiscover>`

function xmlRequest(body: string, headers: readonly string[] = [`Authorization: ${basic}`]): string {
  const lines = ['Host: mail.example.com', ...headers, `Content-Length: ${Buffer.byteLength(body)}`]
  return `POST ${xmlPath} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`
}

function jsonRequest(target = jsonTarget, headers: readonly string[] = []): string {
  return `GET ${target} HTTP/1.1\r\n${['Host: mail.example.com', ...headers].join('\r\n')}\r\n\r\n`
}

const silence: Reply = () => undefined

async function asked(t: Test, { port }: TestProxy, bytes: string): Promise<WireAnswer> {
  const client = await wireClient(t, port)
  client.write(bytes)
  const answer = await client.answer()
  client.socket.destroy()
  return answer
}

async function opened(
  t: Test,
  reply: Reply,
  settings: Partial<TestProxySettings> = {},
): Promise<{ upstream: RecordingUpstream; proxy: TestProxy }> {
  const upstream = await recordingUpstream(t, reply)
  const listen = { publicUrl: ours }
  return { upstream, proxy: await testProxy(t, { servers: [upstream.url], listen, ...settings }) }
}

void t.test('leads a phone to the proxy, by XML and by JSON, before the simulator', async (t) => {
  const simulator = createSimulator({ users: demoUsers(Date.now()) })
  t.teardown(() => simulator.close())
  const { url } = await simulator.listen()
  const proxy = await testProxy(t, { servers: [url] })
  const own = `http://127.0.0.1:${proxy.port}/Microsoft-Server-ActiveSync`

  const byXml = await asked(t, proxy, xmlRequest(question('alice@example.com')))
  t.equal(byXml.status, 200)
  t.equal(byXml.header('content-type'), 'text/xml; charset=utf-8')
  t.equal(Number(byXml.header('content-length')), byXml.body.length)
  t.match(byXml.body.toString(), `<Url>${own}</Url><Name>${own}</Name>`)
  t.match(byXml.body.toString(), '<EMailAddress>alice@example.com</EMailAddress>')
  t.notMatch(byXml.body.toString(), url)

  const byJson = await asked(t, proxy, jsonRequest())
  t.strictSame(JSON.parse(byJson.body.toString()), { Protocol: 'ActiveSync', Url: own })
  t.match(await proxy.outcome(1), { command: 'Autodiscover', action: 'allow', status: 200 })
  t.equal((await asked(t, proxy, jsonRequest(jsonTarget.replace('alice', 'nobody')))).status, 404)
  const other = await asked(t, proxy, xmlRequest(question('bob@example.com')))
  t.match(other.body.toString(), '<Error><Status>2</Status>', 'an error passes')
})

void t.test('sends on only what it read: constant path, remade body, no cookie, T-27, T-29', async (t) => {
  const { upstream, proxy } = await opened(t, async (request, res) => {
    await request.body()
    res.end(xmlAnswer(''))
  })
  const headers = [
    `authorization: ${basic}`,
    'Content-Type: text/xml; charset=utf-16',
    'Content-Encoding: gzip',
    'Accept-Encoding: gzip',
    'Cookie: X-BackEndCookie=x; Email=autodiscover/autodiscover.json?@evil.example',
    'X-BEResource: evil',
    'User-Agent: Apple-iPhone15C2/2105.219',
  ]
  const body = question(' alice@example.com ').replace('</Request>', '<LegacyDN>/o=evil</LegacyDN></Request>')
  const answer = await asked(
    t,
    proxy,
    xmlRequest(body, headers).replace(xmlPath, '/AutoDiscover/AutoDiscover.XML'),
  )
  t.equal(answer.status, 200)
  const request = await upstream.request(0)
  t.equal(`${request.method} ${request.url}`, `POST ${xmlPath}`)
  const { authorization, cookie, 'user-agent': userAgent, 'content-type': contentType } = request.headers
  t.strictSame([authorization, cookie, contentType], [basic, undefined, 'text/xml; charset=utf-8'])
  t.equal(userAgent, 'Apple-iPhone15C2/2105.219')
  t.equal(request.headers['x-forwarded-for'], '127.0.0.1')
  t.equal(request.headers['x-forwarded-host'], 'mail.example.com')
  t.notMatch(JSON.stringify(request.rawHeaders), /encoding|evil|cookie/i)
  const sent = (await request.body()).toString()
  t.match(sent, '<EMailAddress>alice@example.com</EMailAddress>')
  t.notMatch(sent, 'evil')

  const chunked = xmlRequest('').replace('Content-Length: 0', 'Transfer-Encoding: chunked')
  const chunk = question('alice@example.com')
  t.equal(
    (await asked(t, proxy, `${chunked}${chunk.length.toString(16)}\r\n${chunk}\r\n0\r\n\r\n`)).status,
    200,
  )
  const again = await upstream.request(1)
  t.equal(again.headers['content-length'], String((await again.body()).length))
  t.equal(again.headers['transfer-encoding'], undefined)
})

void t.test(
  'gives the JSON parameters again, one spelling each, and no scheme that needs a connection',
  async (t) => {
    const { upstream, proxy } = await opened(
      t,
      (_request, res) => void res.end('{"Protocol":"x","Url":"https://ex1/"}'),
    )
    const cases: readonly [query: string, authorization: string | undefined, sent: string][] = [
      [
        'Email=alice@example.com&Protocol=ActiveSync',
        undefined,
        'Email=alice@example.com&Protocol=ActiveSync',
      ],
      [
        'RedirectCount=1&protocol=activesync&EMAIL=a%40b.example',
        basic,
        'Email=a@b.example&Protocol=ActiveSync&RedirectCount=1',
      ],
      [
        'Email=a%2bb%40c.example&Protocol=AutodiscoverV1',
        'Negotiate abc',
        'Email=a%2Bb@c.example&Protocol=AutodiscoverV1',
      ],
      ['Email=a@c.example&Protocol=ActiveSync', 'Bearer', 'Email=a@c.example&Protocol=ActiveSync'],
    ]
    for (const [index, [query, authorization, sent]] of cases.entries()) {
      const headers = authorization === undefined ? [] : [`Authorization: ${authorization}`]
      const answer = await asked(t, proxy, jsonRequest(`/autodiscover/autodiscover.json?${query}`, headers))
      const request = await upstream.request(index)
      t.equal(`${request.method} ${request.url}`, `GET /autodiscover/autodiscover.json?${sent}`)
      t.equal(request.headers.authorization, authorization === 'Negotiate abc' ? undefined : authorization)
      const path = sent.includes('V1') ? xmlPath : '/Microsoft-Server-ActiveSync'
      t.match(JSON.parse(answer.body.toString()), { Url: `${ours}${path}` })
    }
  },
)

void t.test('asks nobody where the request is not exactly the known one, T-27', async (t) => {
  const { upstream, proxy } = await opened(t, (_request, res) => void res.end())
  const doctype = question('alice@example.com').replace(
    '<Autodiscover',
    '<!DOCTYPE a [<!ENTITY x "y">]><Autodiscover',
  )
  const outlook = question('alice@example.com').replaceAll('mobilesync', 'outlook')
  const requests: readonly [bytes: string, status: number, code: string][] = [
    [xmlRequest(doctype), 400, 'EAS_AUTODISCOVER_INVALID'],
    [xmlRequest(outlook), 400, 'EAS_AUTODISCOVER_INVALID'],
    [xmlRequest('x'), 400, 'EAS_AUTODISCOVER_INVALID'],
    [xmlRequest(question('x').replace('x', ' '.repeat(70_000))), 413, 'EAS_BODY_TOO_LARGE'],
    [xmlRequest(question('a@b.example')).replace('.xml', '.xml?x'), 400, 'EAS_QUERY_CHARACTER'],
    [xmlRequest(question('a@b.example')).replace('POST', 'PUT'), 405, 'EAS_METHOD_NOT_ALLOWED'],
    [jsonRequest('/autodiscover/autodiscover.json'), 400, 'EAS_QUERY_MISSING'],
    [
      jsonRequest(
        '/autodiscover/autodiscover.json?@evil.example/mapi/nspi/?&Email=autodiscover/autodiscover.json%3f@evil.example',
      ),
      400,
      'EAS_PARAMETER_UNKNOWN',
    ],
    [
      jsonRequest(
        '/autodiscover/autodiscover.json?Email=autodiscover/autodiscover.json?@evil.example/PowerShell&Protocol=ActiveSync',
      ),
      400,
      'EAS_VALUE_INVALID',
    ],
    [jsonRequest(`${jsonTarget}&Email=alice@example.com`), 400, 'EAS_PARAMETER_REPEATED'],
    [jsonRequest(jsonTarget.replace('ActiveSync', 'EWS')), 400, 'EAS_VALUE_INVALID'],
  ]
  for (const [index, [bytes, status, code]] of requests.entries()) {
    t.equal((await asked(t, proxy, bytes)).status, status, code)
    t.match(await proxy.outcome(index), { reason: 'malformed-request', code })
  }
  const large = 'x'.repeat(40_000)
  const chunk = `${large.length.toString(16)}\r\n${large}\r\n`
  const chunked = xmlRequest('').replace('Content-Length: 0', 'Transfer-Encoding: chunked')
  t.equal(
    (await asked(t, proxy, `${chunked}${chunk}${chunk}0\r\n\r\n`)).status,
    413,
    'a chunked body is counted',
  )
  t.equal(upstream.requests.length, 0)
})

void t.test(
  'relays challenges, and hides every place elsewhere and every text that names us not',
  async (t) => {
    const replies: readonly [name: string, reply: Reply, status: number][] = [
      [
        '401',
        (_request, res) =>
          void res.writeHead(401, { 'WWW-Authenticate': ['Negotiate', 'NTLM', 'Basic realm="x"'] }).end('no'),
        401,
      ],
      [
        '302',
        (_request, res) => void res.writeHead(302, { Location: 'https://ex2/autodiscover' }).end(),
        503,
      ],
      ['451', (_request, res) => void res.writeHead(451, { 'X-MS-Location': 'https://ex2/' }).end(), 503],
      ['403', (_request, res) => void res.writeHead(403, { 'X-Inner': 'ex1' }).end('ex1 says no'), 403],
      ['500', (_request, res) => void res.writeHead(500).end('stack of ex1'), 500],
      ['204', (_request, res) => void res.writeHead(204).end(), 502],
      ['a page', (_request, res) => void res.end('<html><body>ex1</body></html>'), 502],
      [
        "Outlook's answer",
        (_request, res) =>
          void res.end(
            xmlAnswer('').replace('<Culture>', '<Account><EwsUrl>https://ex1/</EwsUrl></Account><Culture>'),
          ),
        502,
      ],
      [
        'a redirect to a URL',
        (_request, res) => void res.end(xmlAnswer('<Redirect>https://ex2/</Redirect>')),
        502,
      ],
      [
        'compressed',
        (_request, res) =>
          void res.writeHead(200, { 'Content-Encoding': 'gzip' }).end(Buffer.from('1f8b0800ff', 'hex')),
        502,
      ],
      ['too large', (_request, res) => void res.end(xmlAnswer(' '.repeat(262_144))), 502],
      [
        'broken off',
        (_request, res) => {
          res.writeHead(200, { 'Content-Length': 100 }).write('x')
          setImmediate(() => res.destroy())
        },
        502,
      ],
      ['broken off at once', (_request, res) => void res.destroy(), 502],
      ['silent', () => undefined, 504],
    ]
    let current = silence
    const { proxy } = await opened(t, (request, res) => current(request, res), {
      limits: { upstreamSeconds: 1 },
    })
    for (const [name, reply, status] of replies) {
      current = reply
      const index = proxy.outcomes.length
      const answer = await asked(t, proxy, xmlRequest(question('alice@example.com')))
      t.equal(answer.status, status, name)
      t.equal(answer.body.length, 0, `${name}: no body`)
      t.notMatch(answer.headerLines.join('\n'), /ex1|ex2|location|NTLM|Negotiate/i)
      if (status === 401) t.equal(answer.header('www-authenticate'), 'Basic realm="x"')
      if (status > 501)
        t.match(await proxy.outcome(index), { action: 'unavailable', reason: 'upstream-unavailable', status })
    }
    current = (_request, res) => void res.end(xmlAnswer('<Redirect>alice@other.example</Redirect>'))
    const redirected = await asked(t, proxy, xmlRequest(question('alice@example.com')))
    t.match(redirected.body.toString(), '<Redirect>alice@other.example</Redirect>', 'another address passes')
  },
)

void t.test('asks the next server only where the dial failed', async (t) => {
  const upstream = await recordingUpstream(t, (_request, res) => void res.end('{"Url":"https://ex1/"}'))
  const first = await testProxy(t, { servers: [...refusingUrls, upstream.url] })
  t.equal((await asked(t, first, jsonRequest())).status, 200)
  t.equal(upstream.requests.length, 1)

  const none = await testProxy(t, { servers: refusingUrls })
  t.equal((await asked(t, none, jsonRequest())).status, 503)

  const breaking = await rawUpstream(t, (socket) => {
    socket.on('data', (chunk: Buffer) => {
      if (chunk.includes('autodiscover')) socket.destroy()
    })
  })
  const both = await testProxy(t, { servers: [breaking.url, breaking.url.replace('127.0.0.1', 'localhost')] })
  t.equal((await asked(t, both, jsonRequest())).status, 502)
})

void t.test('ends the question where the client leaves', async (t) => {
  const { upstream, proxy } = await opened(t, () => undefined)
  const client = await wireClient(t, proxy.port)
  client.write(jsonRequest())
  const request = await upstream.request(0)
  client.socket.destroy()
  await request.gone
  t.match(await proxy.outcome(0), { status: 499 })
})

void t.test('asks for credentials by XML where none came', async (t) => {
  const { upstream, proxy } = await opened(
    t,
    (_request, res) => void res.writeHead(401, { 'WWW-Authenticate': 'Basic realm="x"' }).end(),
  )
  const answer = await asked(t, proxy, xmlRequest(question('alice@example.com'), []))
  t.equal(answer.status, 401)
  t.equal(answer.header('www-authenticate'), 'Basic realm="x"')
  t.equal(upstream.requests[0]?.method, 'OPTIONS', 'by a bare OPTIONS')
})
