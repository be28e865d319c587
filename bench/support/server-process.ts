import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openSync, closeSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { BenchContext } from './bench.ts'

const root = join(import.meta.dirname, '../..')
const startTimeoutMs = 15_000
const pollMs = 20
const stopTimeoutMs = 5000

export interface ServerOptions<Ready> {
  /** Arguments of node, from the repository's root. */
  readonly args: readonly string[]
  /** More for its environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Takes stdout and stderr, so that what is logged costs the server a write and nobody a read. */
  readonly outputFile: string
  /** Reads from the output so far that the server listens; undefined where it does not say so yet. */
  readonly ready: (output: string) => Ready | undefined
}

/** A server in a process of its own. */
export interface ServerProcess<Ready> {
  readonly pid: number
  readonly outputFile: string
  readonly ready: Ready
}

/**
 * Resolves once it listens. Rejects, with what it said last, where it ends or says nothing for 15 s. It is ended with
 * `started`, also where that happens before it listens.
 */
export async function startServer<Ready>(
  options: ServerOptions<Ready>,
  started: AsyncDisposableStack,
): Promise<ServerProcess<Ready>> {
  const { args, env, outputFile, ready } = options
  if (started.disposed) throw new Error('the bench has ended')
  // for appending: the file may be emptied under way
  const output = openSync(outputFile, 'a')
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', output, output],
  })
  started.defer(() => stop(child))
  closeSync(output)
  const giveUpAt = performance.now() + startTimeoutMs
  for (;;) {
    const said = readFileSync(outputFile, 'utf8')
    const value = ready(said)
    if (value !== undefined && child.pid !== undefined) {
      return { pid: child.pid, outputFile, ready: value }
    }
    if (child.exitCode !== null || performance.now() > giveUpAt) {
      throw new Error(`node ${args.join(' ')} did not listen. It said last:\n${said.slice(-2000)}`)
    }
    await delay(pollMs)
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill()
  const killer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
  await exited
  clearTimeout(killer)
}

/** Starts a script that calls `listen` of peers/. `ready` is its port. */
export function startPeer(
  script: string,
  args: readonly string[],
  { directory, started }: Pick<BenchContext, 'directory' | 'started'>,
): Promise<ServerProcess<number>> {
  const options: ServerOptions<number> = {
    args: [script, ...args],
    outputFile: join(directory, `${script.replaceAll('/', '-')}.out`),
    ready: (output) => {
      const port = /^listening (\d+)$/m.exec(output)?.[1]
      return port === undefined ? undefined : Number(port)
    },
  }
  return startServer(options, started)
}
