import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { startNode, writeConfig } from '../support/node-process.ts'
import { el, folderSyncRequest, Phone } from '../support/simulated-phone.ts'

const password = 'PLANTED-password-7f3a'
const policyKey = 3_141_592_653
const adminToken = 'PLANTED-admin-token-91c2'
const metricsToken = 'PLANTED-metrics-token-55e0'
const mailText = 'PLANTED mail body 2b7e'
const cookie = 'PLANTED-cookie-6d1f'

/** An access token of alice, as Exchange Online's clients send; its signature is the secret. */
const signature = 'PLANTED-signature-0c4d'
const bearer = [{ alg: 'none' }, { upn: 'alice@example.com', aud: 'https://outlook.office365.com' }]
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.')
  .concat(`.${signature}`)

/** Every form in which a secret could stand in a text. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret)
  // base64 at each of the three places that a text can have in a longer one
  const encoded = ['', 'x', 'xx'].map((before) => {
    const whole = Buffer.from(before + secret).toString('base64')
    return whole.slice(before === '' ? 0 : 4, whole.length - 4)
  })
  return [secret, encodeURIComponent(secret), bytes.toString('hex'), ...encoded]
}

const secrets = [password, adminToken, metricsToken, mailText, cookie, signature, String(policyKey)]

void t.test('no credential, policy key or body appears in any output or file (T-21)', async (t) => {
  const tokens = mkdtempSync(join(tmpdir(), 'easgate-'))
  t.teardown(() => rmSync(tokens, { recursive: true }))
  const [tokenFile, metricsTokenFile] = [join(tokens, 'admin'), join(tokens, 'metrics')]
  writeFileSync(tokenFile, adminToken)
  writeFileSync(metricsTokenFile, metricsToken)
  const configFile = writeConfig(t, {
    admin: JSON.stringify({ address: '127.0.0.1:0', tokenFile, metricsTokenFile }),
    extra: 'log: { level: debug }\nworkers: 2',
  })
  const folder = dirname(configFile)
  const node = await startNode(t, configFile)

  const mime = Buffer.from(
    `From: alice@example.com\r\nTo: bob@example.com\r\nSubject: x\r\n\r\n${mailText}\r\n`,
  )
  const mail = el('ComposeMail:SendMail', el('ComposeMail:ClientId', 'c1'), el('ComposeMail:Mime', mime))
  const answers: string[] = []
  for (const [user, deviceId] of [
    ['alice@example.com', 'ApplDEMOALICE1'],
    ['bob@example.com', 'androidDEMOBOB1'],
    ['carol@example.com', 'ApplDEMOCAROL1'],
    ['EXAMPLE\\alice', 'ApplDEMOALICE1'],
  ] as const) {
    for (const given of [password, 'demo']) {
      for (const form of ['plain', 'base64'] as const) {
        const phone = new Phone({ url: node.proxyUrl, user, deviceId, password: given, form, policyKey })
        const headers = { cookie: `X-BackEndCookie=${cookie}` }
        answers.push((await phone.send('SendMail', mail, { headers })).body.toString('latin1'))
        answers.push(
          (await phone.send('FolderSync', folderSyncRequest('0'), { headers })).body.toString('latin1'),
        )
        if (given === 'demo') await phone.provision()
      }
    }
  }
  const basic = Buffer.from(`alice@example.com:${password}`).toString('base64')
  for (const head of [
    `POST /Microsoft-Server-ActiveSync?Cmd=Sync&User=alice&DeviceId=X1&DeviceType=T HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${bearer}\r\nContent-Length: 0`,
    `POST /Microsoft-Server-ActiveSync?Cmd=Nonsense HTTP/1.1\r\nHost: x\r\nAuthorization: Basic ${basic}\r\nContent-Length: 0`,
    `POST /Microsoft-Server-ActiveSync?Cmd=Sync&User=alice&DeviceId=X1&DeviceType=T HTTP/1.1\r\nHost: x\r\nAuthorization: Basic ${basic}!\r\nContent-Length: 0`,
    `POST /Microsoft-Server-ActiveSync?Cmd=Sync&User=alice&DeviceId=X1&DeviceType=T HTTP/1.1\r\nHost: x\r\nX-MS-PolicyKey: ${policyKey}${policyKey}\r\nContent-Length: 0`,
    `OPTIONS /Microsoft-Server-ActiveSync HTTP/1.1\r\nHost: x\r\nAuthorization: Basic ${basic}`,
    `GET /owa HTTP/1.1\r\nHost: x\r\nAuthorization: Basic ${basic}\r\nCookie: a=${cookie}`,
    `POST /autodiscover/autodiscover.xml HTTP/1.1\r\nHost: x\r\nAuthorization: Basic ${basic}\r\nContent-Length: ${mime.length}`,
    `NONSENSE ${basic} HTTP/1.1\r\nAuthorization: Basic ${basic}`,
  ]) {
    const socket = createConnection(Number(new URL(node.proxyUrl).port), '127.0.0.1')
    socket.end(`${head}\r\nConnection: close\r\n\r\n${mime.toString()}`)
    answers.push(await text(socket))
  }
  await node.admin('GET', '/api/devices')
  answers.push((await node.admin('POST', '/api/facts', { user: adminToken })).text)
  for (const token of [adminToken, metricsToken]) {
    const { status, body } = await fetchMetrics(node.adminUrl, token)
    t.equal(status, 200)
    answers.push(body)
  }
  t.equal(await node.stop(), 0)

  const lines = node.written()
  t.ok(lines.filter((line) => line.includes('"msg":"request"')).length > 40, 'the run has a log')
  const files = readdirSync(folder).filter((name) => name.startsWith('easgate.db'))
  t.ok(files.length > 0)
  const outputs = [
    ...lines,
    ...answers,
    ...files.map((name) => readFileSync(join(folder, name), 'latin1')),
  ].map((output) => output.toLowerCase())
  for (const secret of secrets) {
    for (const form of formsOf(secret)) {
      const leak = outputs.find((output) => output.includes(form.toLowerCase()))
      t.equal(leak?.slice(0, 300), undefined, `${secret} as ${form}`)
    }
  }
  for (const line of lines) if (line.startsWith('{')) t.doesNotThrow(() => JSON.parse(line), 'a line of JSON')
})

async function fetchMetrics(adminUrl: string, token: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`${adminUrl}/metrics`, { headers: { authorization: `Bearer ${token}` } })
  return { status: response.status, body: await response.text() }
}
