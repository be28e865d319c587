import { cpuMicroseconds } from './cpu.ts'
import type { BenchContext } from './bench.ts'
import { runLoad, type LoadReport } from './load.ts'
import type { BenchRequest } from './sync-request.ts'

/** As many as the design's figures were taken with. */
const connections = 64

/** A process under load. */
export interface Subject {
  readonly name: string
  readonly port: number
  readonly pid: number
  /** Processes that work for it, by name. */
  readonly beside: Readonly<Record<string, number>>
  readonly request: BenchRequest
  readonly answer: Buffer
  /** Called before each run. */
  readonly audit?: () => Promise<Audit>
}

/** Whether a subject did its whole work for the requests of one run. Both reject where it did not. */
export interface Audit {
  /** Resolves once nothing is left to do behind the answers: that is paid for by the same requests. */
  readonly finished: (sent: number) => Promise<void>
  /** Asks the subject itself, so it comes when its CPU is read. */
  readonly check: (sent: number) => Promise<void>
}

/** One run on one subject. CPU is in microseconds a request. */
export interface Run {
  readonly cpu: number
  readonly besideCpu: Readonly<Record<string, number>>
  readonly report: LoadReport
}

/**
 * Warms every subject up, then runs them one after the other, in the opposite order in every second round. A shared
 * machine's speed changes by half from one second to the next: short runs side by side, and many of them, meet the same
 * machine; long ones do not. Gives the runs by the subject's name.
 */
export async function measureInRounds(
  { effort, say }: Pick<BenchContext, 'effort' | 'say'>,
  subjects: readonly Subject[],
): Promise<ReadonlyMap<string, readonly Run[]>> {
  const amounts = new Map<Subject, number>()
  for (const subject of subjects) {
    const { report } = await run(subject, effort.warmUpRequests)
    const rate = report.answered / report.seconds
    amounts.set(subject, Math.ceil(rate * effort.runSeconds))
    say(`warmed up: ${subject.name}, ${rate.toFixed(0)} requests/s`)
  }
  const runs = new Map<string, Run[]>(subjects.map(({ name }) => [name, []]))
  for (let round = 1; round <= effort.rounds; round++) {
    const told: string[] = []
    for (const subject of round % 2 === 1 ? subjects : subjects.toReversed()) {
      const result = await run(subject, amounts.get(subject) ?? effort.warmUpRequests)
      runs.get(subject.name)?.push(result)
      told.push(`${subject.name} ${result.cpu.toFixed(1)}`)
    }
    say(`round ${round} of ${effort.rounds}, us of CPU a request: ${told.join('; ')}`)
  }
  return runs
}

async function run(subject: Subject, amount: number): Promise<Run> {
  const { port, pid, beside, request, answer } = subject
  const audit = await subject.audit?.()
  const pids = { ...beside, subject: pid }
  const before = cpuOf(pids)
  const report = await runLoad({
    url: `http://127.0.0.1:${port}${request.path}`,
    connections,
    amount,
    headers: request.headers,
    body: request.body.toString('base64'),
    answer: answer.toString('base64'),
  })
  await audit?.finished(amount)
  const after = cpuOf(pids)
  await audit?.check(amount)
  const used = (name: string) => ((after[name] ?? 0) - (before[name] ?? 0)) / amount
  const besideCpu = Object.fromEntries(Object.keys(beside).map((name) => [name, used(name)]))
  return { cpu: used('subject'), besideCpu, report }
}

function cpuOf(pids: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuMicroseconds(pid)]))
}
