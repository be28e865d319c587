import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, closeSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const root = join(import.meta.dirname, '../..')
const startTimeoutMs = 15_000
const pollMs = 20
const stopTimeoutMs = 5000

export interface ServerOptions<Ready> {
  /** Arguments of node, from the repository's root. */
  readonly args: readonly string[]
  /** Takes stdout and stderr, so that what is logged costs the server a write and nobody a read. */
  readonly outputFile: string
  /** Reads from the output so far that the server listens; undefined where it does not say so yet. */
  readonly ready: (output: string) => Ready | undefined
}

/** A server in a process of its own. */
export interface ServerProcess<Ready> extends AsyncDisposable {
  readonly pid: number
  readonly outputFile: string
  readonly ready: Ready
}

/** Resolves once it listens. Rejects, with what it said last, where it ends or says nothing for 15 s. */
export async function startServer<Ready>(options: ServerOptions<Ready>): Promise<ServerProcess<Ready>> {
  const { args, outputFile, ready } = options
  // for appending: the file may be emptied under way
  const output = openSync(outputFile, 'a')
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', output, output] })
  closeSync(output)
  const exited = once(child, 'exit')
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill()
    const killer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs)
    await exited
    clearTimeout(killer)
  }
  const giveUpAt = performance.now() + startTimeoutMs
  for (;;) {
    const said = readFileSync(outputFile, 'utf8')
    const value = ready(said)
    if (value !== undefined && child.pid !== undefined) {
      return { pid: child.pid, outputFile, ready: value, [Symbol.asyncDispose]: stop }
    }
    if (child.exitCode !== null || performance.now() > giveUpAt) {
      await stop()
      throw new Error(`node ${args.join(' ')} did not listen. It said last:\n${said.slice(-2000)}`)
    }
    await delay(pollMs)
  }
}

/** Starts a script that calls `listen` of peers/. `ready` is its port. */
export function startPeer(
  script: string,
  args: readonly string[],
  directory: string,
): Promise<ServerProcess<number>> {
  return startServer({
    args: [script, ...args],
    outputFile: join(directory, `${script.replaceAll('/', '-')}.out`),
    ready: (output) => {
      const port = /^listening (\d+)$/m.exec(output)?.[1]
      return port === undefined ? undefined : Number(port)
    },
  })
}
