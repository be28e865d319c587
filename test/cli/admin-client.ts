import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { AdminError, createAdminClient } from '#cli/admin-client.ts'
import { run, startConfigured } from '../support/command.ts'

void t.test('presents the token of the config', async (t) => {
  const { configFile, folder } = await startConfigured(t, { token: 'secret' })
  t.equal((await run('devices', 'list', '--config', configFile)).status, 0)
  writeFileSync(join(folder, 'token'), 'another')
  const { status, error } = await run('devices', 'list', '--config', configFile)
  t.equal(status, 1)
  t.equal(error, 'expected Authorization: Bearer and the token of admin.tokenFile')
})

void t.test('a listener on all addresses is reached by loopback', async (t) => {
  const { node } = await startConfigured(t)
  for (const address of [`0.0.0.0:${node.port}`, `[::]:${node.port}`, `localhost:${node.port}`]) {
    const answer = await createAdminClient({ address }).call('GET', '/api/devices')
    t.match(answer, { devices: [{}, {}], next: null }, address)
  }
})

void t.test('gives what was answered, undefined where there is nothing', async (t) => {
  const { node } = await startConfigured(t)
  const client = createAdminClient({ address: `127.0.0.1:${node.port}` })
  const body = { user: 'alice@example.com', deviceId: 'Appl1' }
  t.match(await client.call('POST', '/api/facts', body), { records: 1 })
  t.equal(await client.call('DELETE', '/api/facts/alice@example.com/Appl1'), undefined)
  await t.rejects(client.call('DELETE', '/api/facts/alice@example.com/Appl1'), AdminError)
})

void t.test('another program on the port is not taken for an easgate', async (t) => {
  const given = { status: 200, text: '' }
  const server = createServer((_req, res) => void res.writeHead(given.status).end(given.text))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const client = createAdminClient({ address: `127.0.0.1:${port}` })
  for (const [status, text, message] of [
    [200, '<html>hello</html>', `127.0.0.1:${port} is not the admin listener of an easgate`],
    [500, '<html>sorry</html>', 'the admin listener answered with status 500'],
    [404, '', 'the admin listener answered with status 404'],
    [400, '{"detail":5}', 'the admin listener answered with status 400'],
    [400, 'null', 'the admin listener answered with status 400'],
  ] as const) {
    Object.assign(given, { status, text })
    await t.rejects(client.call('GET', '/api/devices'), { name: 'AdminError', message }, `${status} ${text}`)
  }
})

void t.test('an address that nobody answers at is named, with what to do', async (t) => {
  for (const address of ['127.0.0.1:1', 'localhost:1', 'nowhere.invalid:9090']) {
    await t.rejects(createAdminClient({ address }).call('GET', '/api/devices'), {
      name: 'AdminError',
      message: new RegExp(`^no easgate answers at ${address} \\(.+\\); start it with: npm start$`),
    })
  }
})
