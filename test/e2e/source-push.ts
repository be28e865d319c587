import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { freePort, runEasgate, startNode, writeConfig, type NodeProcess } from '../support/node-process.ts'
import { pushSecret, signedHeaders } from '../support/signed-push.ts'
import { folderSyncRequest, Phone, textAt } from '../support/simulated-phone.ts'

const alice = { user: 'alice@example.com', deviceId: 'ApplDEMOALICE1' }
const compliant = { ...alice, enrolled: true, complianceState: 'compliant' }

/** A node whose first source is a push, and whose second one is the file of the demo. */
function pushConfig(t: Test, { extra = '', port = 0, secret = pushSecret } = {}): string {
  const file = writeConfig(t, { extra, sources: sourcesIn(t.testdirName, port) })
  writeFileSync(join(dirname(file), 'push-secrets'), `${secret}\n`)
  return file
}

function sourcesIn(folder: string, port: number): string {
  return JSON.stringify([
    { kind: 'push', address: `127.0.0.1:${port}`, hmacSecretFile: join(folder, 'push-secrets') },
    { kind: 'file', path: join(folder, 'devices.csv') },
  ])
}

interface Sent {
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

const signed = (message: unknown): Sent => {
  const body = JSON.stringify(message)
  return { body, headers: signedHeaders(body) }
}

/** Sends to the node's push listener; gives the status. */
async function push(node: NodeProcess, { body, headers }: Sent): Promise<number> {
  const { sourcePorts } = await node.logLine(({ msg }) => msg === 'easgate serves')
  const { push: port } = sourcePorts as { push: number }
  const response = await request(`http://127.0.0.1:${port}/facts`, { method: 'POST', headers, body })
  await response.body.dump()
  return response.statusCode
}

async function sync(node: NodeProcess): Promise<string | undefined> {
  const { root } = await new Phone({ url: node.proxyUrl, ...alice }).send(
    'FolderSync',
    folderSyncRequest('0'),
  )
  return textAt(root, 'FolderHierarchy:Status')
}

void t.test('a push is in force on every worker when it is answered, and goes before the file', async (t) => {
  const node = await startNode(t, pushConfig(t, { extra: 'workers: 2' }))
  t.equal((await node.admin('GET', '/readyz')).status, 503, 'the MDM has said nothing yet')
  t.equal(await push(node, signed([])), 200)
  t.equal((await node.admin('GET', '/readyz')).text, 'ready\n')
  t.equal(await sync(node), '1', 'by the file')

  const took: number[] = []
  for (const complianceState of ['noncompliant', 'compliant', 'noncompliant', 'compliant', 'noncompliant']) {
    const sentAt = performance.now()
    t.equal(await push(node, signed({ ...alice, complianceState })), 200)
    took.push(performance.now() - sentAt)
    const answers = await Promise.all(Array.from({ length: 10 }, () => sync(node)))
    t.notOk(answers.includes(complianceState === 'compliant' ? undefined : '1'), complianceState)
  }
  t.comment(`from push to enforced, ms: ${took.map(Math.round).join(' ')}`)
  const [median = Infinity] = took.toSorted((a, b) => a - b).slice(2)
  t.ok(median < 500, 'in a fraction of a second, on a machine that runs other tests too')

  const explained = (await node.admin('GET', '/api/explain?user=alice&deviceId=ApplDEMOALICE1')).json()
  t.match(explained, {
    reason: 'noncompliant',
    fields: {
      complianceState: {
        value: 'noncompliant',
        source: 'push',
        contradictedBy: [{ value: 'compliant', source: 'file' }],
      },
      osVersion: { value: '17.5.1', source: 'file' },
    },
  })
  t.equal(await push(node, signed({ removed: [alice] })), 200)
  t.equal(await sync(node), '1', 'what was pushed is taken back, the file stands')
})

void t.test(
  'the push listener is no way to the admin listener, nor the other way round (T-58)',
  async (t) => {
    const node = await startNode(t, pushConfig(t))
    const { sourcePorts } = await node.logLine(({ msg }) => msg === 'easgate serves')
    const origin = `http://127.0.0.1:${(sourcePorts as { push: number }).push}`
    for (const path of ['/', '/metrics', '/healthz', '/readyz', '/api/facts', '/api/devices', '/facts']) {
      const response = await request(`${origin}${path}`)
      await response.body.dump()
      t.equal(response.statusCode, 404, path)
    }
    t.equal((await node.admin('POST', '/facts', compliant)).status, 404)
  },
)

void t.test('a message counts once, also over a restart', async (t) => {
  const file = pushConfig(t)
  const before = await startNode(t, file)
  const message = signed(compliant)
  t.equal(await push(before, message), 200)
  t.equal(await push(before, message), 401)
  await push(before, signed({ ...alice, complianceState: 'noncompliant' }))
  await before.stop()

  const node = await startNode(t, file)
  t.equal((await node.admin('GET', '/readyz')).text, 'ready\n', 'what it said before is known')
  t.equal(await push(node, message), 401)
  t.not(await sync(node), '1')
  const metrics = (await node.admin('GET', '/metrics')).text
  t.match(metrics, 'easgate_source_sync_total{source="push",outcome="push-refused"} 1')
  const line = await node.logLine(({ msg }) => msg === 'a push is refused')
  t.match(line, { level: 'warn', source: 'push', refusal: 'replayed' })
  t.notMatch(node.written().join('\n'), new RegExp(pushSecret))
})

void t.test('what keeps a push source from starting is told in one line', async (t) => {
  const port = await freePort()
  await startNode(t, pushConfig(t, { port }))
  await t.test('a port that is taken', async (t) => {
    const { status, stderr } = await runEasgate('serve', '--config', pushConfig(t, { port }))
    t.equal(status, 1)
    t.match(
      stderr,
      /cannot listen on 127\.0\.0\.1:\d+ \(sources\.0\.address\): another program listens there/,
    )
  })
  await t.test('a secret that can be guessed', async (t) => {
    const { status, stderr } = await runEasgate('serve', '--config', pushConfig(t, { secret: 'secret' }))
    t.equal(status, 1)
    t.match(stderr, /push-secrets: sources\.hmacSecretFile: expected 1 to 8 secrets of at least 32/)
  })
})
