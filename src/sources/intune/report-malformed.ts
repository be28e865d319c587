import type { IntuneContext } from './context.ts'
import type { MalformedRecord } from './managed-device.ts'

/** Counts the records of one reading that were skipped, and tells of the first of them. */
export interface MalformedCount {
  add(malformed: MalformedRecord): void
  readonly count: number
}

const maxTold = 100

export function countMalformed(
  { name, log }: Pick<IntuneContext, 'name' | 'log'>,
  subject: string,
): MalformedCount {
  let count = 0
  return {
    add(malformed) {
      count++
      if (count <= maxTold) log.warn({ source: name, subject, ...malformed }, 'a record is not taken')
    },
    get count() {
      return count
    },
  }
}
