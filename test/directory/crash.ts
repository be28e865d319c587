import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { openStore } from '#directory/store.ts'

const writer = join(import.meta.dirname, '../support/write-until-killed.ts')

void t.test('an owner that is killed loses nothing that it acknowledged', async (t) => {
  const path = join(t.testdir(), 'easgate.db')
  let acknowledged = -1
  for (const round of [1, 2, 3]) {
    const child = spawn(process.execPath, [writer, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    let last = -1
    for await (const line of createInterface({ input: child.stdout })) {
      last = Number(line)
      if (last === 20 * round) child.kill('SIGKILL')
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    t.equal(child.signalCode, 'SIGKILL')
    acknowledged = Math.max(acknowledged, last)

    const store = openStore(path, { sourceOrder: ['file'], now: Date.now })
    const check = store.check()
    t.same(check.problems, [], 'the file is sound')
    const missing = Array.from({ length: acknowledged + 1 }, (_, number) => number).filter(
      (number) => store.deviceFacts(`user${number}@api`, `appl${number}`) === undefined,
    )
    t.same(missing, [], `${acknowledged + 1} acknowledged`)
    t.equal(store.syncState('file'), undefined, 'the sweep that was cut off does not count as complete')
    t.equal(store.sourcesComplete(), false)
    store.close()
  }
})
