import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { platform, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { hotPath } from './hot-path.ts'
import { decideBench } from './micro/decide.ts'
import { parkedBench } from './parked.ts'
import type { Bench, BenchContext, Effort, Section } from './support/bench.ts'
import { environment, occasion } from './support/environment.ts'
import { reportOf, type MeasuredSection } from './support/report.ts'

/** One question each, asked in this order. */
const benches: ReadonlyMap<string, Bench> = new Map([
  ['hot-path', hotPath],
  ['decide', decideBench],
  ['parked', parkedBench],
])

const packages = ['undici', 'http-proxy', 'autocannon']
const resultsFile = join(import.meta.dirname, 'RESULTS.md')

const full: Effort = { rounds: 15, warmUpRequests: 20_000, runSeconds: 2 }
/** For use while something is being built: its figures wander. */
const quick: Effort = { rounds: 3, warmUpRequests: 10_000, runSeconds: 1 }

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    /** One bench alone; in the results the others stay. */
    only: { type: 'string' },
  },
})
if (platform() !== 'linux') throw new Error('the bench reads CPU time from /proc: it runs on Linux only')

/** The report alone goes to stdout. */
function say(line: string): void {
  process.stderr.write(`${line}\n`)
}

const { only } = options
if (only !== undefined && !benches.has(only))
  throw new Error(`--only takes ${[...benches.keys()].join(', ')}`)
const sections: MeasuredSection[] = []
for (const [name, bench] of benches) {
  if (only !== undefined && name !== only) continue
  const measured = { occasion: occasion() }
  sections.push({ ...(await runBench(bench, options.quick ? quick : full)), ...measured })
}
const conditions = environment(packages)
process.stdout.write(reportOf(conditions, sections))
if (options.write || !options.quick) {
  const earlier = only !== undefined && existsSync(resultsFile) ? readFileSync(resultsFile, 'utf8') : ''
  writeFileSync(resultsFile, reportOf(conditions, sections, earlier))
}

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
