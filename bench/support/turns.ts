import cluster from 'node:cluster'
import { existsSync, writeFileSync } from 'node:fs'

/**
 * Preloaded into easgate. A worker notes when a policy comes, in a file of its own behind EASGATE_BENCH_TURNS. Where
 * there is a file of that name with `-watch` behind it, it measures the turns of its event loop for some seconds too: a
 * turn holds whole synchronous sections, so that none is longer. To watch keeps the thread busy: what takes how long is
 * measured without.
 */
export interface Turns {
  /** When the last policy came, ms since the epoch. */
  readonly policyAt: number
  /** The longest turn since then, ms of CPU of the thread; 0 where nobody watched. */
  readonly longestMs: number
}

const watchedMs = 3000
const file = process.env['EASGATE_BENCH_TURNS']

if (cluster.isWorker && file !== undefined) {
  process.on('message', (message: { readonly type?: string }) => {
    if (message.type === 'policy') note(`${file}-${process.pid}.json`, existsSync(`${file}-watch`))
  })
}

function note(target: string, watches: boolean): void {
  const policyAt = performance.timeOrigin + performance.now()
  const write = (longestMs: number): void => {
    const turns: Turns = { policyAt, longestMs }
    writeFileSync(target, JSON.stringify(turns))
  }
  if (!watches) return write(0)
  let longestMs = 0
  let before = process.threadCpuUsage()
  const turn = (): void => {
    const { user, system } = process.threadCpuUsage(before)
    longestMs = Math.max(longestMs, (user + system) / 1000)
    if (performance.timeOrigin + performance.now() - policyAt > watchedMs) return write(longestMs)
    before = process.threadCpuUsage()
    setImmediate(turn)
  }
  setImmediate(turn)
}
