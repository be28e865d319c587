import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { root, runEasgate } from '../support/node-process.ts'
import { folderSyncRequest, Phone, textAt } from '../support/simulated-phone.ts'

/** Runs the simulator as a user does; gives the first line that it prints. */
async function startSimulate(t: Test, ...args: readonly string[]) {
  const child = spawn(process.execPath, [join(root, 'src', 'main.ts'), 'simulate', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return { child, line }
}

void t.test('--port serves the demo users on that port, until it is told to stop', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const { child, line } = await startSimulate(t, '--port', '0')
    const url = /^Exchange simulator on (http:\/\/127\.0\.0\.1:\d+)\/Microsoft-Server-ActiveSync, /.exec(
      line,
    )?.[1]
    t.ok(url, line)
    const phone = new Phone({ url: url ?? '', user: 'carol@example.com', deviceId: 'ApplDEMOCAROL1' })
    await phone.provision()
    const { root: folders } = await phone.send('FolderSync', folderSyncRequest('0'))
    t.equal(textAt(folders, 'FolderHierarchy:Status'), '1')
    child.kill(signal)
    t.strictSame(await once(child, 'exit'), [0, null], signal)
  }
})

void t.test('a port that is taken is told in one line', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const { status, stdout, stderr } = await runEasgate('simulate', '--port', String(port))
  t.strictSame([status, stdout], [1, ''])
  t.equal(stderr, `cannot listen on 127.0.0.1:${port} (--port): another program listens there\n`)
})
