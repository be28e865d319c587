import { readFileSync } from 'node:fs'

/** Linux tells user space 100 ticks a second on every architecture that Node runs on. proc(5), sysconf(3) */
const microsecondsPerTick = 10_000

/** CPU time that a process used since its start: user and system, of all its threads, in microseconds. */
export function cpuMicroseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // utime and stime are fields 14 and 15; the name, field 2, stands in brackets and may hold spaces
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * microsecondsPerTick
}

/** Ids of the processes that the main thread of `pid` started and that live. */
export function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return children
    .split(' ')
    .filter((child) => child !== '')
    .map(Number)
}
