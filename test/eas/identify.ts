import t from 'tap'
import { identify } from '#eas/identify.ts'
import { parseRequest } from '#eas/parse.ts'

const rules = { defaultDomain: 'example.com', domains: new Map([['example', 'example.com']]) }

function requestOf(login: string, query: string, headers: readonly string[] = []) {
  const authorization = `Basic ${Buffer.from(`${login}:secret`).toString('base64')}`
  return parseRequest({
    method: 'POST',
    target: `/Microsoft-Server-ActiveSync?${query}`,
    httpVersion: '1.1',
    rawHeaders: ['Host', 'mail.example.com', 'Authorization', authorization, ...headers],
  })
}

const query = 'Cmd=Sync&DeviceId=Nine4383AF346860&DeviceType=Android'

void t.test('the credential names the user; User= is only another name that must not contradict it', (t) => {
  const request = requestOf('EXAMPLE\\alice', `${query}&User=bob@example.com`)
  const { names, otherNames } = identify(request, rules)
  t.strictSame(names, ['alice@example.com', 'example\\alice'])
  t.strictSame(otherNames, [['bob@example.com']])
  t.strictSame(
    identify(requestOf('alice', `${query}&User=alice`), rules).otherNames,
    [],
    'the same spelling is no other',
  )
  t.end()
})

void t.test('a credential that reads in two ways names both (T-16)', (t) => {
  const { names, otherNames } = identify(requestOf('zoë@example.com', query), rules)
  t.strictSame(names, ['zoë@example.com'])
  t.strictSame(otherNames, [['zoã«@example.com']])
  t.end()
})

void t.test('a client certificate is one more name', (t) => {
  const { otherNames } = identify(requestOf('alice', query), rules, { login: 'bob@example.com' })
  t.strictSame(otherNames, [['bob@example.com']])
  t.end()
})

void t.test('without a credential there is no name, whatever User= says', (t) => {
  const request = parseRequest({
    method: 'POST',
    target: `/Microsoft-Server-ActiveSync?${query}&User=alice`,
    httpVersion: '1.1',
    rawHeaders: ['Host', 'mail.example.com'],
  })
  t.strictSame(identify(request, rules).names, [])
  t.end()
})

void t.test('the device is one key in every spelling, and claims go on as they came (T-06)', (t) => {
  const plain = identify(requestOf('alice', query, ['User-Agent', 'Nine-X/1']), rules)
  t.strictSame(plain.claims, { userAgent: 'Nine-X/1', deviceType: 'Android', deviceId: 'Nine4383AF346860' })
  const hex = Buffer.from('Nine4383AF346860').toString('hex')
  const spelledAsHex = identify(requestOf('alice', query.replace('Nine4383AF346860', hex)), rules)
  t.equal(spelledAsHex.deviceKey, plain.deviceKey)
  t.end()
})
