import { watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { FactsSource, SourceStatus } from '#directory/facts-source.ts'
import type { RowFault } from '#directory/rows.ts'
import type { Store } from '#directory/store.ts'
import type { SyncOutcome } from '#directory/sync-state.ts'
import { readFactsFile } from './read-facts-file.ts'

/** Runs `work` after `delayMs`; gives the function that calls it off. */
export type Schedule = (work: () => void, delayMs: number) => () => void

export interface FileSourceOptions {
  readonly name: string
  /** `.csv` or `.json`. */
  readonly path: string
  readonly store: Pick<Store, 'replace' | 'hasRecords' | 'setSourceConfirmed' | 'setSourceFailed'>
  /** Told of each bad row, at most `maxReportedFaults` per read. `place`: line of a CSV, index in a JSON list. */
  readonly onFault: (fault: RowFault) => void
  /** Told how each read ended; a look that finds the file unchanged is no read. */
  readonly onRead: (outcome: SyncOutcome) => void
  /** ms since the epoch. */
  readonly now: () => number
  readonly schedule?: Schedule
}

/** Two looks at the file, this far apart, must show the same: a file that is still being written is not taken. */
const settleMs = 100
/** The same for a file that is written over where it stands, by somebody who may stop for a moment on the way. */
const settleInPlaceMs = 1000
/** The net under `fs.watch`, which network and container file systems leave silent. */
const pollMs = 5000
const maxReportedFaults = 100
/** A file that stands unchanged confirms what was read of it, at most this often. */
const confirmIntervalMs = 30_000
/** What was read of a file with faults is confirmed row by row, which takes another reading. */
const rereadIntervalMs = 600_000

/**
 * Facts from a CSV or JSON file, read at the start and again whenever the file changes. Good rows count whatever is
 * wrong with others; rows that are gone are removed only by a read without faults; a file that cannot be read, or is
 * suddenly empty, leaves everything as it was. T-56
 */
export function createFileSource(options: FileSourceOptions): FactsSource {
  const { name, path, store, onFault, onRead, now, schedule = scheduleTimer } = options
  let status: SourceStatus = { records: 0, faults: 0 }
  /** The file as it was when it was last taken, and as the last look saw it. */
  let taken: string | undefined
  let takenInode: bigint | undefined
  let lastSeen: string | undefined
  let isInPlace = false
  /** Whether the last line had an end in what was taken last. */
  let hadLineEnd = false
  /** Those who wait for a read that begins after they asked, and how to wake the source. */
  let asked: (() => void)[] = []
  let wakeUp: (() => void) | undefined
  /** When what was taken of the file was last confirmed, and whether that was all of it. */
  let confirmed: { readonly at: number; readonly isWhole: boolean } | undefined

  function fail(error: string): void {
    onRead('failed')
    if (status.error === error) return
    status = { ...status, error }
    try {
      store.setSourceFailed(name, error)
    } catch {
      // the store itself is in trouble, and says so to whoever writes to it; the status stands
    }
  }

  /**
   * The same bytes are there, so what they say is as true as it was: facts of a file that nobody changes must not grow
   * old. Gives true where the file is to be read again for that.
   */
  function confirm(): boolean {
    if (confirmed === undefined) return false
    const { at, isWhole } = confirmed
    if (!isWhole) return now() - at >= rereadIntervalMs
    if (now() - at < confirmIntervalMs) return false
    store.setSourceConfirmed(name)
    confirmed = { at: now(), isWhole }
    status = { ...status, lastCompleteAt: now() }
    return false
  }

  /** Gives true where nothing more is to be done until the file changes. */
  async function look(signal: AbortSignal): Promise<boolean> {
    const { seen, inode } = await fingerprint(path)
    if (seen === taken && !confirm()) return true
    isInPlace = inode === takenInode
    if (seen !== lastSeen) {
      lastSeen = seen
      return false
    }
    const { records, faults, hasLineEnd } = await readFactsFile(path, signal)
    if ((await fingerprint(path)).seen !== seen) return false
    for (const fault of faults.slice(0, maxReportedFaults)) onFault(fault)
    taken = seen
    takenInode = inode
    confirmed = undefined
    if (records.length === 0 && faults.length > 0) {
      status = { ...status, faults: faults.length }
      fail(`${path}: no row could be read; the records of before are kept`)
    } else if (records.length === 0 && store.hasRecords(name)) {
      fail(`${path} is empty; the records of before are kept`)
    } else if (hadLineEnd && !hasLineEnd) {
      fail(`${path} was cut off: its last line has no end any more; the records of before are kept`)
    } else {
      const complete = faults.length === 0
      const { held } = await store.replace(name, records, { complete, faults: faults.length })
      if (held) {
        status = {
          ...status,
          faults: faults.length,
          error: `${path} would refuse too many devices and is held`,
        }
        onRead('held')
        return true
      }
      confirmed = { at: now(), isWhole: complete }
      hadLineEnd = hasLineEnd
      const completeAt = complete ? now() : status.lastCompleteAt
      status = {
        records: records.length,
        faults: faults.length,
        ...(completeAt === undefined ? undefined : { lastCompleteAt: completeAt }),
      }
      onRead(complete ? 'complete' : 'partial')
    }
    return true
  }

  async function start(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const first = Promise.withResolvers<void>()
    let cancel: (() => void) | undefined
    let isLooking = false
    let isDueSoon = false
    /** The file was another at the last look than at the one before. */
    let isSettling = false

    const wake = (delayMs: number): void => {
      cancel?.()
      cancel = schedule(() => void run(), delayMs)
    }
    const wakeSoon = (): void => {
      // the next look is due already, and must not come before the time that the file is given
      if (isDueSoon || isSettling) return
      isDueSoon = true
      if (!isLooking) wake(settleMs)
    }
    wakeUp = wakeSoon
    const run = async (): Promise<void> => {
      isLooking = true
      isDueSoon = isSettling = false
      const waiting = asked
      asked = []
      if (waiting.length > 0) taken = undefined
      let isSettled = true
      try {
        isSettled = await look(signal)
      } catch (error) {
        taken = lastSeen = undefined
        if (!signal.aborted) fail(error instanceof Error ? error.message : String(error))
      }
      isLooking = false
      if (isSettled || signal.aborted) {
        first.resolve()
        for (const done of waiting) done()
      } else asked = [...waiting, ...asked]
      isSettling = !isSettled
      const soonMs = isSettling && isInPlace ? settleInPlaceMs : settleMs
      if (!signal.aborted) wake(isSettled && !isDueSoon ? pollMs : soonMs)
    }
    signal.addEventListener('abort', () => {
      cancel?.()
      first.resolve()
      wakeUp = undefined
      for (const done of asked) done()
    })
    watchFolder(dirname(path), signal, wakeSoon)
    await run()
    await first.promise
  }

  async function readAgain(): Promise<void> {
    if (wakeUp === undefined) return
    const { promise, resolve } = Promise.withResolvers<void>()
    asked.push(resolve)
    wakeUp()
    return promise
  }

  return { name, start, readAgain, status: () => status }
}

/** What must stay the same between two looks. A replaced file has another inode, a rewritten one another time. */
async function fingerprint(path: string): Promise<{ readonly seen: string; readonly inode: bigint }> {
  const { size, mtimeNs, ctimeNs, ino } = await stat(path, { bigint: true })
  return { seen: [size, mtimeNs, ctimeNs, ino].join(' '), inode: ino }
}

/** The folder, not the file: editors and deployments replace files, and a watch on a file follows the old one. */
function watchFolder(folder: string, signal: AbortSignal, onEvent: () => void): void {
  try {
    const watcher = watch(folder, { signal, persistent: false }, onEvent)
    watcher.on('error', () => watcher.close())
  } catch {
    // no folder yet, or a file system that cannot be watched: the poll finds the file
  }
}

function scheduleTimer(work: () => void, delayMs: number): () => void {
  const timer = setTimeout(work, delayMs)
  return () => clearTimeout(timer)
}
