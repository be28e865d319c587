import t from 'tap'
import { rewriteJsonAnswer, rewriteXmlAnswer } from '#proxy/autodiscover/autodiscover-answer.ts'

const ours = 'https://mail.example.com'
const easUrl = `${ours}/Microsoft-Server-ActiveSync`
const schema = 'http://schemas.microsoft.com/exchange/autodiscover'

/** An answer as Exchange writes it, around what stands in `Action`. */
function answerWith(action: string, before = ''): string {
  return (
    '<?xml version="1.0" encoding="utf-8"?>\r\n' +
    `<Autodiscover xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns="${schema}/responseschema/2006">\r\n` +
    `  <Response xmlns="${schema}/mobilesync/responseschema/2006">\r\n    ${before}` +
    `<Culture>en:us</Culture><User><DisplayName>A &amp; B</DisplayName></User>\r\n` +
    `    <Action>${action}</Action>\r\n  </Response>\r\n</Autodiscover>\r\n`
  )
}

function usualAnswer(url: string): string {
  return answerWith(
    `\r\n <Settings><Server><Type>MobileSync</Type>\r\n<Url>${url}</Url><Name>${url}</Name></Server></Settings>`,
  )
}

function mailServer(url: string): string {
  return `<Server><Type>MobileSync</Type><Url>${url}</Url></Server>`
}

void t.test('names us in place of the server, and leaves all else as it came, to the byte', (t) => {
  const inner = 'https://ex1.corp.local/Microsoft-Server-ActiveSync'
  t.equal(rewriteXmlAnswer(usualAnswer(inner), ours), usualAnswer(easUrl))
  t.end()
})

void t.test('rewrites every place where a MobileSync server holds a URL, however it is written', (t) => {
  const wanted = `<Url>${easUrl}</Url>`
  const forms = [
    '<Url>http://ex1/x?a=1&amp;b=2</Url>',
    '<Url><![CDATA[https://ex1/]]></Url>',
    '<Url a="b>c">\r\nhttps://ex1/ </Url>',
    '<Url>ex1.corp.local</Url>',
    '<Url/>',
  ]
  for (const form of forms) {
    const rewritten = rewriteXmlAnswer(
      answerWith(`<Settings><Server>${form}<Type> mobilesync </Type></Server></Settings>`),
      ours,
    )
    t.match(rewritten, `<Server>${wanted}<Type> mobilesync </Type></Server>`, form)
    t.notMatch(rewritten, 'ex1')
  }
  const more = rewriteXmlAnswer(
    answerWith(
      '<Settings><Server><Type>MobileSync</Type><Name>Mail</Name><ServerData>https://ex1/</ServerData></Server></Settings>',
    ),
    ours,
  )
  t.match(more, `<Name>Mail</Name><ServerData>${easUrl}</ServerData>`)
  t.end()
})

void t.test('keeps the prefix of an element', (t) => {
  const text =
    '<Autodiscover xmlns:autodiscover="x"><autodiscover:Response><autodiscover:Action><autodiscover:Settings>' +
    '<autodiscover:Server><autodiscover:Type>MobileSync</autodiscover:Type><autodiscover:Url>https://ex1/</autodiscover:Url>' +
    '</autodiscover:Server></autodiscover:Settings></autodiscover:Action></autodiscover:Response></Autodiscover>'
  t.equal(rewriteXmlAnswer(text, ours), text.replace('https://ex1/', easUrl))
  t.end()
})

void t.test('leaves out servers that are no EAS servers: their URL can neither be ours nor be told', (t) => {
  const certificates =
    '<Server><Type>CertEnroll</Type><Url>https://ca1.corp.local/</Url><ServerData>T</ServerData></Server>'
  const text = answerWith(
    `<Settings>${mailServer('https://ex1/')}${certificates}<Server><Url>https://ex2/</Url></Server></Settings>`,
  )
  t.equal(rewriteXmlAnswer(text, ours), answerWith(`<Settings>${mailServer(easUrl)}</Settings>`))
  t.end()
})

void t.test('passes errors and redirects to another address', (t) => {
  for (const action of [
    '<Redirect>alice@other.example.com</Redirect>',
    '<Error><Status>2</Status><Message>No</Message></Error>',
  ]) {
    t.equal(rewriteXmlAnswer(answerWith(action), ours), answerWith(action))
  }
  const error = `<Autodiscover xmlns="${schema}/responseschema/2006"><Response><Error Time="1" Id="2"><ErrorCode>600</ErrorCode></Error></Response></Autodiscover>`
  t.equal(rewriteXmlAnswer(error, ours), error)
  t.end()
})

void t.test('gives nothing where the client would be led round us, T-27', (t) => {
  const texts: readonly [name: string, text: string][] = [
    ['a redirect to a URL', answerWith('<Redirect>https://evil.example/autodiscover.xml</Redirect>')],
    ['a redirect to a URL in CDATA', answerWith('<Redirect><![CDATA[https://evil.example/]]></Redirect>')],
    ['a redirect URL of another name', answerWith('<RedirectUrl>https://evil.example/</RedirectUrl>')],
    [
      "Outlook's account",
      answerWith('', '<Account><Protocol><EwsUrl>https://ex1/</EwsUrl></Protocol></Account>'),
    ],
    ['two responses', answerWith('').replace('</Autodiscover>', '<Response/></Autodiscover>')],
    ['another root', '<html><body>https://ex1/</body></html>'],
    ['no XML', 'https://ex1/'],
    ['a document type', `<!DOCTYPE a>${answerWith('')}`],
    ['half an answer', answerWith('').slice(0, -20)],
  ]
  for (const [name, text] of texts) t.equal(rewriteXmlAnswer(text, ours), undefined, name)
  t.end()
})

void t.test('escapes our own URL', (t) => {
  const text = answerWith('<Settings><Server><Type>MobileSync</Type><Url>x</Url></Server></Settings>')
  t.match(rewriteXmlAnswer(text, 'https://a&b'), 'https://a&amp;b/Microsoft-Server-ActiveSync')
  t.end()
})

void t.test('gives both members of a JSON answer anew, and none else', (t) => {
  const text = JSON.stringify({ Protocol: 'ActiveSync', Url: 'https://ex1/x', Server: 'ex1', __proto__: 1 })
  t.strictSame(JSON.parse(rewriteJsonAnswer(text, 'ActiveSync', ours) ?? ''), {
    Protocol: 'ActiveSync',
    Url: easUrl,
  })
  t.strictSame(JSON.parse(rewriteJsonAnswer(text, 'AutodiscoverV1', ours) ?? ''), {
    Protocol: 'AutodiscoverV1',
    Url: `${ours}/autodiscover/autodiscover.xml`,
  })
  for (const faulty of ['', 'x', 'null', '[]', '"https://ex1/"', '{}', '{"Url":1}', '{"ErrorCode":"x"}']) {
    t.equal(rewriteJsonAnswer(faulty, 'ActiveSync', ours), undefined, faulty)
  }
  t.end()
})
