import { rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { demoFacts, runEasgate, runEasgateIn, startNode, writeConfig } from '../support/node-process.ts'
import { folderSyncRequest, Phone, textAt } from '../support/simulated-phone.ts'

/** A port that another program listens on. */
async function takenPort(t: Test): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

/** Runs `serve`, which must end by itself, workers and all, with one line of explanation. */
async function startFault(t: Test, configFile: string, line: string | RegExp): Promise<void> {
  const { status, stderr } = await runEasgate('serve', '--config', configFile)
  t.equal(status, 1)
  t.match(stderr, line)
  t.equal(stderr.split('\n').length, 2, 'one line, no stack')
}

void t.test(
  'an address that is not to be had is told in one line, and nothing is left running',
  async (t) => {
    const port = await takenPort(t)
    const extra = 'workers: 2'
    await startFault(
      t,
      writeConfig(t, { listen: `{ address: 127.0.0.1:${port} }`, extra }),
      `cannot listen on 127.0.0.1:${port} (listen.address): another program listens there\n`,
    )
    await startFault(
      t,
      writeConfig(t, { admin: `{ address: 127.0.0.1:${port} }`, extra }),
      `cannot listen on 127.0.0.1:${port} (admin.address): another program listens there\n`,
    )
    await startFault(
      t,
      writeConfig(t, { listen: '{ address: 192.0.2.1:8080, publicUrl: https://mail.example.com }' }),
      /^cannot listen on 192\.0\.2\.1:8080 \(listen\.address\): (?:bind|listen) EADDRNOTAVAIL/,
    )
  },
)

void t.test('a certificate that is none is told in one line', async (t) => {
  // any file that is no certificate
  const file = join(import.meta.dirname, 'startup.ts')
  const listen = `{ address: 127.0.0.1:0, tls: { certFile: ${file}, keyFile: ${file} } }`
  await startFault(t, writeConfig(t, { listen }), /PEM/)
})

void t.test('serve takes no arguments, and no runtime without its checks (T-60)', async (t) => {
  const configFile = writeConfig(t)
  const called = await runEasgate('serve', 'now', '--config', configFile)
  t.equal(called.status, 2)
  t.match(called.stderr, /^serve takes no now\nusage: /)
  for (const [env, message] of [
    [{ NODE_OPTIONS: '--insecure-http-parser' }, /--insecure-http-parser/],
    [{ NODE_TLS_REJECT_UNAUTHORIZED: '0' }, /NODE_TLS_REJECT_UNAUTHORIZED=0/],
  ] as const) {
    const { status, stderr } = await runEasgateIn(env, 'serve', '--config', configFile)
    t.equal(status, 1)
    t.match(stderr, message)
  }
})

void t.test(
  'before every source was read nobody unknown is let in, and no traffic asked for (T-57)',
  async (t) => {
    const configFile = writeConfig(t)
    const facts = join(dirname(configFile), 'devices.csv')
    rmSync(facts)
    const node = await startNode(t, configFile)
    const phone = new Phone({ url: node.proxyUrl, user: 'alice@example.com', deviceId: 'ApplDEMOALICE1' })
    const refused = await phone.send('FolderSync', folderSyncRequest('0'))
    t.equal(refused.status, 503, 'the phone keeps its mail and comes back')
    t.ok(Number(refused.headers['retry-after']) > 0)
    t.match(await node.logLine(({ command }) => command === 'FolderSync'), {
      action: 'unavailable',
      reason: 'source-unavailable',
      status: 503,
    })
    const ready = await node.admin('GET', '/readyz')
    t.strictSame([ready.status, ready.text], [503, 'not ready\n'])
    t.equal((await node.admin('GET', '/healthz')).status, 200)
    const explained = await node.admin('GET', '/api/explain?user=alice&deviceId=ApplDEMOALICE1')
    t.match(explained.json(), { action: 'unavailable', reason: 'source-unavailable', status: 503 })
    const metrics = await node.admin('GET', '/metrics')
    t.match(metrics.text, 'easgate_failure_mode_total{cause="source-unavailable",action="unavailable"} 1\n')

    writeFileSync(facts, demoFacts)
    while ((await node.admin('GET', '/readyz')).status !== 200);
    await phone.provision()
    const { root } = await phone.send('FolderSync', folderSyncRequest('0'))
    t.equal(textAt(root, 'FolderHierarchy:Status'), '1')
  },
)

void t.test('a restart serves what was known, though the source is away (T-57)', async (t) => {
  const configFile = writeConfig(t)
  const first = await startNode(t, configFile)
  t.equal(await first.stop(), 0)
  rmSync(join(dirname(configFile), 'devices.csv'))
  const second = await startNode(t, configFile)
  t.equal((await second.admin('GET', '/readyz')).status, 200)
  const explained = await second.admin('GET', '/api/explain?user=alice&deviceId=ApplDEMOALICE1')
  t.match(explained.json(), { action: 'allow', reason: 'compliant' })
})
