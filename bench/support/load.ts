import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

/** One run: the same POST, `amount` times over `connections` kept connections. Bytes are base64, for IPC. */
export interface LoadOptions {
  readonly url: string
  readonly connections: number
  readonly amount: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The only body that is a right answer; ASCII characters only, as autocannon reads text. */
  readonly answer: string
}

/** What the load generator saw. */
export interface LoadReport {
  readonly answered: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly errors: number
  readonly timeouts: number
  readonly wrongBodies: number
  /** HTTP status -> answers. */
  readonly statuses: Readonly<Record<string, number>>
}

/** Runs autocannon. Rejects unless every request got a 200 with the right body. */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const child = fork(join(import.meta.dirname, 'load-generator.ts'), { stdio: ['ignore', 2, 2, 'ipc'] })
  try {
    const exited = once(child, 'exit').then(([code]) => {
      throw new Error(`the load generator ended without a report, exit code ${code}`)
    })
    child.send(options)
    const [report] = (await Promise.race([once(child, 'message'), exited])) as [LoadReport]
    checkReport(options, report)
    return report
  } finally {
    child.kill()
  }
}

function checkReport({ url, amount }: LoadOptions, report: LoadReport): void {
  const { answered, errors, timeouts, wrongBodies, statuses } = report
  const good = statuses['200'] ?? 0
  if (answered === amount && good === amount && errors === 0 && timeouts === 0 && wrongBodies === 0) return
  const counted = Object.entries(statuses).map(([status, count]) => `${count} with ${status}`)
  throw new Error(
    `the load on ${url} had faults, so its figures mean nothing: ${amount} requests to send, ${answered} answered ` +
      `(${counted.join(', ')}), ${wrongBodies} wrong bodies, ${errors} errors, ${timeouts} of them timeouts`,
  )
}
