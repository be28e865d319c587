import t from 'tap'
import { wireClient } from '../../support/http-answer.ts'
import { passthroughPair, passthroughRequest } from '../../support/passthrough-proxy.ts'

void t.test(
  'drops the headers and cookies that steer Exchange, and sets its own, T-16, T-28, T-29, T-37, T-42, T-43',
  async (t) => {
    const { upstream, proxy } = await passthroughPair(t)
    // prettier-ignore
    const dropped = [
    'X-Original-URL: /ecp', 'X-Rewrite-URL: /ecp', 'X-HTTP-Method: DELETE', 'X-HTTP-Method-Override: DELETE',
    'X-Method-Override: DELETE', 'X-BEResource: ex2', 'X-AnonResource: true', 'X-AnonResource-Backend: ex2',
    'X-CommonAccessToken: x', 'X-IsFromCafe: 1', 'X-SourceCafeServer: x', 'msExchLogonMailbox: x', 'X-MSExchangeX: x',
    'X-Rps-CAT: x', 'X_BEResource: ex2', 'X.BEResource: ex2', 'Forwarded: for=203.0.113.7', 'X-Forwarded-For: 203.0.113.7',
    'X-Forwarded-Host: evil.example', 'X-Forwarded-Proto: gopher', 'X-Real-IP: 203.0.113.7', 'X-ARR-ClientCert: x',
    'Proxy-Authorization: x', 'Proxy-Connection: x', 'Keep-Alive: timeout=5', 'TE: trailers', 'Trailer: X-A', 'X-Hop: x',
    'Connection: keep-alive, X-Hop', 'HTTP2-Settings: x', '__proto__: x',
  ]
    const kept = [
      'X-AnchorMailbox: a@b',
      'X-OWA-CANARY: x',
      'X-Two: a',
      'X-Two: b',
      'Authorization: Negotiate abc',
      'constructor: x',
    ]
    const cookies =
      'cadata=1; X-BEResource=ex2; x-beresource =ex2; a=b, SecurityToken=x; X-AnonResource=1;X-AnonResource-Backend=ex2; UC=2'
    const client = await wireClient(t, proxy.port)
    client.write(passthroughRequest('/owa/x', [...dropped, ...kept, `Cookie: ${cookies}`]))
    t.equal((await client.answer()).status, 200)
    const [received] = upstream.requests
    const lines = (received?.rawHeaders ?? []).flatMap((name, index, all) =>
      index % 2 === 0 ? [`${name.toLowerCase()}: ${all[index + 1]}`] : [],
    )
    t.strictSame(lines.toSorted(), [
      'authorization: Negotiate abc',
      'connection: keep-alive',
      'constructor: x',
      'cookie: cadata=1; UC=2',
      'host: mail.example.com',
      'x-anchormailbox: a@b',
      'x-forwarded-for: 127.0.0.1',
      'x-forwarded-host: mail.example.com',
      'x-forwarded-proto: http',
      'x-owa-canary: x',
      'x-two: a',
      'x-two: b',
    ])
    for (const [index, refused] of ['Connection: Cookie', 'Transfer-Encoding: gzip, chunked'].entries()) {
      const other = await wireClient(t, proxy.port)
      other.write(passthroughRequest('/owa/x', [refused], 'POST'))
      t.equal((await other.answer()).status, 400, refused)
      t.match(await proxy.outcome(index + 1), { code: 'EAS_FRAMING_INVALID' })
    }
  },
)

void t.test('tells no inner names, and leads redirects back here, T-43', async (t) => {
  const { upstream, proxy } = await passthroughPair(t, (_request, res) => {
    res.writeHead(302, {
      Location: `${upstream.url}/owa/auth/logon.aspx?url=x#y`,
      Server: 'Microsoft-IIS/10.0',
      'X-Powered-By': 'ASP.NET',
      'X-BEServer': 'EX2',
      'X-FEServer': 'EX1',
      'X-CalculatedBETarget': 'ex2.corp.local',
      'X-DiagInfo': 'EX2',
      'Set-Cookie': ['a=1', 'b=2; path=/; HttpOnly'],
      Connection: 'keep-alive, X-Hop',
      'X-Hop': 'x',
      'Proxy-Authenticate': 'x',
      'X-OWA-Version': '15.2',
    })
    res.end()
  })
  const client = await wireClient(t, proxy.port)
  client.write(passthroughRequest('/owa/x'))
  const answer = await client.answer()
  t.equal(answer.status, 302)
  t.equal(answer.header('location'), `https://mail.example.com/owa/auth/logon.aspx?url=x#y`)
  t.equal(answer.header('set-cookie'), 'a=1, b=2; path=/; HttpOnly')
  t.equal(answer.header('x-owa-version'), '15.2')
  t.notMatch(answer.headerLines.join('\n'), /EX1|EX2|IIS|ASP\.NET|X-Hop|Proxy-/i)
})
