import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { platform, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { hotPath } from './hot-path.ts'
import { decideBench } from './micro/decide.ts'
import type { Bench, BenchContext, Effort, Section } from './support/bench.ts'
import { environment } from './support/environment.ts'
import { reportOf } from './support/report.ts'

/** One question each, asked in this order. */
const benches: readonly Bench[] = [hotPath, decideBench]

const packages = ['undici', 'http-proxy', 'autocannon']
const resultsFile = join(import.meta.dirname, 'RESULTS.md')

const full: Effort = { rounds: 15, warmUpRequests: 20_000, runSeconds: 2 }
/** For use while something is being built: its figures wander. */
const quick: Effort = { rounds: 3, warmUpRequests: 10_000, runSeconds: 1 }

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, write: { type: 'boolean', default: false } },
})
if (platform() !== 'linux') throw new Error('the bench reads CPU time from /proc: it runs on Linux only')

/** The report alone goes to stdout. */
function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

const conditions = environment(packages)
const sections: Section[] = []
for (const bench of benches) sections.push(await runBench(bench, options.quick ? quick : full))
const report = reportOf(conditions, sections)
process.stdout.write(report)
if (options.write || !options.quick) writeFileSync(resultsFile, report)

/** Runs one bench; all that it started is ended, on a signal too. */
async function runBench(bench: Bench, effort: Effort): Promise<Section> {
  const started = new AsyncDisposableStack()
  const directory = mkdtempSync(join(tmpdir(), 'easgate-bench-'))
  started.defer(() => rmSync(directory, { recursive: true }))
  const context: BenchContext = { effort, directory, started, say }
  const signal = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
  const interrupted = signal.then(() => {
    throw new Error('the bench was ended by a signal')
  })
  try {
    return await Promise.race([bench(context), interrupted])
  } finally {
    await started.disposeAsync()
  }
}
