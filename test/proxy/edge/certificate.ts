import { once } from 'node:events'
import { connect as connectTcp, createServer as createTcpServer, type AddressInfo } from 'node:net'
import { connect, createServer, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { EasError } from '#eas/errors.ts'
import { certificateUser } from '#proxy/edge/certificate.ts'
import {
  certificateMaker,
  type CertificateRequest,
  type TestCertificate,
} from '../../support/certificates.ts'
import { recordingUpstream } from '../../support/recording-upstream.ts'
import { goodRequest, testProxy } from '../../support/test-proxy.ts'

const upn = (name: string) => `1.3.6.1.4.1.311.20.2.3;FORMAT:UTF8,UTF8:${name}`

const cases: readonly [name: string, request: CertificateRequest, login: string | undefined][] = [
  [
    'the UPN goes before every address',
    {
      subject: ['CN=Alice', 'emailAddress=a.subject@example.com'],
      alternatives: [
        'email.1=a.mail@example.com',
        `otherName.1=${upn('Alice@Example.com')}`,
        'DNS.1=example.com',
      ],
    },
    'alice@example.com',
  ],
  [
    'then the address among the alternative names',
    {
      subject: ['CN=Alice', 'emailAddress=a.subject@example.com'],
      alternatives: ['email.1=a.mail@example.com'],
    },
    'a.mail@example.com',
  ],
  [
    'then the address of the subject',
    { subject: ['CN=Alice', 'emailAddress=a.subject@example.com'], alternatives: ['DNS.1=example.com'] },
    'a.subject@example.com',
  ],
  ['a subject alone', { subject: ['emailAddress=a.subject@example.com'] }, 'a.subject@example.com'],
  [
    'one user named twice is one user',
    { subject: ['CN=Alice'], alternatives: ['email.1=alice@example.com', 'email.2=Alice@EXAMPLE.com'] },
    'alice@example.com',
  ],
  [
    'a UPN of other letters',
    { subject: ['CN=J'], alternatives: [`otherName.1=${upn('jürgen@example.com')}`] },
    'jürgen@example.com',
  ],
  [
    'a name in another field passes for none: commas and quotes in URI, directory name and common name',
    {
      subject: ['CN=x, othername:UPN:bob@example.com', 'emailAddress=alice@example.com'],
      alternatives: [
        'URI.1=http://x/, othername:UPN:bob@example.com',
        'URI.2=http://x/", email:bob@example.com, URI:"',
        'dirName.1=directory',
      ],
      sections: '[directory]\nCN=x", othername:UPN:bob@example.com, email:bob@example.com\n',
    },
    'alice@example.com',
  ],
  [
    'a UPN with a comma is one odd name',
    { subject: ['CN=x'], alternatives: [`otherName.1=${upn('x, othername:UPN:bob@example.com')}`] },
    'x, othername:upn:bob@example.com',
  ],
  [
    'another kind of other name is none',
    {
      subject: ['CN=x'],
      alternatives: ['otherName.1=1.2.3.4;UTF8:UPN:bob@example.com', 'email.1=alice@example.com'],
    },
    'alice@example.com',
  ],
  [
    'two UPNs',
    {
      subject: ['CN=x'],
      alternatives: [`otherName.1=${upn('a@example.com')}`, `otherName.2=${upn('b@example.com')}`],
    },
    undefined,
  ],
  [
    'two addresses',
    { subject: ['CN=x'], alternatives: ['email.1=a@example.com', 'email.2=b@example.com'] },
    undefined,
  ],
  [
    'two addresses of the subject',
    { subject: ['0.emailAddress=a@example.com', '1.emailAddress=b@example.com'] },
    undefined,
  ],
  ['nobody', { subject: ['CN=alice@example.com'], alternatives: ['DNS.1=alice.example.com'] }, undefined],
]

void t.test('names the user of a client certificate', async (t) => {
  const maker = certificateMaker()
  if (maker === undefined) {
    t.pass('skipped: no openssl here')
    return
  }
  t.teardown(maker.remove)
  const authority = maker.make({ subject: ['CN=authority'] })
  const read = await reader(t, authority)

  for (const [name, request, login] of cases) {
    const { result } = await read(maker.make({ ...request, issuer: authority }))
    t.equal(result, login ?? 'EAS_AUTHORIZATION_INVALID', name)
  }
  t.equal((await read()).result, undefined, 'no certificate')

  const alice = maker.make({ subject: ['emailAddress=alice@example.com'], issuer: authority })
  const first = await read(alice)
  const second = await read(alice, first.session)
  t.ok(second.reused, 'a resumed session')
  t.equal(second.result, 'alice@example.com', '... still names its user')

  const stranger = maker.make({ subject: ['CN=another authority'] })
  const forged = maker.make({ subject: ['emailAddress=alice@example.com'], issuer: stranger })
  t.equal((await read(forged)).result, 'EAS_AUTHORIZATION_INVALID', 'a certificate of another authority')
  t.equal(
    (await read(maker.make({ subject: ['CN=x'] }))).result,
    'EAS_AUTHORIZATION_INVALID',
    'a self-signed one',
  )
})

void t.test('the listener refuses a request whose certificate does not verify, with a reason', async (t) => {
  const maker = certificateMaker()
  if (maker === undefined) {
    t.pass('skipped: no openssl here')
    return
  }
  t.teardown(maker.remove)
  const authority = maker.make({ subject: ['CN=authority'] })
  const { keyFile, certFile } = maker.make({ subject: ['CN=localhost'], issuer: authority })
  const upstream = await recordingUpstream(t)
  const tls = { keyFile, certFile, clientCaFile: authority.certFile, clientCertificates: 'optional' }
  const { port, outcome } = await testProxy(t, { servers: [upstream.url], listen: { tls } })
  const subject = ['emailAddress=alice@example.com']
  const cases = [
    [undefined, 200],
    [maker.make({ subject, issuer: authority }), 200],
    [maker.make({ subject }), 400],
  ] as const
  for (const [index, [client, status]] of cases.entries()) {
    const socket = connect({
      port,
      rejectUnauthorized: false,
      ...(client && { key: client.key, cert: client.cert }),
    })
    socket.write(goodRequest())
    const [answer] = (await once(socket, 'data')) as [Buffer]
    t.match(answer.toString('latin1'), `HTTP/1.1 ${status} `)
    t.equal((await outcome(index)).code, status === 400 ? 'EAS_AUTHORIZATION_INVALID' : undefined)
    socket.destroy()
  }
  t.equal(upstream.requests.length, 2)
})

void t.test('a connection without TLS names nobody', async (t) => {
  const server = createTcpServer().listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const client = connectTcp((server.address() as AddressInfo).port)
  const [socket] = (await once(server, 'connection')) as [TLSSocket]
  t.equal(certificateUser(socket), undefined)
  client.destroy()
})

/** A server set up as the listener is; gives what it makes of a client's certificate. */
async function reader(t: Test, authority: TestCertificate) {
  const server = createServer({
    key: authority.key,
    cert: authority.cert,
    ca: authority.cert,
    requestCert: true,
    rejectUnauthorized: false,
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  return async (client?: TestCertificate, session?: Buffer) => {
    const accepting = once(server, 'secureConnection') as Promise<[TLSSocket]>
    const socket = connect({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ...(client && { key: client.key, cert: client.cert }),
      ...(session && { session }),
    })
    // with a resumed session no other is issued
    const ticket = session === undefined ? (once(socket, 'session') as Promise<[Buffer]>) : [session]
    const [accepted] = await accepting
    const [issued] = await ticket
    const outcome = { result: resultOf(accepted), session: issued, reused: accepted.isSessionReused() }
    socket.destroy()
    accepted.destroy()
    return outcome
  }
}

function resultOf(socket: TLSSocket): string | undefined {
  try {
    return certificateUser(socket)?.login
  } catch (error) {
    if (error instanceof EasError) return error.code
    throw error
  }
}
