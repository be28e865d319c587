import autocannon from 'autocannon'
import type { LoadOptions, LoadReport } from './load.ts'

/** One run of autocannon in a process of its own, so that its CPU is nobody else's. Told and tells by IPC. */
process.once('message', (options: LoadOptions) => {
  void run(options).then((report) => {
    process.send?.(report)
    process.disconnect?.()
  })
})
// without the bench nobody would end the load
process.once('disconnect', () => process.exit())

async function run({ url, connections, amount, headers, body, answer }: LoadOptions): Promise<LoadReport> {
  const expected = Buffer.from(answer, 'base64').toString()
  const result = await autocannon({
    url,
    connections,
    amount,
    method: 'POST',
    headers,
    body: Buffer.from(body, 'base64'),
    bailout: 1,
    sampleInt: 100,
    verifyBody: (received) => received === expected,
  })
  const { requests, duration, latency, errors, timeouts, mismatches, statusCodeStats } = result
  return {
    answered: requests.total,
    seconds: duration,
    p50Ms: latency.p50,
    p99Ms: latency.p99,
    errors,
    timeouts,
    wrongBodies: mismatches,
    statuses: Object.fromEntries(
      Object.entries(statusCodeStats).map(([status, { count }]) => [status, count]),
    ),
  }
}
