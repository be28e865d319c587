import { once } from 'node:events'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { certificateMaker } from '../../support/certificates.ts'
import { wireClient } from '../../support/http-answer.ts'
import { recordingUpstream } from '../../support/recording-upstream.ts'
import { goodRequest, testProxy } from '../../support/test-proxy.ts'

const version1 = 'PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n'
const version2 = Buffer.concat([
  Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'),
  Buffer.from([0x21, 0x11, 0, 12, 203, 0, 113, 8, 192, 0, 2, 1, 0x12, 0x67, 0x01, 0xbb]),
])
const local = Buffer.concat([version2.subarray(0, 12), Buffer.from([0x20, 0, 0, 0])])

const required = { proxyProtocol: 'required', trustedProxies: ['127.0.0.1'] }

async function opened(t: Test, listen: Readonly<Record<string, unknown>> = required) {
  const upstream = await recordingUpstream(t)
  const proxy = await testProxy(t, { servers: [upstream.url], listen, limits: { headersSeconds: 1 } })
  return { upstream, proxy }
}

void t.test(
  'takes the client address from the header of either version, however it is cut, T-43',
  async (t) => {
    const { upstream, proxy } = await opened(t)
    const ways: readonly [header: string | Buffer, address: string][] = [
      [version1, '203.0.113.7'],
      [version2, '203.0.113.8'],
      [local, '127.0.0.1'],
      ['PROXY UNKNOWN\r\n', '127.0.0.1'],
      ['PROXY TCP6 ::ffff:203.0.113.9 ::1 1 2\r\n', '203.0.113.9'],
    ]
    for (const [header, address] of ways) {
      const bytes = Buffer.concat([Buffer.from(header), Buffer.from(goodRequest())])
      const cuts = [
        [bytes],
        [Buffer.from(header), Buffer.from(goodRequest())],
        [...bytes].map((byte) => Buffer.of(byte)),
      ]
      for (const pieces of cuts) {
        const index = proxy.outcomes.length
        const client = await wireClient(t, proxy.port)
        client.socket.setNoDelay(true)
        for (const piece of pieces) {
          client.write(piece)
          // so that pieces arrive one by one
          await new Promise(setImmediate)
        }
        t.equal((await client.answer()).status, 200)
        t.equal((await proxy.outcome(index)).clientAddress, address)
        t.equal(upstream.requests.at(-1)?.headers['x-forwarded-for'], address)
        client.write(goodRequest())
        t.equal((await client.answer()).status, 200, 'a second request')
        t.equal((await proxy.outcome(index + 1)).clientAddress, address, '... has the same address')
        client.socket.destroy()
      }
    }
  },
)

void t.test('does not believe X-Forwarded-For of a client that the header names', async (t) => {
  const { upstream, proxy } = await opened(t)
  const client = await wireClient(t, proxy.port)
  client.write(
    version1 + goodRequest().replace('Content-Length', 'X-Forwarded-For: 198.51.100.1\r\nContent-Length'),
  )
  await client.answer()
  t.equal(upstream.requests[0]?.headers['x-forwarded-for'], '203.0.113.7')
})

void t.test('ends connections without a header, in time, and counts those that said something', async (t) => {
  const { upstream, proxy } = await opened(t)
  const header = await wireClient(t, proxy.port)
  header.write(goodRequest())
  await t.rejects(header.answer(), 'not a byte is answered')
  t.match(await proxy.outcome(0), { reason: 'malformed-request', code: 'EAS_FRAMING_INVALID', status: 0 })

  const half = await wireClient(t, proxy.port)
  const silent = await wireClient(t, proxy.port)
  half.write(version1.slice(0, 20))
  await Promise.all([half.ended, silent.ended])
  t.equal(proxy.outcomes.length, 2, 'a silent connection is no attempt')
  t.equal(upstream.requests.length, 0)

  const malformed = await wireClient(t, proxy.port)
  malformed.write(`${version1}NONSENSE\r\n\r\n`)
  t.equal((await malformed.answer()).status, 400)
  t.match(
    await proxy.outcome(2),
    { clientAddress: '203.0.113.7' },
    'what follows the header is judged as ever',
  )
})

void t.test('ends connections of peers that are not trusted, whatever they say', async (t) => {
  const { upstream, proxy } = await opened(t, { proxyProtocol: 'required', trustedProxies: ['192.0.2.1'] })
  const client = await wireClient(t, proxy.port)
  client.write(version1 + goodRequest())
  await t.rejects(client.answer())
  t.match(await proxy.outcome(0), { reason: 'malformed-request', clientAddress: '127.0.0.1' })
  t.equal(upstream.requests.length, 0)
})

void t.test('takes a header that was not asked for as the malformed request that it is', async (t) => {
  const { upstream, proxy } = await opened(t, { trustedProxies: ['127.0.0.1'] })
  for (const header of [version1, version2]) {
    const client = await wireClient(t, proxy.port)
    client.write(header)
    client.write(goodRequest())
    t.equal((await client.answer()).status, 400)
  }
  t.equal(upstream.requests.length, 0)
})

void t.test('stands before TLS as well', async (t) => {
  const maker = certificateMaker()
  if (maker === undefined) {
    t.pass('skipped: no openssl here')
    return
  }
  t.teardown(maker.remove)
  const { keyFile, certFile } = maker.make({ subject: ['CN=localhost'] })
  const { upstream, proxy } = await opened(t, { ...required, tls: { keyFile, certFile } })
  for (const [index, header] of [version1, local].entries()) {
    const client = await wireClient(t, proxy.port)
    client.write(header)
    client.socket.removeAllListeners('data')
    const socket: TLSSocket = connectTls({ socket: client.socket, rejectUnauthorized: false })
    socket.write(goodRequest())
    const [answer] = (await once(socket, 'data')) as [Buffer]
    t.match(answer.toString('latin1'), /^HTTP\/1\.1 200 /)
    const address = index === 0 ? '203.0.113.7' : '127.0.0.1'
    t.match(await proxy.outcome(index), { clientAddress: address })
    t.equal(upstream.requests[index]?.headers['x-forwarded-proto'], 'https')
    socket.destroy()
  }
  const plain = await wireClient(t, proxy.port)
  plain.write(version1 + goodRequest())
  await t.rejects(plain.answer(), 'plain text is not answered')
  t.equal(upstream.requests.length, 2)
})

void t.test('close ends the connections at the gate', async (t) => {
  const { proxy } = await opened(t)
  const waiting = await wireClient(t, proxy.port)
  waiting.write('PROXY')
  await new Promise(setImmediate)
  await proxy.proxy.close()
  await waiting.ended
})
